-- Tables of the mirror that are filled only if clerk.configure(mirror => …) names them. As the others otherwise.

CREATE TABLE clerk.sessions (
    id text PRIMARY KEY,
    instance_id text,
    user_id text,
    client_id text,
    status text,
    last_active_organization_id text,
    last_active_at timestamptz,
    expire_at timestamptz,
    abandon_at timestamptz,
    actor jsonb,
    data jsonb NOT NULL DEFAULT '{}',
    older jsonb,
    created_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT '-infinity',
    observed_at timestamptz NOT NULL DEFAULT '-infinity',
    last_seen_at timestamptz NOT NULL DEFAULT '-infinity',
    deleted_at timestamptz,
    missing_at timestamptz,
    synced_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    deleted boolean NOT NULL GENERATED ALWAYS AS (
        COALESCE(deleted_at OPERATOR(pg_catalog.>=) updated_at, false) OR COALESCE(missing_at OPERATOR(pg_catalog.>) last_seen_at, false)
    ) STORED
);
CREATE INDEX sessions_user ON clerk.sessions (user_id);
COMMENT ON TABLE clerk.sessions IS 'Sessions; only with configure(mirror => …). IP address and browser are never stored.';
COMMENT ON COLUMN clerk.sessions.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.sessions.user_id IS 'Whose session.';
COMMENT ON COLUMN clerk.sessions.client_id IS 'The browser or device.';
COMMENT ON COLUMN clerk.sessions.status IS 'active, pending, revoked, ended, expired, removed, abandoned or replaced.';
COMMENT ON COLUMN clerk.sessions.last_active_organization_id IS 'Organization last active in it.';
COMMENT ON COLUMN clerk.sessions.last_active_at IS 'Last activity.';
COMMENT ON COLUMN clerk.sessions.expire_at IS 'When it expires.';
COMMENT ON COLUMN clerk.sessions.abandon_at IS 'When it counts as abandoned.';
COMMENT ON COLUMN clerk.sessions.actor IS 'Who impersonates the user.';
COMMENT ON COLUMN clerk.sessions.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.sessions.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.sessions.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.sessions.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.sessions.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.sessions.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.sessions.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.sessions.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.sessions.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.sessions.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.sessions.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.sessions', '');

CREATE TABLE clerk.waitlist_entries (
    id text PRIMARY KEY,
    instance_id text,
    email_address text,
    status text,
    is_locked boolean,
    invitation_id text,
    data jsonb NOT NULL DEFAULT '{}',
    older jsonb,
    created_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT '-infinity',
    observed_at timestamptz NOT NULL DEFAULT '-infinity',
    last_seen_at timestamptz NOT NULL DEFAULT '-infinity',
    deleted_at timestamptz,
    missing_at timestamptz,
    synced_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    deleted boolean NOT NULL GENERATED ALWAYS AS (
        COALESCE(deleted_at OPERATOR(pg_catalog.>=) updated_at, false) OR COALESCE(missing_at OPERATOR(pg_catalog.>) last_seen_at, false)
    ) STORED
);
CREATE INDEX waitlist_entries_email_address ON clerk.waitlist_entries USING hash (pg_catalog.lower(email_address));
COMMENT ON TABLE clerk.waitlist_entries IS 'People on the waitlist; only with configure(mirror => …).';
COMMENT ON COLUMN clerk.waitlist_entries.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.waitlist_entries.email_address IS 'Who waits.';
COMMENT ON COLUMN clerk.waitlist_entries.status IS 'pending, invited, completed or rejected.';
COMMENT ON COLUMN clerk.waitlist_entries.is_locked IS 'Whether the entry is being worked on.';
COMMENT ON COLUMN clerk.waitlist_entries.invitation_id IS 'The invitation they got.';
COMMENT ON COLUMN clerk.waitlist_entries.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.waitlist_entries.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.waitlist_entries.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.waitlist_entries.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.waitlist_entries.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.waitlist_entries.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.waitlist_entries.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.waitlist_entries.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.waitlist_entries.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.waitlist_entries.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.waitlist_entries.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.waitlist_entries', '');

