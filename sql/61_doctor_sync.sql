-- clerk.doctor(): whether history was brought in, and what webhooks failed to tell is found.

CREATE FUNCTION clerk.doctor_secret_keys() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'secret key',
        CASE WHEN k.fingerprint IS NULL THEN 'note' WHEN k.environment IS NULL THEN 'failed' ELSE 'ok' END,
        format('%s: %s', i.issuer, CASE
            WHEN k.fingerprint IS NULL THEN 'no secret key'
            WHEN k.environment IS NULL THEN format('%s: %s', k.fingerprint, COALESCE(u.problem, 'it is no secret key'))
            ELSE format('%s, last used %s', k.fingerprint, clerk.when_and_age(k.last_used_at))
        END),
        'a secret key of the Backend API: without it history is not brought in, and lost webhooks stay lost',
        CASE
            WHEN u.fingerprint IS NULL THEN format('SELECT clerk.set_secret_key(''sk_…'', %L); -- as a parameter, because statements are logged', i.issuer)
            ELSE clerk.mend_of_vault(u.reason, u.vault_name, 'sk_…', u.hint)
        END,
        CASE WHEN u.fingerprint IS NULL THEN clerk.sql_as_owner() ELSE clerk.sql_as_superuser() END
    FROM clerk.instances AS i LEFT JOIN clerk.secret_keys() AS k ON k.issuer = i.issuer
    LEFT JOIN clerk.unreadable_secrets() AS u ON u.kind = 'secret_key' AND u.fingerprint = k.fingerprint
    ORDER BY 3
$body$;
COMMENT ON FUNCTION clerk.doctor_secret_keys() IS
    'Check of clerk.doctor(): the secret keys of the Backend API. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_runs() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH instance AS (
        SELECT i.issuer, EXISTS (SELECT FROM clerk.secrets AS s WHERE s.kind = 'secret_key' AND s.issuer = i.issuer) AS has_key,
            (
                SELECT max(r.finished_at) FROM clerk.sync_runs AS r
                WHERE r.issuer = i.issuer AND r.state = 'done' AND (r.kind = 'backfill' OR r.kind = 'reconcile' AND r.full_walk)
            ) AS read_whole_at,
            (
                SELECT max(r.finished_at) FROM clerk.sync_runs AS r
                WHERE r.issuer = i.issuer AND r.state = 'done' AND r.kind IN ('backfill', 'reconcile')
            ) AS compared_at,
            (SELECT s.reconcile_every FROM clerk.settings AS s) AS reconcile_every
        FROM clerk.instances AS i
    ), latest AS (
        -- Of each kind, because an old failure that a later run made good is history.
        SELECT DISTINCT ON (r.issuer, r.kind, r.full_walk) r.* FROM clerk.sync_runs AS r
        ORDER BY r.issuer, r.kind, r.full_walk, r.id DESC
    ), bad AS (
        SELECT r.*, r.state = 'running' AND COALESCE(r.heartbeat_at, r.started_at) < clock_timestamp() - interval '10 minutes' AS is_stuck
        FROM latest AS r
        WHERE r.state = 'failed' OR r.state = 'queued' AND (r.last_error IS NOT NULL OR r.requested_at < clock_timestamp() - interval '10 minutes')
           OR r.state = 'running' AND COALESCE(r.heartbeat_at, r.started_at) < clock_timestamp() - interval '10 minutes'
    )
    (
        SELECT 'history',
            CASE WHEN i.read_whole_at IS NOT NULL THEN 'ok' WHEN i.has_key THEN 'warning' ELSE 'note' END,
            format('%s: last read whole %s', i.issuer, clerk.when_and_age(i.read_whole_at)),
            'read whole once: no webhook tells of people from before there was one',
            format('SELECT clerk.start_backfill(instance => %L);', i.issuer) || CASE WHEN i.has_key THEN '' ELSE ' -- needs the secret key' END,
            clerk.sql_as_owner()
        FROM instance AS i ORDER BY i.issuer
    )
    UNION ALL
    (
        SELECT 'last reconcile',
            CASE
                WHEN NOT i.has_key OR i.reconcile_every = interval '0' THEN 'note'
                WHEN i.compared_at > clock_timestamp() - 3 * i.reconcile_every THEN 'ok'
                ELSE 'warning'
            END,
            format('%s: %s', i.issuer, clerk.when_and_age(i.compared_at)),
            CASE
                WHEN i.reconcile_every = interval '0' THEN 'clerk.configure_mirror(reconcile_every) turned it off'
                ELSE format('within %s, 3 times reconcile_every: lost webhooks are found by comparing with Clerk', clerk.span(3 * extract(epoch FROM i.reconcile_every)))
            END,
            format('SELECT clerk.start_reconcile(instance => %L);', i.issuer) || CASE WHEN i.has_key THEN '' ELSE ' -- needs the secret key' END,
            clerk.sql_as_owner()
        FROM instance AS i ORDER BY i.issuer
    )
    UNION ALL
    (
        SELECT 'runs', CASE WHEN b.state = 'failed' OR b.is_stuck THEN 'failed' ELSE 'warning' END,
            format('run %s, %s%s of %s, is %s: %s', b.id, CASE WHEN b.full_walk THEN 'full ' END, b.kind, b.issuer,
                CASE WHEN b.is_stuck THEN 'stuck since ' || clerk.when_and_age(COALESCE(b.heartbeat_at, b.started_at)) ELSE b.state END,
                COALESCE(b.last_error, 'no worker took it')),
            COALESCE(b.last_hint, 'the last run of each kind ended well or gets on'),
            CASE
                WHEN b.state <> 'failed' THEN 'SELECT clerk.maintain();'
                WHEN b.kind = 'backfill' THEN format('SELECT clerk.start_backfill(instance => %L);', b.issuer)
                WHEN b.kind = 'reconcile' THEN format('SELECT clerk.start_reconcile("full" => %L, instance => %L);', b.full_walk, b.issuer)
                ELSE format('SELECT clerk.%I(%L, instance => %L);', b.kind, b.subject_id, b.issuer)
            END,
            clerk.sql_as_owner()
        FROM bad AS b ORDER BY b.id
    )
    UNION ALL
    SELECT 'runs', 'ok', 'no run failed or is stuck', 'the last run of each kind ended well or gets on', NULL, NULL WHERE NOT EXISTS (SELECT FROM bad)
    UNION ALL
    SELECT missing."check", 'note', 'no instance', 'see instances: configured', NULL, NULL
    FROM unnest(ARRAY['secret key', 'history', 'last reconcile']) AS missing ("check") WHERE NOT EXISTS (SELECT FROM clerk.instances)
