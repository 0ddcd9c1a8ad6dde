-- What is wrong with the tokens that arrive, counted by instance and reason.

-- Written while requests run, so it must not empty the caches: no trigger. Not dumped: it tells of this server. It has no more rows than
-- there are reasons for each instance, and for tokens of none.
CREATE TABLE clerk.token_problems (
    issuer text REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    reason text NOT NULL,
    seen bigint NOT NULL,
    last_seen_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (issuer, reason)
);
COMMENT ON TABLE clerk.token_problems IS 'How often tokens were refused, or ran as anon because they have no role claim, by instance and reason.';
COMMENT ON COLUMN clerk.token_problems.issuer IS 'The instance; NULL for tokens of no configured one.';
COMMENT ON COLUMN clerk.token_problems.reason IS 'Clerk''s reason code of the refusal; azp-missing for token-invalid-authorized-parties of a token without azp; role-claim-missing for a token that was not refused and ran as anon.';
COMMENT ON COLUMN clerk.token_problems.seen IS 'How often at least, since the instance was configured. What a session has counted and not written yet is lost when it ends.';
COMMENT ON COLUMN clerk.token_problems.last_seen_at IS 'When that was last written: within seconds of the first, and later about every 10 s.';
