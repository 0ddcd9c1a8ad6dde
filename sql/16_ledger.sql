-- What came, what became of it, and what is still to do.

CREATE TABLE clerk.webhook_events (
    svix_id text PRIMARY KEY,
    event_type text NOT NULL,
    subject_id text,
    user_id text,
    instance_id text,
    event_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    state text NOT NULL
        CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['applied', 'stale', 'ignored', 'failed', 'quarantined'])),
    reason text,
    attempts integer NOT NULL DEFAULT 1,
    last_error text,
    next_attempt_at timestamptz,
    payload text,
    erased_at timestamptz,
    address_hash bigint,
    subject_created_at timestamptz
);
CREATE INDEX webhook_events_due ON clerk.webhook_events (next_attempt_at) WHERE state OPERATOR(pg_catalog.=) 'failed';
CREATE INDEX webhook_events_user ON clerk.webhook_events (user_id) WHERE user_id IS NOT NULL AND erased_at IS NULL;
CREATE INDEX webhook_events_invitation ON clerk.webhook_events (subject_id)
    WHERE event_type OPERATOR(pg_catalog.~~) 'organizationInvitation.%' AND erased_at IS NULL;
-- Both for pruning. Rows come in the order of their times: the first stays tiny, the second is appended to, and holds only what
-- is still to be pruned.
CREATE INDEX webhook_events_received ON clerk.webhook_events USING brin (received_at);
CREATE INDEX webhook_events_payload ON clerk.webhook_events (received_at)
    WHERE payload IS NOT NULL AND state OPERATOR(pg_catalog.<>) ALL (ARRAY['failed', 'quarantined']);
COMMENT ON TABLE clerk.webhook_events IS 'The ledger: every webhook delivery and every event given to clerk.apply_event(), once per svix id, and what became of it.';
COMMENT ON COLUMN clerk.webhook_events.svix_id IS 'Id of the delivery, the same for every attempt of Clerk''s to deliver it; for apply_event() without one, sha256: and a hash of the event.';
COMMENT ON COLUMN clerk.webhook_events.event_type IS 'Type, as user.created; empty if the event has none.';
COMMENT ON COLUMN clerk.webhook_events.subject_id IS 'Id of what the event is about.';
COMMENT ON COLUMN clerk.webhook_events.user_id IS 'The person whose data the payload may hold; erasing that person reaches it.';
COMMENT ON COLUMN clerk.webhook_events.instance_id IS 'Clerk instance that the event names.';
COMMENT ON COLUMN clerk.webhook_events.event_at IS 'When it happened, by Clerk.';
COMMENT ON COLUMN clerk.webhook_events.received_at IS 'When it was stored here.';
COMMENT ON COLUMN clerk.webhook_events.state IS 'applied; stale: something newer was known; ignored: see reason; failed: will be tried again; quarantined: given up, see last_error, and clerk.replay_event().';
COMMENT ON COLUMN clerk.webhook_events.reason IS 'Why it was ignored; instance-removed: clerk.remove_instance() came before it could be applied.';
COMMENT ON COLUMN clerk.webhook_events.attempts IS 'How often applying it was tried.';
COMMENT ON COLUMN clerk.webhook_events.last_error IS 'Why the last attempt failed: SQLSTATE and message.';
COMMENT ON COLUMN clerk.webhook_events.next_attempt_at IS 'When a failed event is due again.';
COMMENT ON COLUMN clerk.webhook_events.payload IS 'The event without secrets, codes and excluded fields. NULL once it is older than configure_mirror(payload_retention).';
COMMENT ON COLUMN clerk.webhook_events.erased_at IS 'When a deleted person''s data was taken out of the payload.';
COMMENT ON COLUMN clerk.webhook_events.address_hash IS 'Hash of an e-mail address in the payload that may be anybody''s, as an invitation''s; erasing whose it is reaches it.';
COMMENT ON COLUMN clerk.webhook_events.subject_created_at IS 'When what holds that address was made, by Clerk.';

CREATE TABLE clerk.webhook_rejections (
    reason text NOT NULL,
    minute timestamptz NOT NULL,
    PRIMARY KEY (reason, minute)
);
COMMENT ON TABLE clerk.webhook_rejections IS 'Deliveries that were refused: at most one row per reason and minute, because anybody can send them.';
COMMENT ON COLUMN clerk.webhook_rejections.reason IS 'Reason code.';
COMMENT ON COLUMN clerk.webhook_rejections.minute IS 'The minute in which it happened at least once.';

-- Literal secrets are kept out of dumps by the filter below; references into a vault are dumped.
CREATE TABLE clerk.secrets (
    kind text NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['webhook_signing', 'secret_key'])),
    fingerprint text NOT NULL,
    issuer text NOT NULL REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    secret text,
    vault_name text,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (kind, fingerprint),
    CHECK (pg_catalog.num_nonnulls(secret, vault_name) OPERATOR(pg_catalog.=) 1)
);
-- An instance has one secret key and any number of signing secrets.
CREATE UNIQUE INDEX secrets_one_secret_key ON clerk.secrets (issuer) WHERE kind OPERATOR(pg_catalog.=) 'secret_key';
COMMENT ON INDEX clerk.secrets_one_secret_key IS 'An instance has one secret key.';
COMMENT ON TABLE clerk.secrets IS 'Webhook signing secrets, and the secret keys of the Backend API. Nobody but the owner can read it, and dumps hold only references into a vault. Changed and listed by functions: clerk.add_webhook_signing_secret(), drop_webhook_signing_secret() and webhook_signing_secrets(); set_secret_key(), drop_secret_key() and secret_keys().';
COMMENT ON COLUMN clerk.secrets.kind IS 'What the secret is for: webhook_signing verifies deliveries, secret_key opens the Backend API.';
COMMENT ON COLUMN clerk.secrets.fingerprint IS 'Beginning of the SHA-256 of the key, or vault:NAME.';
COMMENT ON COLUMN clerk.secrets.issuer IS 'The instance it belongs to.';
COMMENT ON COLUMN clerk.secrets.secret IS 'The secret itself, if it is kept here.';
COMMENT ON COLUMN clerk.secrets.vault_name IS 'Its name in Supabase Vault, if it is kept there.';
COMMENT ON COLUMN clerk.secrets.created_at IS 'When it was added.';
SELECT pg_catalog.pg_extension_config_dump('clerk.secrets', 'WHERE vault_name IS NOT NULL');

