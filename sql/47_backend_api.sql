-- Asking Clerk: the secret keys that open its Backend API, and the requests that it allows.

-- Written by workers all the time while something is read, so it must not empty the caches: no trigger. Room in the page lets every
-- new version of a row replace an old one where it lies.
CREATE TABLE clerk.api_budgets (
    issuer text PRIMARY KEY REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    next_at timestamptz NOT NULL DEFAULT '-infinity',
    blocked_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
COMMENT ON TABLE clerk.api_budgets IS 'The requests to the Backend API that Clerk allows each instance, shared by all workers: 1000 in 10 s, or 100 if it is a development instance, of which we leave a fifth to the application.';
COMMENT ON COLUMN clerk.api_budgets.issuer IS 'The instance.';
COMMENT ON COLUMN clerk.api_budgets.next_at IS 'When the next request would be due if they went out evenly.';
COMMENT ON COLUMN clerk.api_budgets.blocked_until IS 'Until when Clerk wants no request, after it answered 429.';

COMMENT ON FUNCTION clerk.set_secret_key(text, text) IS
    'Lets workers read the Backend API of the instance with that issuer, or of the only one, with this secret key, in place of the one it has; returns its fingerprint. The key is sk_test_… or sk_live_…, which no function shows again and no dump holds, or vault:NAME, which is looked up in Supabase Vault whenever a worker starts. Whether Clerk accepts it, and whether it is of this instance, is asked when it is first used. NULL for NULL. Pass it as a parameter: statements can be logged. A key that cannot be used, is of the other environment, or is another instance''s already, raises 22023; a missing vault, secret or issuer 42704; a vault that may not be read 42501; 55000 if no instance is configured. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
COMMENT ON FUNCTION clerk.drop_secret_key(text) IS
    'Forgets the secret key of the instance with that issuer, or of the only one; workers that use it end at their next request. Returns whether there was one. An unknown issuer raises 42704, NULL with several instances 22023. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
COMMENT ON FUNCTION clerk.secret_keys() IS
    'The secret keys without what is secret: issuer, fingerprint (the beginning of the SHA-256 of the key, or vault:NAME), the name in the vault, the environment it is of (NULL if it cannot be used now: one in a vault may be gone, unreadable or no secret key any more), when it was set, and when it was last used, to the minute. STABLE. Callable by the owner and roles given clerk.grant_admin().';
