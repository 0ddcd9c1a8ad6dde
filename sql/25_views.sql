-- How the mirror is read.
--
-- existing_…: what Clerk has now, for the owner and service_role, without private metadata and directory data (scim). What follows
-- from the deletion of an organization or a person is derived here and not written anywhere, so it is undone when that turns out to be
-- wrong.

CREATE VIEW clerk.existing_users AS
SELECT
    u.id, u.instance_id,
    u.primary_email_address_id, u.primary_email_address, u.primary_email_verified,
    u.primary_phone_number_id, u.primary_phone_number, u.primary_phone_verified, u.email_addresses,
    u.username, u.first_name, u.last_name, u.image_url, u.external_id, u.banned, u.locked, u.public_metadata,
    u.last_sign_in_at, u.last_active_at, u.data OPERATOR(pg_catalog.-) '{private_metadata,scim}'::pg_catalog.text[] AS data,
    u.created_at, u.updated_at
FROM clerk.users AS u
WHERE NOT u.deleted;
COMMENT ON VIEW clerk.existing_users IS
    'Users that Clerk has now. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_organizations AS
SELECT
    o.id, o.instance_id, o.name, o.slug, o.image_url, o.members_count, o.max_allowed_memberships, o.public_metadata, o.created_by,
    o.data OPERATOR(pg_catalog.-) 'private_metadata'::pg_catalog.text AS data, o.created_at, o.updated_at
FROM clerk.organizations AS o
WHERE NOT o.deleted;
COMMENT ON VIEW clerk.existing_organizations IS
    'Organizations that Clerk has now. For the owner and roles given clerk.grant_service().';

-- Of several memberships of one person in one organization the latest is shown. A placeholder, made by clerk.ensure_current_user() and
-- as good as an old token, gives way to any news of that person there, also to their having left.
CREATE VIEW clerk.existing_organization_memberships AS
SELECT
    m.id, m.instance_id, m.organization_id, m.user_id, m.role, m.role_name, m.permissions, m.public_metadata,
    m.data OPERATOR(pg_catalog.-) 'private_metadata'::pg_catalog.text AS data, m.created_at, m.updated_at
FROM clerk.organization_memberships AS m
WHERE NOT m.deleted
  AND NOT EXISTS (SELECT FROM clerk.users AS u WHERE u.deleted AND u.id OPERATOR(pg_catalog.=) m.user_id)
  AND NOT EXISTS (SELECT FROM clerk.organizations AS o WHERE o.deleted AND o.id OPERATOR(pg_catalog.=) m.organization_id)
  AND NOT EXISTS (
      SELECT FROM clerk.organization_memberships AS other
      WHERE other.user_id OPERATOR(pg_catalog.=) m.user_id
        AND other.organization_id OPERATOR(pg_catalog.=) m.organization_id
        AND CASE
            WHEN other.deleted THEN m.updated_at OPERATOR(pg_catalog.=) '-infinity'
            ELSE ROW(
                other.updated_at OPERATOR(pg_catalog.>) '-infinity', COALESCE(other.created_at, '-infinity'), other.id COLLATE "C"
            ) OPERATOR(pg_catalog.>) ROW(
                m.updated_at OPERATOR(pg_catalog.>) '-infinity', COALESCE(m.created_at, '-infinity'), m.id COLLATE "C"
            )
        END
  );
COMMENT ON VIEW clerk.existing_organization_memberships IS
    'Who is a member of which organization now, once for each person and organization. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_organization_invitations AS
SELECT
    i.id, i.instance_id, i.organization_id, i.email_address, i.role, i.role_name, i.status, i.inviter_id, i.user_id, i.expires_at,
    i.public_metadata, i.data OPERATOR(pg_catalog.-) 'private_metadata'::pg_catalog.text AS data, i.created_at, i.updated_at
FROM clerk.organization_invitations AS i
WHERE NOT i.deleted
  AND NOT EXISTS (SELECT FROM clerk.organizations AS o WHERE o.deleted AND o.id OPERATOR(pg_catalog.=) i.organization_id);
COMMENT ON VIEW clerk.existing_organization_invitations IS
    'Invitations into organizations that Clerk has now, whatever their status. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_organization_domains AS
SELECT
    d.id, d.instance_id, d.organization_id, d.name, d.enrollment_mode, d.affiliation_email_address, d.affiliation_verified,
    d.ownership_verified, d.total_pending_invitations, d.total_pending_suggestions, d.data, d.created_at, d.updated_at
FROM clerk.organization_domains AS d
WHERE NOT d.deleted
  AND NOT EXISTS (SELECT FROM clerk.organizations AS o WHERE o.deleted AND o.id OPERATOR(pg_catalog.=) d.organization_id);
COMMENT ON VIEW clerk.existing_organization_domains IS
    'E-mail domains of organizations that Clerk has now. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_invitations AS
