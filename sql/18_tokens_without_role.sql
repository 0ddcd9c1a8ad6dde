-- What clerk.doctor() tells of tokens that PostgREST runs as anon.

-- Written while requests run, so it must not empty the caches: no trigger. Not dumped: it tells of this server.
CREATE TABLE clerk.tokens_without_role (
    issuer text PRIMARY KEY REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    last_seen_at timestamptz NOT NULL
);
COMMENT ON TABLE clerk.tokens_without_role IS 'When a session token of an instance last ran as anon, because it has no role claim.';
COMMENT ON COLUMN clerk.tokens_without_role.issuer IS 'The instance.';
COMMENT ON COLUMN clerk.tokens_without_role.last_seen_at IS 'When that was last noticed: at most once a minute.';