-- Written at deliveries, so it must not empty the caches: a table of its own, without the trigger.
CREATE TABLE clerk.secret_uses (
    kind text NOT NULL,
    fingerprint text NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (kind, fingerprint)
);
COMMENT ON TABLE clerk.secret_uses IS 'When a secret was last used, to the minute.';
COMMENT ON COLUMN clerk.secret_uses.kind IS 'As in clerk.secrets.';
COMMENT ON COLUMN clerk.secret_uses.fingerprint IS 'As in clerk.secrets.';
COMMENT ON COLUMN clerk.secret_uses.last_used_at IS 'When it last verified a delivery, or opened the Backend API.';

-- Handlers are kept by name, so that a dump can be restored and pg_upgrade finds them again.
CREATE TABLE clerk.event_handlers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pattern text NOT NULL,
    handler text NOT NULL,
    registered_by text NOT NULL,
    include_repairs boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (pattern, handler, registered_by)
);
COMMENT ON TABLE clerk.event_handlers IS 'SQL functions that are called with events. Changed by clerk.on_event() and clerk.drop_event_handler().';
COMMENT ON COLUMN clerk.event_handlers.id IS 'Number of the handler.';
COMMENT ON COLUMN clerk.event_handlers.pattern IS 'Type of event, as user.created, user.* or *.';
COMMENT ON COLUMN clerk.event_handlers.handler IS 'Name of the function with its schema; it takes the event as jsonb.';
COMMENT ON COLUMN clerk.event_handlers.registered_by IS 'Role that registered it; the handler runs as that role.';
COMMENT ON COLUMN clerk.event_handlers.include_repairs IS 'Whether it is also called for changes that no webhook told of.';
COMMENT ON COLUMN clerk.event_handlers.created_at IS 'When it was registered.';
SELECT pg_catalog.pg_extension_config_dump('clerk.event_handlers', '');
COMMENT ON SEQUENCE clerk.event_handlers_id_seq IS 'Numbers of handlers.';
SELECT pg_catalog.pg_extension_config_dump('clerk.event_handlers_id_seq', '');

CREATE TABLE clerk.handler_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler_id bigint NOT NULL,
    svix_id text,
    event jsonb,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    quarantined_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    CHECK (pg_catalog.num_nonnulls(svix_id, event) OPERATOR(pg_catalog.=) 1)
);
CREATE INDEX handler_runs_event ON clerk.handler_runs (svix_id);
CREATE INDEX handler_runs_due ON clerk.handler_runs (next_attempt_at, id) WHERE quarantined_at IS NULL;
COMMENT ON TABLE clerk.handler_runs IS 'Calls of handlers that are still to be made. A call that succeeded leaves no row.';
COMMENT ON COLUMN clerk.handler_runs.id IS 'Number of the call; calls are made in this order when they are due.';
COMMENT ON COLUMN clerk.handler_runs.handler_id IS 'The handler.';
COMMENT ON COLUMN clerk.handler_runs.svix_id IS 'The event, in the ledger.';
COMMENT ON COLUMN clerk.handler_runs.event IS 'The event, if it is a repair, which has no row in the ledger.';
COMMENT ON COLUMN clerk.handler_runs.attempts IS 'How often the call failed.';
COMMENT ON COLUMN clerk.handler_runs.next_attempt_at IS 'When the call is due.';
COMMENT ON COLUMN clerk.handler_runs.quarantined_at IS 'When the call was given up; clerk.replay_event() revives it.';
COMMENT ON COLUMN clerk.handler_runs.last_error IS 'Why the last attempt failed: SQLSTATE and message.';
COMMENT ON COLUMN clerk.handler_runs.created_at IS 'When the event came.';
SELECT pg_catalog.pg_extension_config_dump('clerk.handler_runs', '');
COMMENT ON SEQUENCE clerk.handler_runs_id_seq IS 'Numbers of calls.';
SELECT pg_catalog.pg_extension_config_dump('clerk.handler_runs_id_seq', '');

SELECT pg_catalog.pg_extension_config_dump('clerk.webhook_events', '');

CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON clerk.secrets
    FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed();
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON clerk.event_handlers
    FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed();
ALTER TABLE clerk.secrets ENABLE ALWAYS TRIGGER trust_changed;
ALTER TABLE clerk.event_handlers ENABLE ALWAYS TRIGGER trust_changed;

-- Most rows are long enough to be compressed, and pglz takes longer than all their indexes together. A server may be built
-- without lz4.
DO LANGUAGE plpgsql $compression$
DECLARE
    one_column record;
BEGIN
    FOR one_column IN
        SELECT a.attrelid::pg_catalog.regclass AS home, a.attname AS name FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace AND c.relkind OPERATOR(pg_catalog.=) 'r'
          AND a.attname OPERATOR(pg_catalog.=) ANY (ARRAY['data', 'payload', 'public_metadata', 'private_metadata'])
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', one_column.home, one_column.name);
    END LOOP;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$compression$;