SELECT i.id, i.instance_id, i.email_address, i.status, i.expires_at, i.public_metadata, i.data, i.created_at, i.updated_at
FROM clerk.invitations AS i
WHERE NOT i.deleted;
COMMENT ON VIEW clerk.existing_invitations IS
    'Invitations into the application that Clerk has now, whatever their status. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_roles AS
SELECT r.id, r.instance_id, r.key, r.name, r.description, r.is_creator_eligible, r.permissions, r.data, r.created_at, r.updated_at
FROM clerk.roles AS r
WHERE NOT r.deleted;
COMMENT ON VIEW clerk.existing_roles IS
    'Roles that Clerk has now. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_permissions AS
SELECT p.id, p.instance_id, p.key, p.name, p.description, p.type, p.data, p.created_at, p.updated_at
FROM clerk.permissions AS p
WHERE NOT p.deleted;
COMMENT ON VIEW clerk.existing_permissions IS
    'Permissions that Clerk has now. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_sessions AS
SELECT
    s.id, s.instance_id, s.user_id, s.client_id, s.status, s.last_active_organization_id, s.last_active_at, s.expire_at, s.abandon_at,
    s.actor, s.data, s.created_at, s.updated_at
FROM clerk.sessions AS s
WHERE NOT s.deleted
  AND NOT EXISTS (SELECT FROM clerk.users AS u WHERE u.deleted AND u.id OPERATOR(pg_catalog.=) s.user_id);
COMMENT ON VIEW clerk.existing_sessions IS
    'Sessions of existing users, whatever their status. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_waitlist_entries AS
SELECT w.id, w.instance_id, w.email_address, w.status, w.is_locked, w.invitation_id, w.data, w.created_at, w.updated_at
FROM clerk.waitlist_entries AS w
WHERE NOT w.deleted;
COMMENT ON VIEW clerk.existing_waitlist_entries IS
    'Entries of the waitlist that Clerk has now, whatever their status. For the owner and roles given clerk.grant_service().';

-- Billing stays a fact when the payer is gone; its end is told by its status.
CREATE VIEW clerk.existing_subscriptions AS
SELECT
    s.id, s.instance_id, s.status, s.payer_id, s.payer_user_id, s.payer_organization_id, s.latest_payment_id,
    s.active_at, s.past_due_at, s.canceled_at, s.ended_at, s.data, s.created_at, s.updated_at
FROM clerk.subscriptions AS s
WHERE NOT s.deleted;
COMMENT ON VIEW clerk.existing_subscriptions IS
    'Subscriptions, whatever their status, also of payers who are gone. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_subscription_items AS
SELECT
    i.id, i.instance_id, i.subscription_id, i.status, i.plan_id, i.plan_slug, i.interval, i.is_free_trial, i.period_start, i.period_end,
    i.payer_id, i.payer_user_id, i.payer_organization_id, i.data, i.created_at, i.updated_at
FROM clerk.subscription_items AS i
WHERE NOT i.deleted
  AND NOT EXISTS (SELECT FROM clerk.subscriptions AS s WHERE s.deleted AND s.id OPERATOR(pg_catalog.=) i.subscription_id);
COMMENT ON VIEW clerk.existing_subscription_items IS
    'Items of subscriptions, whatever their status, also of payers who are gone. For the owner and roles given clerk.grant_service().';

CREATE VIEW clerk.existing_payment_attempts AS
SELECT
    p.id, p.instance_id, p.status, p.payment_id, p.invoice_id, p.statement_id, p.charge_type, p.amount, p.currency,
    p.payer_id, p.payer_user_id, p.payer_organization_id, p.billing_date, p.paid_at, p.failed_at, p.data, p.created_at, p.updated_at
FROM clerk.payment_attempts AS p
WHERE NOT p.deleted;
COMMENT ON VIEW clerk.existing_payment_attempts IS
    'Attempts to pay, also of payers who are gone. For the owner and roles given clerk.grant_service().';

-- What a signed-in person sees. These views read the tables with their owner's rights and show what concerns the caller, so the tables
-- need no grants and no policies that would have to ask each other. Without an identity every one of them is empty.

CREATE VIEW clerk.me WITH (security_barrier = true) AS
SELECT
    u.id, u.primary_email_address_id, u.primary_email_address, u.primary_email_verified,
    u.primary_phone_number_id, u.primary_phone_number, u.primary_phone_verified, u.email_addresses,
    u.username, u.first_name, u.last_name, u.image_url, u.external_id, u.banned, u.locked, u.public_metadata,
    u.last_sign_in_at, u.last_active_at, u.created_at,
    CASE WHEN u.updated_at OPERATOR(pg_catalog.>) '-infinity' THEN u.updated_at END AS updated_at
FROM clerk.users AS u
WHERE NOT u.deleted AND u.id OPERATOR(pg_catalog.=) clerk.current_user_id();
COMMENT ON VIEW clerk.me IS
    'The caller''s own row of clerk.users, without what Clerk keeps from the browser. No row when nobody is signed in or Clerk''s user has not arrived yet. For the owner and roles given clerk.grant_reader() or clerk.grant_service().';

