-- What the database trusts. Backends cache these tables; a trigger on each row tells them of a change.

CREATE FUNCTION clerk.trust_changed() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'clerk_trust_changed';
COMMENT ON FUNCTION clerk.trust_changed() IS
    'Trigger function of clerk_sync''s own tables: announces to every backend that its cached copy is out of date. Not to be called.';

CREATE TABLE clerk.instances (
    issuer text PRIMARY KEY CHECK (issuer OPERATOR(pg_catalog.<>) ''),
    other_issuers text[] NOT NULL DEFAULT '{}' CHECK (pg_catalog.array_position(other_issuers, NULL) IS NULL),
    environment text NOT NULL CHECK (environment OPERATOR(pg_catalog.=) ANY (ARRAY['development', 'production'])),
    publishable_key text,
    jwks_url text,
    api_url text NOT NULL DEFAULT 'https://api.clerk.com/v1',
    authorized_parties text[] NOT NULL DEFAULT '{}' CHECK (pg_catalog.array_position(authorized_parties, NULL) IS NULL),
    allow_missing_azp boolean NOT NULL DEFAULT false,
    audiences text[] NOT NULL DEFAULT '{}' CHECK (pg_catalog.array_position(audiences, NULL) IS NULL),
    accept_template_tokens boolean NOT NULL DEFAULT false,
    treat_pending_as_signed_out boolean NOT NULL DEFAULT true,
    instance_id text,
    mirror text[] NOT NULL DEFAULT ARRAY[
        'users', 'organizations', 'organization_memberships', 'organization_invitations', 'organization_domains',
        'invitations', 'roles', 'permissions'
    ],
    exclude_fields text[] NOT NULL DEFAULT '{}',
    keep_private_metadata boolean NOT NULL DEFAULT false,
    keep_event_attributes boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE clerk.instances IS 'The Clerk instances whose tokens this database believes. Changed by clerk.configure() and clerk.remove_instance().';
COMMENT ON COLUMN clerk.instances.issuer IS 'Frontend API URL: the iss of the instance''s tokens, letter by letter.';
COMMENT ON COLUMN clerk.instances.other_issuers IS 'Further issuers of the same instance, as after a change of domain. They share the instance''s keys.';
COMMENT ON COLUMN clerk.instances.environment IS 'development (pk_test_…) or production (pk_live_…).';
COMMENT ON COLUMN clerk.instances.publishable_key IS 'As Clerk''s dashboard shows it; public.';
COMMENT ON COLUMN clerk.instances.jwks_url IS 'Where the public keys are fetched. NULL: never fetched, only imported.';
COMMENT ON COLUMN clerk.instances.api_url IS 'Where the Backend API is, and the secret key is sent.';
COMMENT ON COLUMN clerk.instances.authorized_parties IS 'Origins whose tokens (azp) are accepted. Empty: any.';
COMMENT ON COLUMN clerk.instances.allow_missing_azp IS 'Whether tokens without azp, as native apps get them, pass although authorized_parties is set.';
COMMENT ON COLUMN clerk.instances.audiences IS 'Values of aud that are accepted. A session token normally has none; with one that is not listed it is refused.';
COMMENT ON COLUMN clerk.instances.accept_template_tokens IS 'Whether JWT template tokens, which have no session, count as their user.';
COMMENT ON COLUMN clerk.instances.treat_pending_as_signed_out IS 'Whether a session with unfinished tasks (sts pending) counts as signed out, as in Clerk''s SDKs.';
COMMENT ON COLUMN clerk.instances.instance_id IS 'Clerk''s id of the instance (ins_…). Events that name another are ignored. NULL: any is accepted.';
COMMENT ON COLUMN clerk.instances.mirror IS 'Tables that are filled from this instance''s events.';
COMMENT ON COLUMN clerk.instances.exclude_fields IS 'Members of Clerk''s objects that are not stored anywhere: field, or table.field.';
COMMENT ON COLUMN clerk.instances.keep_private_metadata IS 'Whether private_metadata is stored.';
COMMENT ON COLUMN clerk.instances.keep_event_attributes IS 'Whether the ledger keeps the client''s address and browser that come with events.';
COMMENT ON COLUMN clerk.instances.created_at IS 'When the instance was first configured.';
COMMENT ON COLUMN clerk.instances.updated_at IS 'When clerk.configure() last wrote the row, also without a change.';

CREATE TABLE clerk.jwks (
    issuer text NOT NULL REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    kid text NOT NULL,
    alg text,
    n text NOT NULL,
    e text NOT NULL,
    origin text NOT NULL CHECK (origin OPERATOR(pg_catalog.=) ANY (ARRAY['fetched', 'imported'])),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (issuer, kid)
);
COMMENT ON TABLE clerk.jwks IS 'Public RSA signing keys of the instances. Filled by fetching, clerk.refresh_jwks() and clerk.import_jwks().';
COMMENT ON COLUMN clerk.jwks.issuer IS 'The instance that the key belongs to.';
COMMENT ON COLUMN clerk.jwks.kid IS 'Key id. Clerk uses the instance''s id, so a rotated key can come back under the same one.';
COMMENT ON COLUMN clerk.jwks.alg IS 'The only algorithm the key may be used with; NULL: RS256, RS384 or RS512.';
COMMENT ON COLUMN clerk.jwks.n IS 'Modulus, base64url (RFC 7518, 6.3.1).';
COMMENT ON COLUMN clerk.jwks.e IS 'Exponent, base64url.';
COMMENT ON COLUMN clerk.jwks.origin IS 'fetched from the instance''s JWKS URL, or imported by clerk.import_jwks().';
COMMENT ON COLUMN clerk.jwks.created_at IS 'When the key id first came.';
COMMENT ON COLUMN clerk.jwks.updated_at IS 'When the key last changed; not when it was last confirmed.';

CREATE TABLE clerk.settings (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    identity_source text NOT NULL DEFAULT 'auto'
        CHECK (identity_source OPERATOR(pg_catalog.=) ANY (ARRAY['auto', 'token', 'claims'])),
    only_clerk boolean NOT NULL DEFAULT false,
    exempt_roles text[] NOT NULL DEFAULT '{service_role}' CHECK (pg_catalog.array_position(exempt_roles, NULL) IS NULL),
    token_header text NOT NULL DEFAULT '',
    anonymous_role text NOT NULL DEFAULT 'anon',
    signed_in_role text NOT NULL DEFAULT 'authenticated',
    clock_skew_seconds integer NOT NULL DEFAULT 5
        CHECK (clock_skew_seconds OPERATOR(pg_catalog.>=) 0 AND clock_skew_seconds OPERATOR(pg_catalog.<=) 60),
    deleted_users text NOT NULL DEFAULT 'scrub'
        CHECK (deleted_users OPERATOR(pg_catalog.=) ANY (ARRAY['keep', 'scrub', 'remove'])),
    payload_retention interval NOT NULL DEFAULT '30 days' CHECK (payload_retention OPERATOR(pg_catalog.>=) '0'),
    event_retention interval NOT NULL DEFAULT '90 days' CHECK (event_retention OPERATOR(pg_catalog.>=) '7 days'),
    max_attempts integer NOT NULL DEFAULT 12 CHECK (max_attempts OPERATOR(pg_catalog.>=) 1),
    notify boolean NOT NULL DEFAULT false,
    reconcile_every interval NOT NULL DEFAULT '1 hour' CHECK (reconcile_every OPERATOR(pg_catalog.>=) '0'),
    full_reconcile_every interval NOT NULL DEFAULT '1 day' CHECK (full_reconcile_every OPERATOR(pg_catalog.>=) '0'),
    missing_threshold double precision NOT NULL DEFAULT 0.2
        CHECK (missing_threshold OPERATOR(pg_catalog.>=) 0 AND missing_threshold OPERATOR(pg_catalog.<=) 1)
);
COMMENT ON TABLE clerk.settings IS 'One row: settings of the whole database that roles must not change for themselves. Without it whatever depends on a setting is an error.';
COMMENT ON COLUMN clerk.settings.only_row IS 'Always true: keeps the table to one row.';
COMMENT ON COLUMN clerk.settings.identity_source IS 'Where the identity helpers look; see clerk.set_identity_source().';
COMMENT ON COLUMN clerk.settings.only_clerk IS 'Whether clerk.pre_request() refuses tokens of anybody but Clerk.';
COMMENT ON COLUMN clerk.settings.exempt_roles IS 'Roles that such tokens may have all the same.';
COMMENT ON COLUMN clerk.settings.token_header IS 'Header, in lower case, in which clerk.pre_request() takes a Clerk token. Empty: none.';
COMMENT ON COLUMN clerk.settings.anonymous_role IS 'The role that PostgREST gives to requests without a token.';
COMMENT ON COLUMN clerk.settings.signed_in_role IS 'The role of requests that such a header signs in.';
COMMENT ON COLUMN clerk.settings.clock_skew_seconds IS 'How far this server''s clock and Clerk''s may be apart where the times of tokens are judged; see clerk.configure().';
COMMENT ON COLUMN clerk.settings.deleted_users IS 'What stays of a person whom Clerk deleted: keep (everything), scrub (ids and times) or remove (also no payload in the ledger).';
COMMENT ON COLUMN clerk.settings.payload_retention IS 'How long the ledger keeps payloads.';
COMMENT ON COLUMN clerk.settings.event_retention IS 'How long the ledger keeps ids and states. A delivery that comes again later would count as new, and still change nothing.';
COMMENT ON COLUMN clerk.settings.max_attempts IS 'How often applying an event or calling a handler is tried before it is quarantined.';
COMMENT ON COLUMN clerk.settings.notify IS 'Whether NOTIFY clerk_sync tells type and id of each event.';
COMMENT ON COLUMN clerk.settings.reconcile_every IS 'How often clerk.maintain() reads what is new at Clerk; 0: never.';
COMMENT ON COLUMN clerk.settings.full_reconcile_every IS 'How often clerk.maintain() compares everything with Clerk; 0: never.';
COMMENT ON COLUMN clerk.settings.missing_threshold IS 'Greatest share of an instance''s rows in a table, from 0 to 1, that a full reconcile takes for gone by itself.';

-- Written at every attempt, so it must not empty the caches: no trigger.
CREATE TABLE clerk.jwks_fetches (
    issuer text PRIMARY KEY REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    attempted_at timestamptz,
    succeeded_at timestamptz,
    last_error text,
    last_error_at timestamptz
);
COMMENT ON TABLE clerk.jwks_fetches IS 'How fetching each instance''s keys went.';
COMMENT ON COLUMN clerk.jwks_fetches.issuer IS 'The instance.';
COMMENT ON COLUMN clerk.jwks_fetches.attempted_at IS 'When a token last caused a fetch; the cool-down counts from here.';
COMMENT ON COLUMN clerk.jwks_fetches.succeeded_at IS 'When keys last arrived, by whatever cause.';
COMMENT ON COLUMN clerk.jwks_fetches.last_error IS 'Why the last fetch failed; NULL if it succeeded.';
COMMENT ON COLUMN clerk.jwks_fetches.last_error_at IS 'When a fetch last failed; kept when later ones succeed.';

-- Whoever could take the row away must not get defaults for it. Restoring a dump inserts the row that was dumped in place of this one.
CREATE FUNCTION clerk.replace_settings() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    DELETE FROM clerk.settings AS s WHERE s.only_row;
    RETURN NEW;
END
$body$;
COMMENT ON FUNCTION clerk.replace_settings() IS
    'Trigger function of clerk.settings: a row that is inserted takes the place of the one that is there. Not to be called.';
INSERT INTO clerk.settings DEFAULT VALUES;
CREATE TRIGGER replace_settings BEFORE INSERT ON clerk.settings
    FOR EACH ROW EXECUTE FUNCTION clerk.replace_settings();
ALTER TABLE clerk.settings ENABLE ALWAYS TRIGGER replace_settings;

-- Row triggers, and always: a statement trigger or an ordinary one would stay silent in replica mode.
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON clerk.instances
    FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed();
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON clerk.jwks
    FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed();
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON clerk.settings
    FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed();
ALTER TABLE clerk.instances ENABLE ALWAYS TRIGGER trust_changed;
ALTER TABLE clerk.jwks ENABLE ALWAYS TRIGGER trust_changed;
ALTER TABLE clerk.settings ENABLE ALWAYS TRIGGER trust_changed;

-- Configuration belongs into a dump. How fetching went does not.
SELECT pg_catalog.pg_extension_config_dump('clerk.instances', '');
SELECT pg_catalog.pg_extension_config_dump('clerk.jwks', '');
SELECT pg_catalog.pg_extension_config_dump('clerk.settings', '');
