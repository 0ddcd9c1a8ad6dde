-- The state of everything in one row, cheap enough to be read every few seconds.

CREATE VIEW clerk.status AS
SELECT
    i.instances, k.keys, f.keys_confirmed_at, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) f.keys_confirmed_at AS keys_age, f.keys_error,
    s.signing_secrets, d.last_delivery_at, r.minute AS last_rejection_at, r.reason AS last_rejection_reason,
    e.failed, q.quarantined, LEAST(e.oldest_at, q.oldest_at) AS oldest_unapplied_at,
    h.handler_calls, h.handler_calls_quarantined,
    m.last_round_at, m.last_round_error,
    b.last_backfill_at, b.last_reconcile_at, b.last_full_reconcile_at, o.open_runs, o.last_run_error,
    t.last_token_without_role_at
FROM (SELECT pg_catalog.count(*) FROM clerk.instances) AS i (instances),
    (SELECT pg_catalog.count(*) FROM clerk.jwks) AS k (keys),
    -- The instance that is worst off.
    (
        SELECT CASE WHEN pg_catalog.bool_and(f.succeeded_at IS NOT NULL) THEN pg_catalog.min(f.succeeded_at) END,
            pg_catalog.string_agg(f.last_error, '; ' ORDER BY i.issuer)
        FROM clerk.instances AS i LEFT JOIN clerk.jwks_fetches AS f ON f.issuer OPERATOR(pg_catalog.=) i.issuer
        WHERE i.jwks_url IS NOT NULL
    ) AS f (keys_confirmed_at, keys_error),
    (SELECT pg_catalog.count(*) FROM clerk.secrets AS s WHERE s.kind OPERATOR(pg_catalog.=) 'webhook_signing') AS s (signing_secrets),
    (
        SELECT pg_catalog.max(u.last_used_at) FROM clerk.secret_uses AS u WHERE u.kind OPERATOR(pg_catalog.=) 'webhook_signing'
    ) AS d (last_delivery_at),
    (
        SELECT pg_catalog.count(*), pg_catalog.min(e.received_at) FROM clerk.webhook_events AS e WHERE e.state OPERATOR(pg_catalog.=) 'failed'
    ) AS e (failed, oldest_at),
    (
        SELECT pg_catalog.count(*), pg_catalog.min(e.received_at) FROM clerk.webhook_events AS e WHERE e.state OPERATOR(pg_catalog.=) 'quarantined'
    ) AS q (quarantined, oldest_at),
    (
        SELECT pg_catalog.count(*) FILTER (WHERE h.quarantined_at IS NULL), pg_catalog.count(*) FILTER (WHERE h.quarantined_at IS NOT NULL)
        FROM clerk.handler_runs AS h
    ) AS h (handler_calls, handler_calls_quarantined),
    (
        SELECT pg_catalog.max(b.finished_at) FILTER (
                WHERE b.kind OPERATOR(pg_catalog.=) 'backfill' AND NOT EXISTS (
                    SELECT FROM clerk.instances AS i, pg_catalog.unnest(i.mirror) AS t (name)
                    WHERE i.issuer OPERATOR(pg_catalog.=) b.issuer
                      AND t.name OPERATOR(pg_catalog.<>) ALL (ARRAY['sessions', 'subscription_items'])
                      AND t.name OPERATOR(pg_catalog.<>) ALL (b.resources)
                )
            ),
            pg_catalog.max(b.finished_at) FILTER (WHERE b.kind OPERATOR(pg_catalog.=) 'reconcile'),
            pg_catalog.max(b.finished_at) FILTER (WHERE b.kind OPERATOR(pg_catalog.=) 'reconcile' AND b.full_walk)
        FROM clerk.sync_runs AS b WHERE b.state OPERATOR(pg_catalog.=) 'done'
    ) AS b (last_backfill_at, last_reconcile_at, last_full_reconcile_at),
    (
        SELECT pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running'])),
            (pg_catalog.array_agg(o.last_error ORDER BY o.id DESC))[1]
        FROM clerk.sync_runs AS o
    ) AS o (open_runs, last_run_error),
    (SELECT pg_catalog.max(t.last_seen_at) FROM clerk.tokens_without_role AS t) AS t (last_token_without_role_at),
    LATERAL (SELECT) AS always
    LEFT JOIN (
        SELECT r.reason, r.minute FROM clerk.webhook_rejections AS r ORDER BY r.minute DESC, r.reason LIMIT 1
    ) AS r ON true
    LEFT JOIN (
        SELECT m.finished_at, m.error FROM clerk.maintenance_rounds AS m WHERE m.finished_at IS NOT NULL ORDER BY m.id DESC LIMIT 1
    ) AS m (last_round_at, last_round_error) ON true;
COMMENT ON VIEW clerk.status IS
    'One row: how everything stands, for dashboards and alerts; clerk.doctor() says what to do about it. Shows no secret. Readable by the owner and roles given clerk.grant_admin(), and by whom the owner grants SELECT on it.';
COMMENT ON COLUMN clerk.status.instances IS 'Number of configured instances.';
COMMENT ON COLUMN clerk.status.keys IS 'Number of their keys.';
COMMENT ON COLUMN clerk.status.keys_confirmed_at IS 'Since when the keys of every instance have been confirmed by Clerk. NULL: those of one never were, or all are imported.';
COMMENT ON COLUMN clerk.status.keys_age IS 'How long ago that is.';
COMMENT ON COLUMN clerk.status.keys_error IS 'Why the last fetch failed; NULL if none did.';
COMMENT ON COLUMN clerk.status.signing_secrets IS 'Number of webhook signing secrets.';
COMMENT ON COLUMN clerk.status.last_delivery_at IS 'When a delivery was last believed, to the minute.';
COMMENT ON COLUMN clerk.status.last_rejection_at IS 'The minute in which one was last refused.';
COMMENT ON COLUMN clerk.status.last_rejection_reason IS 'Why.';
COMMENT ON COLUMN clerk.status.failed IS 'Number of events that failed and will be tried again.';
COMMENT ON COLUMN clerk.status.quarantined IS 'Number of events that were given up.';
COMMENT ON COLUMN clerk.status.oldest_unapplied_at IS 'When the oldest of both came.';
COMMENT ON COLUMN clerk.status.handler_calls IS 'Number of calls of handlers that are still to be made.';
COMMENT ON COLUMN clerk.status.handler_calls_quarantined IS 'Number of those that were given up.';
COMMENT ON COLUMN clerk.status.last_round_at IS 'When the last round of maintenance ended.';
COMMENT ON COLUMN clerk.status.last_round_error IS 'What failed in it; NULL if nothing did.';
COMMENT ON COLUMN clerk.status.last_backfill_at IS 'When a backfill of everything that its instance mirrors last ended well.';
COMMENT ON COLUMN clerk.status.last_reconcile_at IS 'When a reconcile of any kind last ended well.';
COMMENT ON COLUMN clerk.status.last_full_reconcile_at IS 'When a full reconcile last ended well.';
COMMENT ON COLUMN clerk.status.open_runs IS 'Number of runs that wait or are under way.';
COMMENT ON COLUMN clerk.status.last_run_error IS 'What stopped the latest run; NULL if nothing did.';
COMMENT ON COLUMN clerk.status.last_token_without_role_at IS 'When a token was last seen that runs as anon because it has no role claim.';