CREATE TABLE clerk.subscriptions (
    id text PRIMARY KEY,
    instance_id text,
    status text,
    payer_id text,
    payer_user_id text,
    payer_organization_id text,
    latest_payment_id text,
    active_at timestamptz,
    past_due_at timestamptz,
    canceled_at timestamptz,
    ended_at timestamptz,
    data jsonb NOT NULL DEFAULT '{}',
    older jsonb,
    created_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT '-infinity',
    observed_at timestamptz NOT NULL DEFAULT '-infinity',
    last_seen_at timestamptz NOT NULL DEFAULT '-infinity',
    deleted_at timestamptz,
    missing_at timestamptz,
    synced_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    deleted boolean NOT NULL GENERATED ALWAYS AS (
        COALESCE(deleted_at OPERATOR(pg_catalog.>=) updated_at, false) OR COALESCE(missing_at OPERATOR(pg_catalog.>) last_seen_at, false)
    ) STORED
);
CREATE INDEX subscriptions_payer_user ON clerk.subscriptions (payer_user_id);
CREATE INDEX subscriptions_payer_organization ON clerk.subscriptions (payer_organization_id);
CREATE INDEX subscriptions_payer ON clerk.subscriptions (payer_id);
COMMENT ON TABLE clerk.subscriptions IS 'Subscriptions of Clerk Billing; only with configure(mirror => …).';
COMMENT ON COLUMN clerk.subscriptions.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.subscriptions.status IS 'active, past_due, canceled, ended, abandoned, incomplete, expired or upcoming.';
COMMENT ON COLUMN clerk.subscriptions.payer_id IS 'Who pays, as Clerk Billing names them.';
COMMENT ON COLUMN clerk.subscriptions.payer_user_id IS 'The user who pays.';
COMMENT ON COLUMN clerk.subscriptions.payer_organization_id IS 'The organization that pays.';
COMMENT ON COLUMN clerk.subscriptions.latest_payment_id IS 'Last payment.';
COMMENT ON COLUMN clerk.subscriptions.active_at IS 'Active since.';
COMMENT ON COLUMN clerk.subscriptions.past_due_at IS 'Past due since.';
COMMENT ON COLUMN clerk.subscriptions.canceled_at IS 'When it was canceled.';
COMMENT ON COLUMN clerk.subscriptions.ended_at IS 'When it ended.';
COMMENT ON COLUMN clerk.subscriptions.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.subscriptions.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.subscriptions.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.subscriptions.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.subscriptions.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.subscriptions.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.subscriptions.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.subscriptions.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.subscriptions.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.subscriptions.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.subscriptions.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.subscriptions', '');

CREATE TABLE clerk.subscription_items (
    id text PRIMARY KEY,
    instance_id text,
    subscription_id text,
    status text,
    plan_id text,
    plan_slug text,
    interval text,
    is_free_trial boolean,
    period_start timestamptz,
    period_end timestamptz,
    payer_id text,
    payer_user_id text,
    payer_organization_id text,
    data jsonb NOT NULL DEFAULT '{}',
    older jsonb,
    created_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT '-infinity',
    observed_at timestamptz NOT NULL DEFAULT '-infinity',
    last_seen_at timestamptz NOT NULL DEFAULT '-infinity',
    deleted_at timestamptz,
    missing_at timestamptz,
    synced_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    deleted boolean NOT NULL GENERATED ALWAYS AS (
        COALESCE(deleted_at OPERATOR(pg_catalog.>=) updated_at, false) OR COALESCE(missing_at OPERATOR(pg_catalog.>) last_seen_at, false)
    ) STORED
);
CREATE INDEX subscription_items_subscription ON clerk.subscription_items (subscription_id);
CREATE INDEX subscription_items_payer_user ON clerk.subscription_items (payer_user_id);
CREATE INDEX subscription_items_payer_organization ON clerk.subscription_items (payer_organization_id);
CREATE INDEX subscription_items_payer ON clerk.subscription_items (payer_id);
COMMENT ON TABLE clerk.subscription_items IS 'What is subscribed to; only with configure(mirror => …).';
COMMENT ON COLUMN clerk.subscription_items.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.subscription_items.subscription_id IS 'The subscription.';
COMMENT ON COLUMN clerk.subscription_items.status IS 'active, upcoming, canceled, ended, abandoned, incomplete or past_due.';
COMMENT ON COLUMN clerk.subscription_items.plan_id IS 'The plan.';
COMMENT ON COLUMN clerk.subscription_items.plan_slug IS 'The plan''s slug.';
COMMENT ON COLUMN clerk.subscription_items.interval IS 'month or annual.';
COMMENT ON COLUMN clerk.subscription_items.is_free_trial IS 'Whether it is a trial.';
COMMENT ON COLUMN clerk.subscription_items.period_start IS 'Start of the period.';
COMMENT ON COLUMN clerk.subscription_items.period_end IS 'End of the period.';
COMMENT ON COLUMN clerk.subscription_items.payer_id IS 'Who pays, as Clerk Billing names them.';
COMMENT ON COLUMN clerk.subscription_items.payer_user_id IS 'The user who pays.';
COMMENT ON COLUMN clerk.subscription_items.payer_organization_id IS 'The organization that pays.';
COMMENT ON COLUMN clerk.subscription_items.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.subscription_items.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.subscription_items.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.subscription_items.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.subscription_items.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.subscription_items.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.subscription_items.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.subscription_items.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.subscription_items.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.subscription_items.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.subscription_items.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.subscription_items', '');

