-- The mirror: what Clerk has, as rows.
--
-- Rows are never removed, so application tables may refer to them. No constraint can reject a true event: nothing but the id is
-- unique, nothing refers to anything, and indexes on free text are hash indexes, which take any length. Every table is written by
-- src/mirror/write.rs, which joins what it is told with what is there, member by member, so order does not matter.

CREATE TABLE clerk.users (
    id text PRIMARY KEY,
    instance_id text,
    primary_email_address_id text,
    primary_email_address text,
    primary_email_verified boolean,
    primary_phone_number_id text,
    primary_phone_number text,
    primary_phone_verified boolean,
    email_addresses text[],
    username text,
    first_name text,
    last_name text,
    image_url text,
    external_id text,
    banned boolean,
    locked boolean,
    public_metadata jsonb,
    last_sign_in_at timestamptz,
    last_active_at timestamptz,
    scim jsonb,
    private_metadata jsonb,
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
CREATE INDEX users_primary_email_address ON clerk.users USING hash (pg_catalog.lower(primary_email_address));
CREATE INDEX users_email_addresses ON clerk.users USING gin (email_addresses);
CREATE INDEX users_username ON clerk.users USING hash (username);
CREATE INDEX users_external_id ON clerk.users USING hash (external_id);
CREATE INDEX users_deleted ON clerk.users (id) WHERE deleted;
COMMENT ON TABLE clerk.users IS 'Clerk''s users. A row of which nothing but the id is known is a placeholder: something referred to it first.';
COMMENT ON COLUMN clerk.users.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.users.primary_email_address_id IS 'Id of the primary e-mail address; NULL for users without one.';
COMMENT ON COLUMN clerk.users.primary_email_address IS 'The primary e-mail address: the one whose id Clerk names, not the first of the list.';
COMMENT ON COLUMN clerk.users.primary_email_verified IS 'Whether that address is verified.';
COMMENT ON COLUMN clerk.users.primary_phone_number_id IS 'Id of the primary phone number.';
COMMENT ON COLUMN clerk.users.primary_phone_number IS 'The primary phone number.';
COMMENT ON COLUMN clerk.users.primary_phone_verified IS 'Whether that number is verified.';
COMMENT ON COLUMN clerk.users.email_addresses IS 'Every e-mail address, verified or not: WHERE email_addresses @> ARRAY[''a@example.com''].';
COMMENT ON COLUMN clerk.users.username IS 'Not unique here: usernames move from user to user, and events overtake each other.';
COMMENT ON COLUMN clerk.users.first_name IS 'First name.';
COMMENT ON COLUMN clerk.users.last_name IS 'Last name.';
COMMENT ON COLUMN clerk.users.image_url IS 'Profile image.';
COMMENT ON COLUMN clerk.users.external_id IS 'The application''s own id of the user, as set at Clerk.';
COMMENT ON COLUMN clerk.users.banned IS 'Whether the user is banned.';
COMMENT ON COLUMN clerk.users.locked IS 'Whether the user is locked out for now.';
COMMENT ON COLUMN clerk.users.public_metadata IS 'Metadata that the browser may read and only the backend may write.';
COMMENT ON COLUMN clerk.users.last_sign_in_at IS 'Last sign-in.';
COMMENT ON COLUMN clerk.users.last_active_at IS 'Last activity; Clerk gives the day.';
COMMENT ON COLUMN clerk.users.scim IS 'Directory data; comes only with user.created and user.updated.';
COMMENT ON COLUMN clerk.users.private_metadata IS 'Only with clerk.configure(keep_private_metadata => true); else NULL.';
COMMENT ON COLUMN clerk.users.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.users.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.users.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.users.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.users.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.users.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.users.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.users.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.users.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.users.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.users.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.users', '');

CREATE TABLE clerk.organizations (
    id text PRIMARY KEY,
    instance_id text,
    name text,
    slug text,
    image_url text,
    members_count bigint,
    max_allowed_memberships bigint,
    public_metadata jsonb,
    created_by text,
    private_metadata jsonb,
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
CREATE INDEX organizations_slug ON clerk.organizations USING hash (slug);
COMMENT ON TABLE clerk.organizations IS 'Clerk''s organizations.';
COMMENT ON COLUMN clerk.organizations.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.organizations.name IS 'Name.';
COMMENT ON COLUMN clerk.organizations.slug IS 'Slug; NULL where slugs are off. Not unique here.';
COMMENT ON COLUMN clerk.organizations.image_url IS 'Logo.';
COMMENT ON COLUMN clerk.organizations.members_count IS 'Number of members, if Clerk said it.';
COMMENT ON COLUMN clerk.organizations.max_allowed_memberships IS 'Most members it may have; 0 means no limit.';
COMMENT ON COLUMN clerk.organizations.public_metadata IS 'Metadata that members may read.';
COMMENT ON COLUMN clerk.organizations.created_by IS 'User who made it.';
COMMENT ON COLUMN clerk.organizations.private_metadata IS 'Only with clerk.configure(keep_private_metadata => true); else NULL.';
COMMENT ON COLUMN clerk.organizations.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.organizations.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.organizations.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.organizations.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.organizations.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.organizations.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.organizations.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.organizations.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.organizations.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.organizations.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.organizations.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.organizations', '');

CREATE TABLE clerk.organization_memberships (
    id text PRIMARY KEY,
    instance_id text,
    organization_id text,
    user_id text,
    role text,
    role_name text,
    permissions text[],
    public_metadata jsonb,
    private_metadata jsonb,
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
CREATE INDEX organization_memberships_user ON clerk.organization_memberships (user_id, organization_id);
CREATE INDEX organization_memberships_organization ON clerk.organization_memberships (organization_id);
COMMENT ON TABLE clerk.organization_memberships IS 'Who is a member of which organization. Somebody who leaves and joins again has a new row.';
COMMENT ON COLUMN clerk.organization_memberships.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.organization_memberships.organization_id IS 'The organization.';
COMMENT ON COLUMN clerk.organization_memberships.user_id IS 'The user.';
COMMENT ON COLUMN clerk.organization_memberships.role IS 'Role, as org:admin.';
COMMENT ON COLUMN clerk.organization_memberships.role_name IS 'The role''s name for people.';
COMMENT ON COLUMN clerk.organization_memberships.permissions IS 'Permissions that the role gives, system permissions included.';
COMMENT ON COLUMN clerk.organization_memberships.public_metadata IS 'Metadata that the browser may read.';
COMMENT ON COLUMN clerk.organization_memberships.private_metadata IS 'Only with clerk.configure(keep_private_metadata => true); else NULL.';
COMMENT ON COLUMN clerk.organization_memberships.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.organization_memberships.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.organization_memberships.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.organization_memberships.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.organization_memberships.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.organization_memberships.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.organization_memberships.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.organization_memberships.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.organization_memberships.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.organization_memberships.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.organization_memberships.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.organization_memberships', '');

CREATE TABLE clerk.organization_invitations (
    id text PRIMARY KEY,
    instance_id text,
    organization_id text,
    email_address text,
    role text,
    role_name text,
    status text,
    inviter_id text,
    user_id text,
    expires_at timestamptz,
    public_metadata jsonb,
    private_metadata jsonb,
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
CREATE INDEX organization_invitations_organization ON clerk.organization_invitations (organization_id);
CREATE INDEX organization_invitations_email_address ON clerk.organization_invitations USING hash (pg_catalog.lower(email_address));
CREATE INDEX organization_invitations_user ON clerk.organization_invitations (user_id) WHERE user_id IS NOT NULL;
COMMENT ON TABLE clerk.organization_invitations IS 'Invitations into organizations. The link that accepts one is never stored.';
COMMENT ON COLUMN clerk.organization_invitations.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.organization_invitations.organization_id IS 'The organization.';
COMMENT ON COLUMN clerk.organization_invitations.email_address IS 'Who is invited.';
COMMENT ON COLUMN clerk.organization_invitations.role IS 'Role they get.';
COMMENT ON COLUMN clerk.organization_invitations.role_name IS 'The role''s name for people.';
COMMENT ON COLUMN clerk.organization_invitations.status IS 'pending, accepted, revoked or expired.';
COMMENT ON COLUMN clerk.organization_invitations.inviter_id IS 'User who invited.';
COMMENT ON COLUMN clerk.organization_invitations.user_id IS 'User who accepted.';
COMMENT ON COLUMN clerk.organization_invitations.expires_at IS 'When it expires.';
COMMENT ON COLUMN clerk.organization_invitations.public_metadata IS 'Metadata that the membership will get.';
COMMENT ON COLUMN clerk.organization_invitations.private_metadata IS 'Only with clerk.configure(keep_private_metadata => true); else NULL.';
COMMENT ON COLUMN clerk.organization_invitations.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.organization_invitations.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.organization_invitations.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.organization_invitations.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.organization_invitations.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.organization_invitations.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.organization_invitations.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.organization_invitations.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.organization_invitations.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.organization_invitations.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.organization_invitations.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.organization_invitations', '');

CREATE TABLE clerk.organization_domains (
    id text PRIMARY KEY,
    instance_id text,
    organization_id text,
    name text,
    enrollment_mode text,
    affiliation_email_address text,
    affiliation_verified boolean,
    ownership_verified boolean,
    total_pending_invitations bigint,
    total_pending_suggestions bigint,
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
CREATE INDEX organization_domains_organization ON clerk.organization_domains (organization_id);
CREATE INDEX organization_domains_name ON clerk.organization_domains USING hash (name);
COMMENT ON TABLE clerk.organization_domains IS 'E-mail domains of organizations.';
COMMENT ON COLUMN clerk.organization_domains.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.organization_domains.organization_id IS 'The organization.';
COMMENT ON COLUMN clerk.organization_domains.name IS 'The domain.';
COMMENT ON COLUMN clerk.organization_domains.enrollment_mode IS 'How people with such an address come in: manual_invitation, automatic_invitation, automatic_suggestion or enterprise_sso.';
COMMENT ON COLUMN clerk.organization_domains.affiliation_email_address IS 'Address by which the domain was verified.';
COMMENT ON COLUMN clerk.organization_domains.affiliation_verified IS 'Whether it is verified by that address.';
COMMENT ON COLUMN clerk.organization_domains.ownership_verified IS 'Whether the domain''s ownership is verified.';
COMMENT ON COLUMN clerk.organization_domains.total_pending_invitations IS 'Invitations that wait.';
COMMENT ON COLUMN clerk.organization_domains.total_pending_suggestions IS 'Suggestions that wait.';
COMMENT ON COLUMN clerk.organization_domains.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.organization_domains.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.organization_domains.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.organization_domains.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.organization_domains.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.organization_domains.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.organization_domains.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.organization_domains.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.organization_domains.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.organization_domains.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.organization_domains.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.organization_domains', '');

CREATE TABLE clerk.invitations (
    id text PRIMARY KEY,
    instance_id text,
    email_address text,
    status text,
    expires_at timestamptz,
    public_metadata jsonb,
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
CREATE INDEX invitations_email_address ON clerk.invitations USING hash (pg_catalog.lower(email_address));
COMMENT ON TABLE clerk.invitations IS 'Invitations into the application. The link that accepts one is never stored.';
COMMENT ON COLUMN clerk.invitations.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.invitations.email_address IS 'Who is invited.';
COMMENT ON COLUMN clerk.invitations.status IS 'pending, accepted, revoked or expired.';
COMMENT ON COLUMN clerk.invitations.expires_at IS 'When it expires.';
COMMENT ON COLUMN clerk.invitations.public_metadata IS 'Metadata that the user will get.';
COMMENT ON COLUMN clerk.invitations.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.invitations.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.invitations.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.invitations.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.invitations.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.invitations.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.invitations.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.invitations.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.invitations.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.invitations.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.invitations.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.invitations', '');

CREATE TABLE clerk.roles (
    id text PRIMARY KEY,
    instance_id text,
    key text,
    name text,
    description text,
    is_creator_eligible boolean,
    permissions text[],
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
COMMENT ON TABLE clerk.roles IS 'Roles that members of organizations can have.';
COMMENT ON COLUMN clerk.roles.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.roles.key IS 'Key, as org:admin.';
COMMENT ON COLUMN clerk.roles.name IS 'Name for people.';
COMMENT ON COLUMN clerk.roles.description IS 'Description.';
COMMENT ON COLUMN clerk.roles.is_creator_eligible IS 'Whether who makes an organization can get it.';
COMMENT ON COLUMN clerk.roles.permissions IS 'Keys of the permissions it gives.';
COMMENT ON COLUMN clerk.roles.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.roles.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.roles.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.roles.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.roles.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.roles.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.roles.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.roles.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.roles.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.roles.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.roles.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.roles', '');

CREATE TABLE clerk.permissions (
    id text PRIMARY KEY,
    instance_id text,
    key text,
    name text,
    description text,
    type text,
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
COMMENT ON TABLE clerk.permissions IS 'Permissions that roles give.';
COMMENT ON COLUMN clerk.permissions.id IS 'Clerk''s id.';
COMMENT ON COLUMN clerk.permissions.key IS 'Key, as org:invoices:read.';
COMMENT ON COLUMN clerk.permissions.name IS 'Name for people.';
COMMENT ON COLUMN clerk.permissions.description IS 'Description.';
COMMENT ON COLUMN clerk.permissions.type IS 'system or user.';
COMMENT ON COLUMN clerk.permissions.data IS 'What Clerk shows of it: each member as it was last told. Without secrets, excluded fields and other resources'' data; private metadata only in tables, and only if they are kept.';
COMMENT ON COLUMN clerk.permissions.older IS 'Members of data that are older than the row, because its last version did not carry them: {"<updated_at>/<observed_at>": ["member", …]}, times in microseconds since 1970. NULL: there are none.';
COMMENT ON COLUMN clerk.permissions.created_at IS 'When it was made, by Clerk.';
COMMENT ON COLUMN clerk.permissions.updated_at IS 'Version: greatest updated_at of Clerk''s. -infinity: nothing is known but the id.';
COMMENT ON COLUMN clerk.permissions.observed_at IS 'Version: time of the event or answer that showed it so; decides between equal updated_at.';
COMMENT ON COLUMN clerk.permissions.last_seen_at IS 'Last time that Clerk showed it alive, also by something older than this row.';
COMMENT ON COLUMN clerk.permissions.deleted_at IS 'When Clerk said it was deleted.';
COMMENT ON COLUMN clerk.permissions.missing_at IS 'When a full listing did not show it any more.';
COMMENT ON COLUMN clerk.permissions.synced_at IS 'When the row last changed here. The only column that depends on when and in which order news came.';
COMMENT ON COLUMN clerk.permissions.deleted IS 'Whether it is gone: deleted after its version, or missing since it was last seen.';
COMMENT ON COLUMN clerk.permissions.instance_id IS 'Clerk instance (ins_…).';
SELECT pg_catalog.pg_extension_config_dump('clerk.permissions', '');
