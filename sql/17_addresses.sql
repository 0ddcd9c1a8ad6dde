-- Whose an e-mail address is, or was: what erasing a deleted person has to know.
--
-- Invitations, entries of the waitlist and domains hold addresses without saying whose. They come before, between and after the
-- events that say which addresses a person has, and a deleted person's row shows none. So what a row does not show any more is kept
-- as a hash, by which the person's addresses are found wherever they lie and whenever they come. There is no salt: it would have to
-- lie beside the hashes, also in a dump. A hash confirms a guess; it does not give the address back.

CREATE FUNCTION clerk.address_hash(address text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $body$ SELECT hashtextextended(lower(address COLLATE "C"), 0) $body$;
COMMENT ON FUNCTION clerk.address_hash(text) IS
    'A number for an e-mail address, whichever its case. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE TABLE clerk.former_addresses (
    user_id text NOT NULL,
    address_hash bigint NOT NULL,
    PRIMARY KEY (user_id, address_hash)
);
COMMENT ON TABLE clerk.former_addresses IS 'Hashes of the e-mail addresses that users had and whose rows do not show them: of deleted people all. By these clerk.maintain() finds what else holds a deleted person''s address.';
COMMENT ON COLUMN clerk.former_addresses.user_id IS 'The user.';
COMMENT ON COLUMN clerk.former_addresses.address_hash IS 'clerk.address_hash() of the address.';
SELECT pg_catalog.pg_extension_config_dump('clerk.former_addresses', '');

CREATE FUNCTION clerk.keep_former_addresses() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    INSERT INTO clerk.former_addresses (user_id, address_hash)
    SELECT NEW.id, clerk.address_hash(former.address)
    FROM unnest(OLD.email_addresses || OLD.primary_email_address) AS former (address)
    WHERE former.address IS NOT NULL AND array_position(NEW.email_addresses, former.address) IS NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$body$;
COMMENT ON FUNCTION clerk.keep_former_addresses() IS
    'Trigger function of clerk.users: notes the hashes of addresses that a row does not show any more. Not to be called.';

CREATE TRIGGER former_addresses AFTER UPDATE ON clerk.users
    FOR EACH ROW WHEN (OLD.email_addresses IS NOT NULL
        AND (NEW.email_addresses IS NULL OR OLD.email_addresses OPERATOR(pg_catalog.<>) NEW.email_addresses))
    EXECUTE FUNCTION clerk.keep_former_addresses();

CREATE INDEX organization_invitations_address ON clerk.organization_invitations (clerk.address_hash(email_address))
    WHERE email_address IS NOT NULL;
CREATE INDEX organization_domains_address ON clerk.organization_domains (clerk.address_hash(affiliation_email_address))
    WHERE affiliation_email_address IS NOT NULL;
CREATE INDEX invitations_address ON clerk.invitations (clerk.address_hash(email_address)) WHERE email_address IS NOT NULL;
CREATE INDEX waitlist_entries_address ON clerk.waitlist_entries (clerk.address_hash(email_address)) WHERE email_address IS NOT NULL;
CREATE INDEX webhook_events_address ON clerk.webhook_events (address_hash) WHERE address_hash IS NOT NULL AND erased_at IS NULL;