CREATE TABLE clerk.payment_attempts (
    id text PRIMARY KEY,
    instance_id text,
    status text,
    payment_id text,
    invoice_id text,
    statement_id text,
    charge_type text,
    amount bigint,
    currency text,
    payer_id text,
    payer_user_id text,
    payer_organization_id text,
    billing_date timestamptz,
    paid_at timestamptz,
    failed_at timestamptz,
    data jsonb NOT NULL DEFAULT '{}',
    older jsonb,
    created_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT '-infinity',
    observed_at timestamptz NOT NULL DEFAULT '-infinity',
    last_seen_at timestamptz NOT NULL DEFAULT '-infinity',
    deleted_at timestamptz,
    missing_at timestamptz,
    synced_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    deleted boolean NOT NULL GENERATED ALWAYS AS (
        COALESCE(deleted_at OPERATOR(pg_catalog.>=) updated_at, false) OR COALESCE(missing_at OPERATOR(pg_catalog.>) last_seen_at, false)
    ) STORED
);
CREATE INDEX payment_attempts_payer ON clerk.payment_attempts (payer_id);
CREATE INDEX payment_attempts_payer_user ON clerk.payment_attempts (payer_user_id);
COMMENT ON TABLE clerk.payment_attempts IS 'Attempts to pay; only with configure(mirror => …). Cards are never stored.';
COMMENT ON COLUMN clerk.payment_attempts.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.payment_attempts.status IS 'pending, paid or failed.';
COMMENT ON COLUMN clerk.payment_attempts.payment_id IS 'The payment.';
COMMENT ON COLUMN clerk.payment_attempts.invoice_id IS 'The invoice.';
COMMENT ON COLUMN clerk.payment_attempts.statement_id IS 'The statement.';
COMMENT ON COLUMN clerk.payment_attempts.charge_type IS 'checkout or recurring.';
COMMENT ON COLUMN clerk.payment_attempts.amount IS 'Grand total in the currency''s smallest unit.';
COMMENT ON COLUMN clerk.payment_attempts.currency IS 'Currency.';
COMMENT ON COLUMN clerk.payment_attempts.payer_id IS 'Who pays, as Clerk Billing names them.';
COMMENT ON COLUMN clerk.payment_attempts.payer_user_id IS 'The user who pays.';
COMMENT ON COLUMN clerk.payment_attempts.payer_organization_id IS 'The organization that pays.';
COMMENT ON COLUMN clerk.payment_attempts.billing_date IS 'Day it is billed.';
COMMENT ON COLUMN clerk.payment_attempts.paid_at IS 'When it was paid.';
COMMENT ON COLUMN clerk.payment_attempts.failed_at IS 'When it failed.';
COMMENT ON COLUMN clerk.payment_attempts.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.payment_attempts.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.payment_attempts.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.payment_attempts.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.payment_attempts.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.payment_attempts.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.payment_attempts.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.payment_attempts.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.payment_attempts.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.payment_attempts.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.payment_attempts.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.payment_attempts', '');
