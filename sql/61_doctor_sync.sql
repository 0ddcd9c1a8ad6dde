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
            history.read_whole_at, history.never_read, history.unlisted,
            (
                SELECT max(r.finished_at) FROM clerk.sync_runs AS r
                WHERE r.issuer = i.issuer AND r.state = 'done' AND r.kind IN ('backfill', 'reconcile') AND NOT EXISTS (
                    SELECT FROM unnest(i.mirror) AS t (name) WHERE t.name NOT IN ('sessions', 'subscription_items') AND t.name <> ALL (r.resources)
                )
            ) AS compared_at,
            (SELECT s.reconcile_every FROM clerk.settings AS s) AS reconcile_every
        FROM clerk.instances AS i CROSS JOIN LATERAL (
            -- Items come with their subscriptions, and sessions are listed person by person only.
            SELECT CASE WHEN bool_and(w.read_whole_at IS NOT NULL) THEN min(w.read_whole_at) END,
                string_agg(t.name, ', ' ORDER BY t.at) FILTER (WHERE w.read_whole_at IS NULL),
                string_agg(format('%s %s', w.unlisted, t.name), ', ' ORDER BY t.at) FILTER (WHERE w.unlisted > 0)
            FROM unnest(i.mirror) WITH ORDINALITY AS t (name, at)
            LEFT JOIN clerk.sync_watermarks AS w ON w.issuer = i.issuer AND w.resource = t.name
            WHERE t.name NOT IN ('sessions', 'subscription_items')
        ) AS history (read_whole_at, never_read, unlisted)
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
            CASE WHEN i.never_read IS NULL AND i.unlisted IS NULL THEN 'ok' WHEN i.has_key THEN 'warning' ELSE 'note' END,
            format('%s: %s', i.issuer, concat_ws('; ',
                CASE WHEN i.never_read IS NULL THEN 'last read whole ' || clerk.when_and_age(i.read_whole_at) ELSE 'never read whole: ' || i.never_read END,
                'counted by Clerk, but not listed: ' || i.unlisted)),
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
                WHEN b.cause = 'secret key' THEN
                    format('SELECT clerk.set_secret_key(''sk_…'', %L); -- as a parameter, because statements are logged', b.issuer) || E'\n' || b.again
                WHEN b.state <> 'failed' THEN 'SELECT clerk.maintain();'
                WHEN b.cause = 'not allowed' THEN b.again || ' -- after switching the feature on in Clerk''s dashboard, or clerk.configure(mirror => …) without the table'
                WHEN b.cause = 'address' THEN
                    format('SELECT clerk.configure(issuer => %L, api_url => ''https://api.clerk.com/v1''); -- unless you have a proxy of your own', b.issuer)
                        || E'\n' || b.again
                WHEN b.cause = 'not found' THEN b.again || ' -- if the secret key is of this instance'
                WHEN b.cause = 'request' THEN 'ALTER EXTENSION clerk_sync UPDATE; -- after installing a newer version' || E'\n' || b.again
                WHEN b.cause = 'too many requests' THEN b.again || ' -- once other applications leave the instance requests'
                WHEN b.cause = 'clerk' THEN b.again || ' -- once https://status.clerk.com shows no incident'
                WHEN b.cause = 'network' THEN b.again || ' -- once the database server reaches api_url; clerk.http_proxy names a proxy'
                WHEN b.cause = 'settings' THEN b.again || ' -- after that'
                WHEN b.cause = 'too many missing' THEN
                    format('SELECT clerk.start_reconcile("full" => true, confirm_missing => true, instance => %L); -- if they really are gone', b.issuer)
                ELSE b.again
            END,
            clerk.sql_as_owner()
        FROM (
            SELECT r.*, CASE
                WHEN r.kind = 'backfill' THEN format('SELECT clerk.start_backfill(ARRAY[%s], instance => %L);',
                    (SELECT string_agg(quote_literal(t.name), ', ' ORDER BY t.at) FROM unnest(r.resources) WITH ORDINALITY AS t (name, at)), r.issuer)
                WHEN r.kind = 'reconcile' THEN format('SELECT clerk.start_reconcile("full" => %L, instance => %L);', r.full_walk, r.issuer)
                ELSE format('SELECT clerk.%I(%L, instance => %L);', r.kind, r.subject_id, r.issuer)
            END AS again
            FROM bad AS r
        ) AS b ORDER BY b.id
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
          -- What the very first run through a table finds is history.
          AND EXISTS (
              SELECT FROM clerk.sync_runs AS earlier
              WHERE earlier.issuer = r.issuer AND earlier.id < r.id AND earlier.state = 'done' AND earlier.subject_id IS NULL
                AND s.resource = ANY (earlier.resources)
          )
    ) AS found (untold, since, is_used)
$body$;
COMMENT ON FUNCTION clerk.doctor_endpoint() IS
    'Check of clerk.doctor(): whether the webhook endpoint looks disabled. VOLATILE. Callable by the owner.';