CREATE VIEW clerk.my_memberships WITH (security_barrier = true) AS
SELECT
    m.id, m.organization_id, m.user_id, m.role, m.role_name, m.permissions, m.public_metadata,
    m.created_at, CASE WHEN m.updated_at OPERATOR(pg_catalog.>) '-infinity' THEN m.updated_at END AS updated_at
FROM clerk.existing_organization_memberships AS m
WHERE m.user_id OPERATOR(pg_catalog.=) clerk.current_user_id();
COMMENT ON VIEW clerk.my_memberships IS
    'The caller''s memberships. For the owner and roles given clerk.grant_reader() or clerk.grant_service().';

CREATE VIEW clerk.my_organizations WITH (security_barrier = true) AS
SELECT
    o.id, o.name, o.slug, o.image_url, o.members_count, o.max_allowed_memberships, o.public_metadata,
    m.id AS membership_id, m.role, m.role_name, m.permissions, o.created_at,
    CASE WHEN o.updated_at OPERATOR(pg_catalog.>) '-infinity' THEN o.updated_at END AS updated_at
FROM clerk.my_memberships AS m
JOIN clerk.organizations AS o ON o.id OPERATOR(pg_catalog.=) m.organization_id;
COMMENT ON VIEW clerk.my_organizations IS
    'The organizations that the caller is a member of, with the caller''s role there. For the owner and roles given clerk.grant_reader() or clerk.grant_service().';

-- The id is that of the person and not of the row, so that a filter on it reaches the memberships.
CREATE VIEW clerk.profiles WITH (security_barrier = true) AS
SELECT person.id, u.first_name, u.last_name, u.username, u.image_url
FROM (
    SELECT clerk.current_user_id()
    UNION
    SELECT colleague.user_id
    FROM clerk.my_memberships AS mine
    JOIN clerk.existing_organization_memberships AS colleague
        ON colleague.organization_id OPERATOR(pg_catalog.=) mine.organization_id
) AS person (id)
JOIN clerk.users AS u ON u.id OPERATOR(pg_catalog.=) person.id
WHERE NOT u.deleted;
COMMENT ON VIEW clerk.profiles IS
    'Name and image of the caller and of everybody who is in one of the caller''s organizations; never an address. For the owner and roles given clerk.grant_reader() or clerk.grant_service().';

-- A column of a view means what it means in the table it comes from.
DO LANGUAGE plpgsql $comments$
DECLARE
    one_column record;
BEGIN
    FOR one_column IN
        SELECT shown.attrelid::pg_catalog.regclass AS view, shown.attname, pg_catalog.col_description(known.attrelid, known.attnum) AS meaning
        FROM pg_catalog.pg_class AS v
        JOIN pg_catalog.pg_class AS t ON t.relname OPERATOR(pg_catalog.=) CASE
            WHEN v.relname OPERATOR(pg_catalog.=) ANY (ARRAY['me', 'profiles']) THEN 'users'
            WHEN v.relname OPERATOR(pg_catalog.=) 'my_memberships' THEN 'organization_memberships'
            WHEN v.relname OPERATOR(pg_catalog.=) 'my_organizations' THEN 'organizations'
            ELSE pg_catalog.replace(v.relname, 'existing_', '')
        END
        JOIN pg_catalog.pg_attribute AS shown ON shown.attrelid OPERATOR(pg_catalog.=) v.oid
        JOIN pg_catalog.pg_attribute AS known
            ON known.attrelid OPERATOR(pg_catalog.=) t.oid AND known.attname OPERATOR(pg_catalog.=) shown.attname
        WHERE v.relkind OPERATOR(pg_catalog.=) 'v'
          AND v.relnamespace OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace::pg_catalog.oid
          AND t.relnamespace OPERATOR(pg_catalog.=) v.relnamespace
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', one_column.view, one_column.attname, one_column.meaning);
    END LOOP;
END
$comments$;
COMMENT ON COLUMN clerk.me.updated_at IS 'When Clerk last changed it. NULL: nothing is known but the id.';
COMMENT ON COLUMN clerk.my_memberships.updated_at IS 'When Clerk last changed it. NULL: only the caller''s token tells of it so far.';
COMMENT ON COLUMN clerk.my_organizations.updated_at IS 'When Clerk last changed it. NULL: nothing is known but the id.';
COMMENT ON COLUMN clerk.my_organizations.membership_id IS 'Id of the caller''s membership.';
COMMENT ON COLUMN clerk.my_organizations.role IS 'The caller''s role, as org:admin.';
COMMENT ON COLUMN clerk.my_organizations.role_name IS 'The role''s name for people.';
COMMENT ON COLUMN clerk.my_organizations.permissions IS 'Permissions that the role gives, system permissions included.';