$body$;
COMMENT ON FUNCTION clerk.doctor_runs() IS
    'Checks of clerk.doctor(): runs that read Clerk''s Backend API. VOLATILE. Callable by the owner.';

-- A webhook is on its way for a while, and reconciles also find what Clerk tells by no webhook. So one row is no sign, and only what a
-- run found that began an hour after the last delivery.
CREATE FUNCTION clerk.doctor_endpoint() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'endpoint',
        CASE WHEN found.untold > 0 AND found.is_used THEN 'warning' ELSE 'ok' END,
        CASE
            WHEN NOT found.is_used THEN 'no signing secret, so no webhooks'
            WHEN found.untold > 0 THEN format('the endpoint looks disabled: reconciles found %s rows that came or went since %s, and the last delivery came %s',
                found.untold, clerk.when_and_age(found.since), clerk.when_and_age(clerk.last_delivery_at()))
            ELSE 'reconciles found nothing that webhooks should have told'
        END,
        'changes are told by webhooks; Clerk disables an endpoint that failed for five days',
        'Webhooks, the endpoint: enable it, and replay what is missing; SELECT clerk.webhook_portal_url() opens the page.',
        'Clerk''s dashboard'
    FROM (
        -- Not what changed: when somebody was last active no webhook tells.
        SELECT COALESCE(sum(s.inserted + s.missing), 0), min(s.started_at),
            EXISTS (SELECT FROM clerk.secrets AS k WHERE k.kind = 'webhook_signing')
        FROM clerk.sync_runs AS r JOIN clerk.sync_steps AS s ON s.run_id = r.id
        WHERE r.kind = 'reconcile' AND s.finished_at IS NOT NULL
          AND s.started_at > COALESCE(clerk.last_delivery_at(), '-infinity') + interval '1 hour'
          -- What the very first run finds is history.
          AND EXISTS (SELECT FROM clerk.sync_runs AS earlier WHERE earlier.issuer = r.issuer AND earlier.id < r.id AND earlier.state = 'done')
    ) AS found (untold, since, is_used)
$body$;
COMMENT ON FUNCTION clerk.doctor_endpoint() IS
    'Check of clerk.doctor(): whether the webhook endpoint looks disabled. VOLATILE. Callable by the owner.';
