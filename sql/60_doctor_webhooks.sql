-- clerk.doctor(): whether webhooks arrive, are believed and are applied.

-- Given up are few or none, and clerk.doctor() and clerk.status must not read a long ledger to find them.
CREATE INDEX webhook_events_quarantined ON clerk.webhook_events (received_at) WHERE state OPERATOR(pg_catalog.=) 'quarantined';

-- So are events of another instance.
CREATE INDEX webhook_events_foreign ON clerk.webhook_events (received_at) WHERE reason OPERATOR(pg_catalog.=) 'foreign-instance';

-- The time of the last delivery whose signature was right, to the minute.
CREATE FUNCTION clerk.last_delivery_at() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT max(u.last_used_at) FROM clerk.secret_uses AS u WHERE u.kind = ''webhook_signing''';
COMMENT ON FUNCTION clerk.last_delivery_at() IS
    'When a delivery was last believed, to the minute; NULL if none ever was. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_signing_secrets() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH secret AS MATERIALIZED (SELECT * FROM clerk.webhook_signing_secrets()),
    -- Without webhooks the identity helpers work as well, so that nobody has set them up is no fault.
    wanted AS (
        SELECT EXISTS (SELECT FROM clerk.exposed_api() AS e WHERE e.name = 'clerk_webhook') OR EXISTS (SELECT FROM clerk.webhook_events)
            OR EXISTS (SELECT FROM secret) AS are_webhooks
    )
    (
        SELECT 'signing secret',
            CASE WHEN s.secrets > 0 THEN 'ok' WHEN wanted.are_webhooks THEN 'failed' ELSE 'note' END,
            format('%s: %s', i.issuer, CASE WHEN s.secrets > 0 THEN s.fingerprints ELSE 'no signing secret' END),
            'the Signing Secret of the endpoint in Clerk''s dashboard; without it no webhook is believed',
            format('SELECT clerk.add_webhook_signing_secret(''whsec_…'', %L); -- as a parameter, because statements are logged', i.issuer),
            clerk.sql_as_owner()
        FROM clerk.instances AS i, wanted, LATERAL (
            SELECT count(*), string_agg(s.fingerprint, ', ' ORDER BY s.fingerprint) FROM secret AS s WHERE s.issuer = i.issuer
        ) AS s (secrets, fingerprints)
        ORDER BY i.issuer
    )
    UNION ALL
    (
        SELECT 'usable', CASE WHEN s.usable THEN 'ok' ELSE 'failed' END,
            format('%s of %s: %s', s.fingerprint, s.issuer, CASE WHEN s.usable THEN 'can be read' ELSE u.problem END),
            'every signing secret can be read, those in a vault too',
            clerk.mend_of_vault(u.reason, u.vault_name, 'whsec_…', u.hint), clerk.sql_as_superuser()
        FROM secret AS s LEFT JOIN clerk.unreadable_secrets() AS u ON u.kind = 'webhook_signing' AND u.fingerprint = s.fingerprint
        ORDER BY s.fingerprint
    )
    UNION ALL
    (
        SELECT 'used',
            CASE
                WHEN s.last_used_at IS NULL AND s.created_at < clock_timestamp() - interval '1 hour' THEN 'warning'
                WHEN s.last_used_at IS NULL THEN 'note'
                ELSE 'ok'
            END,
            format('%s of %s: last verified a delivery %s', s.fingerprint, s.issuer, clerk.when_and_age(s.last_used_at)),
            'deliveries that this secret verifies',
            'Webhooks, the endpoint, Testing: send an example. If it is refused, the endpoint''s Signing Secret is another one.',
            'Clerk''s dashboard'
        FROM secret AS s ORDER BY s.fingerprint
    )
    UNION ALL
    SELECT missing."check", 'note', 'no signing secret', 'see webhooks: signing secret', NULL, NULL
    FROM unnest(ARRAY['usable', 'used']) AS missing ("check") WHERE NOT EXISTS (SELECT FROM secret)
    UNION ALL
    SELECT 'signing secret', 'note', 'no instance', 'see instances: configured', NULL, NULL WHERE NOT EXISTS (SELECT FROM clerk.instances)
$body$;
COMMENT ON FUNCTION clerk.doctor_signing_secrets() IS
    'Checks of clerk.doctor(): the webhook signing secrets. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_deliveries() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'last delivery',
        CASE WHEN last.at > clock_timestamp() - interval '7 days' OR NOT EXISTS (SELECT FROM clerk.secrets AS s WHERE s.kind = 'webhook_signing') THEN 'ok' ELSE 'note' END,
        clerk.when_and_age(last.at),
        'within a week, unless nothing happens at Clerk that long',
        'Webhooks, the endpoint: look for failed deliveries and whether it is disabled; clerk.webhook_portal_url() opens the page.',
        'Clerk''s dashboard'
    FROM (SELECT clerk.last_delivery_at()) AS last (at)

    UNION ALL
    -- Anybody can send what is refused, so it counts only while nothing else comes. Deliveries are noted once a minute: there may
    -- have been another until a minute after the last.
    SELECT 'last rejection',
        CASE
            WHEN last.reason IS NULL OR last.minute < COALESCE(clerk.last_delivery_at() + interval '1 minute', '-infinity') THEN 'ok'
            WHEN last.reason = 'webhook-secret-missing' THEN 'failed'
            ELSE 'warning'
        END,
        CASE
            WHEN last.reason IS NULL THEN 'none'
            ELSE format('%s, %s; last accepted %s', last.reason, clerk.when_and_age(last.minute), clerk.when_and_age(clerk.last_delivery_at()))
        END,
        'no delivery refused after the last accepted one',
        CASE
            WHEN last.reason IN ('webhook-signature-mismatch', 'webhook-secret-missing') AND secrets.is_one_unreadable
                THEN 'First webhooks: usable. A signing secret cannot be read, and the delivery may be signed with it.'
            WHEN last.reason IN ('webhook-signature-mismatch', 'webhook-secret-missing')
                THEN 'SELECT clerk.add_webhook_signing_secret(''whsec_…''); -- the endpoint''s Signing Secret; if it is known, something changes the body on the way'
            WHEN last.reason IN ('webhook-timestamp-expired', 'webhook-timestamp-in-the-future')
                THEN 'timedatectl set-ntp true; the server''s clock must be right to 300 s'
            WHEN last.reason = 'webhook-too-large' THEN 'Webhooks, the endpoint: subscribe to fewer events; over 1 MiB nothing of Clerk''s comes'
            ELSE 'Let the gateway or relay pass the headers svix-id, svix-timestamp and svix-signature on; docs/webhooks.md has the ways in'
        END,
        CASE
            WHEN last.reason IN ('webhook-signature-mismatch', 'webhook-secret-missing') THEN clerk.sql_as_owner()
            WHEN last.reason IN ('webhook-timestamp-expired', 'webhook-timestamp-in-the-future') THEN 'the shell of the database server'
            WHEN last.reason = 'webhook-too-large' THEN 'Clerk''s dashboard'
            ELSE 'the configuration of the gateway or relay'
        END
    FROM (SELECT) AS one LEFT JOIN (
        SELECT r.reason, r.minute FROM clerk.webhook_rejections AS r ORDER BY r.minute DESC, r.reason LIMIT 1
    ) AS last ON true
    CROSS JOIN (SELECT EXISTS (SELECT FROM clerk.unreadable_secrets() AS u WHERE u.kind = 'webhook_signing')) AS secrets (is_one_unreadable)

    UNION ALL
    -- The examples that Clerk's dashboard sends name another instance, so one or two are no sign.
    SELECT 'own instance',
        CASE WHEN foreigners.are_all THEN 'warning' ELSE 'ok' END,
        CASE
            WHEN foreigners.are_all THEN format('the last deliveries name the instance %s and change nothing; the last came %s. Configured here: %s',
                foreigners.ids, clerk.when_and_age(foreigners.last_at), own.instances)
            ELSE 'not all of the last deliveries name another instance'
        END,
        'deliveries of an instance that is configured here: events of another one are answered with 200 and ignored',
        format('In the instance %s, delete the endpoint that points here; in your own instance, add it. If %1$s is your instance: SELECT * FROM clerk.configure(issuer => %L, instance_id => %L);',
            foreigners.ids, own.issuer, foreigners.last_id),
        'Clerk''s dashboard'
    FROM (
        SELECT string_agg(DISTINCT newest.instance_id, ', ' ORDER BY newest.instance_id), max(newest.received_at),
            (array_agg(newest.instance_id ORDER BY newest.received_at DESC))[1],
            count(*) = 3 AND EXISTS (SELECT FROM clerk.instances) AND NOT EXISTS (
                SELECT FROM clerk.webhook_events AS e
                WHERE e.received_at >= min(newest.received_at) AND e.reason IS DISTINCT FROM 'foreign-instance'
            )
        FROM (
            SELECT e.instance_id, e.received_at FROM clerk.webhook_events AS e
            WHERE e.reason = 'foreign-instance' AND NOT EXISTS (SELECT FROM clerk.instances AS i WHERE i.instance_id = e.instance_id)
            ORDER BY e.received_at DESC LIMIT 3
        ) AS newest
    ) AS foreigners (ids, last_at, last_id, are_all), (
        SELECT string_agg(format('%s (%s)', COALESCE(i.instance_id, 'id not known'), i.issuer), ', ' ORDER BY i.issuer), min(i.issuer)
        FROM clerk.instances AS i
    ) AS own (instances, issuer)

    UNION ALL
    SELECT 'clock',
        CASE
            WHEN skew.events < 5 THEN 'ok'
            WHEN skew.least < -5 THEN 'warning'
            WHEN skew.events >= 20 AND skew.least > 60 THEN 'note'
            ELSE 'ok'
        END,
        CASE
            WHEN skew.events < 5 THEN 'too few deliveries to judge by'
            ELSE format('of the last %s events the quickest came %s %s it happened by Clerk''s clock', skew.events,
                clerk.span(abs(skew.least)), CASE WHEN skew.least < 0 THEN 'before' ELSE 'after' END)
        END,
        'not before it happened, by over 5 s, and not a minute later: tokens and webhooks are refused when the clocks differ',
        'timedatectl set-ntp true; then compare date --utc with https://time.is', 'the shell of the database server'
    FROM (
        SELECT count(*), min(extract(epoch FROM e.received_at - e.event_at))
        FROM (
            SELECT e.received_at, e.event_at FROM clerk.webhook_events AS e
            -- As the index for pruning has it, so that only the newest are read.
            WHERE e.payload IS NOT NULL AND e.state <> ALL (ARRAY['failed', 'quarantined']) AND e.svix_id LIKE 'msg\_%'
              AND e.received_at > clock_timestamp() - interval '7 days'
            ORDER BY e.received_at DESC LIMIT 100
        ) AS e
    ) AS skew (events, least)
$body$;
COMMENT ON FUNCTION clerk.doctor_deliveries() IS
    'Checks of clerk.doctor(): deliveries that came and that were refused. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_events() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'failed events',
        CASE
            WHEN event.due_at < clock_timestamp() - interval '10 minutes' THEN 'failed'
            WHEN event.number > 0 THEN 'warning'
            ELSE 'ok'
        END,
        CASE event.number
            WHEN 0 THEN 'none'
            ELSE format('%s; the oldest came %s and is due %s; %s', event.number, clerk.when_and_age(event.oldest_at),
                clerk.when_and_age(event.due_at), event.last_error)
        END,
        'none; those that are due long ago are not tried, because nothing runs clerk.maintain()',
        'SELECT clerk.replay_event(e.svix_id) FROM clerk.webhook_events AS e WHERE e.state = ''failed''; -- once the cause is mended',
        clerk.sql_as_owner()
    FROM (
        SELECT count(*), min(e.received_at), min(e.next_attempt_at), min(e.last_error)
        FROM clerk.webhook_events AS e WHERE e.state = 'failed'
    ) AS event (number, oldest_at, due_at, last_error)

    UNION ALL
    SELECT 'quarantined events', CASE event.number WHEN 0 THEN 'ok' ELSE 'failed' END,
        CASE event.number
            WHEN 0 THEN 'none'
            ELSE format('%s; the oldest came %s; %s', event.number, clerk.when_and_age(event.oldest_at), event.last_error)
        END,
        'none: these are given up until they are replayed',
        'SELECT clerk.replay_event(e.svix_id) FROM clerk.webhook_events AS e WHERE e.state = ''quarantined''; -- once the cause is mended',
        clerk.sql_as_owner()
    FROM (
        SELECT count(*), min(e.received_at), min(e.last_error) FROM clerk.webhook_events AS e WHERE e.state = 'quarantined'
    ) AS event (number, oldest_at, last_error)

    UNION ALL
    SELECT 'handler calls',
        CASE
            WHEN run.overdue > 0 OR run.given_up > 0 THEN 'failed'
            WHEN run.retrying > 0 THEN 'warning'
            ELSE 'ok'
        END,
        CASE
            WHEN run.overdue + run.given_up + run.retrying = 0 THEN 'none overdue, failing or given up'
            ELSE format('%s overdue, %s given up, %s failing%s', run.overdue, run.given_up, run.retrying, '; ' || run.last_error)
        END,
        'every call of a handler is made soon and succeeds',
        CASE
            WHEN run.given_up + run.retrying > 0
                THEN 'SELECT clerk.replay_event(r.svix_id) FROM clerk.handler_runs AS r WHERE r.attempts > 0 AND r.svix_id IS NOT NULL; -- once the handler is mended'
            ELSE 'SELECT clerk.maintain();'
        END,
        clerk.sql_as_owner()
    FROM (
        SELECT
            count(*) FILTER (WHERE r.quarantined_at IS NULL AND r.attempts = 0 AND r.next_attempt_at < clock_timestamp() - interval '10 minutes'),
            count(*) FILTER (WHERE r.quarantined_at IS NOT NULL),
            count(*) FILTER (WHERE r.quarantined_at IS NULL AND r.attempts > 0),
            min(r.last_error)
        FROM clerk.handler_runs AS r
    ) AS run (overdue, given_up, retrying, last_error)
$body$;
COMMENT ON FUNCTION clerk.doctor_events() IS
    'Checks of clerk.doctor(): events and calls of handlers that wait or were given up. VOLATILE. Callable by the owner.';

-- PostgREST takes the settings of a role itself, not those of the role in the database; a role that logs in itself has both.
CREATE FUNCTION clerk.doctor_durability() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH receiver AS (
        SELECT r.oid, r.rolname,
            (
                SELECT substr(entry, strpos(entry, '=') + 1) FROM unnest(r.rolconfig) AS entry
                WHERE split_part(entry, '=', 1) = 'synchronous_commit'
            ) AS of_role,
            EXISTS (
                SELECT FROM pg_db_role_setting AS s, unnest(s.setconfig) AS entry
                WHERE s.setrole = r.oid AND s.setdatabase <> 0 AND entry = 'synchronous_commit=off'
                  AND s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            ) AS is_off_here
        FROM pg_proc AS p, aclexplode(p.proacl) AS entry JOIN pg_roles AS r ON r.oid = entry.grantee
        WHERE p.oid = 'clerk.receive_webhook'::regproc AND entry.grantee <> p.proowner
    ), judged AS (
        SELECT r.rolname, r.is_off_here, r.is_off_here OR COALESCE(r.of_role, clerk.setting_of('authenticator', 'synchronous_commit')) = 'off' AS is_off
        FROM receiver AS r
    )
    SELECT 'synchronous_commit', CASE WHEN bool_or(j.is_off) THEN 'warning' ELSE 'ok' END,
        CASE
            WHEN bool_or(j.is_off) THEN 'off for ' || string_agg(j.rolname, ', ' ORDER BY j.rolname) FILTER (WHERE j.is_off)
            ELSE COALESCE('not off for ' || string_agg(j.rolname, ', ' ORDER BY j.rolname), 'only the owner receives webhooks')
        END,
        'on: a crash must not take what Clerk was told is stored, because it will not be sent again',
        string_agg(
            format('ALTER ROLE %I SET synchronous_commit = on;', j.rolname)
                || CASE WHEN j.is_off_here THEN format(' ALTER ROLE %I IN DATABASE %I RESET synchronous_commit;', j.rolname, current_database()) ELSE '' END,
            ' ' ORDER BY j.rolname
        ) FILTER (WHERE j.is_off),
        clerk.sql_as_superuser()
    FROM judged AS j
$body$;
COMMENT ON FUNCTION clerk.doctor_durability() IS
    'Check of clerk.doctor(): that roles which receive webhooks commit to the disk. STABLE. Callable by the owner.';
