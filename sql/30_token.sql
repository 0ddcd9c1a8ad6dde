-- Verifying a token that is passed in. A C function: a repeated token costs one look-up.

CREATE FUNCTION clerk.verify_jwt(token text, token_type text DEFAULT 'session') RETURNS jsonb
    LANGUAGE c STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_verify_jwt';
COMMENT ON FUNCTION clerk.verify_jwt(text, text) IS
    'The claims of a valid token of a configured instance; token_type is session, template, m2m or oauth. Checks signature, algorithm, key, issuer, authorized party, audience, kind and times (5 s skew unless clerk.configure() set another, at the start of the statement). NULL for NULL. A refused token raises 28000 with Clerk''s reason code in DETAIL; an unknown type raises 22023. A token that fits no cached key may wait for newer keys, at most clerk.http_timeout and once per clerk.jwks_cooldown for all backends. STABLE. Callable by the owner and roles given clerk.grant_admin().';
