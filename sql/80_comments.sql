-- What the functions that are declared in Rust mean.

COMMENT ON FUNCTION clerk.authenticate(text) IS
    'Verifies a session token and makes it the identity of the running transaction, as SET LOCAL clerk.jwt does; returns the user id. NULL for NULL (and nothing is set), and for a pending session. A refused token raises 28000 with Clerk''s reason code in DETAIL and changes nothing. Raises 55000 where the identity comes from request.jwt.claims. Warns outside a transaction block. VOLATILE. Callable by everyone: it gives nothing that a valid token does not.';
COMMENT ON FUNCTION clerk.clear_authentication() IS
    'Signs the running transaction out: clears clerk.jwt as SET LOCAL does. Claims set by PostgREST are not touched. Warns outside a transaction block. VOLATILE. Callable by everyone.';
COMMENT ON FUNCTION clerk.whoami() IS
    'One row for people: which setting the identity comes from, the database role, issuer, user, organization and role, the seconds until the token expires, and problems with their mends. Never raises for what the caller brought; a refusal is one of the problems. STABLE. Callable by everyone.';
COMMENT ON FUNCTION clerk.inspect_jwt(text) IS
    'Every check of a session token with what it expected and found, in the order of verification; never raises by its argument and fetches nothing. No row for NULL. For debugging: its answers name the configuration. STABLE. Callable by the owner and roles given clerk.grant_admin().';
COMMENT ON FUNCTION clerk.configure(text, text, text, text[], text[], boolean, boolean, boolean, text[], boolean) IS
    'Says which Clerk instance the database believes: adds it or changes the named settings; an argument left out or NULL leaves its setting alone. issuer and jwks_url follow from the publishable key; '''' as jwks_url means keys are only imported. A second instance needs additional => true; other_issuers names further issuers of the same instance, and an existing issuer there renames its instance. Fetches the keys at once; failing that is a warning. Returns issuer, URL, environment, number of keys and warnings. Unusable arguments raise 22023, a second instance 55000. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
COMMENT ON FUNCTION clerk.refresh_jwks(text) IS
    'Fetches the keys of the instance with that issuer, or with NULL of all instances, and makes them its whole set; returns how many. Raises 42704 for an unknown issuer, 08006 (jwk-remote-failed-to-load) when fetching fails, 22023 (jwk-remote-invalid) when what came is no acceptable key set, 53400 when no background worker is free; the cached keys then stay. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
COMMENT ON FUNCTION clerk.remove_instance(text) IS
    'Ends the trust in an instance and forgets its keys; its tokens are refused from every backend''s next transaction on. Raises 42704 for an unknown issuer. Does nothing for NULL. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
COMMENT ON FUNCTION clerk.set_identity_source(text) IS
    'Where the identity helpers look: auto (request.jwt.claims when it is set, else clerk.jwt), claims (only the first, for databases behind PostgREST) or token (only the second, which is verified here, for roles that can run arbitrary SQL). Another word raises 22023. Does nothing for NULL. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
