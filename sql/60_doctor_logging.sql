-- clerk.doctor(): logging that would write down secrets and tokens, for the sessions in which they are passed.

CREATE FUNCTION clerk.doctor_logging() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    -- The owner and this session's role pass signing secrets; PostgREST passes claims, request headers and bodies, as parameters.
    WITH visitor AS (
        SELECT r.rolname FROM pg_roles AS r
        WHERE r.rolname IN ('authenticator', session_user) OR r.oid = (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'clerk')
    ), setting AS (
        SELECT v.rolname,
            clerk.setting_of(v.rolname, 'log_statement') AS log_statement,
            clerk.setting_of(v.rolname, 'log_min_duration_statement') AS min_duration,
            clerk.setting_of(v.rolname, 'log_min_duration_sample') AS min_duration_sample,
            clerk.setting_of(v.rolname, 'log_statement_sample_rate') AS sample_rate,
            clerk.setting_of(v.rolname, 'log_transaction_sample_rate') AS transaction_sample_rate,
            clerk.setting_of(v.rolname, 'log_parameter_max_length') AS parameter_length,
            clerk.setting_of(v.rolname, 'pg_stat_statements.track') AS statements_track,
            clerk.setting_of(v.rolname, 'pg_stat_statements.track_utility') AS statements_utility,
            COALESCE(clerk.setting_of(v.rolname, 'pgaudit.log'), '') AS audited,
            clerk.setting_of(v.rolname, 'auto_explain.log_min_duration') AS explained,
            clerk.setting_of(v.rolname, 'auto_explain.log_parameter_max_length') AS explained_parameters
        FROM visitor AS v
    ), judged AS (
        SELECT s.*,
            -- Durations may be written with a unit.
            s.min_duration !~ '^-' OR (s.min_duration_sample !~ '^-' AND s.sample_rate::float8 > 0) OR s.transaction_sample_rate::float8 > 0 AS logs_some,
            -- Later words of the list win over earlier ones.
            COALESCE((
                SELECT (array_agg(NOT starts_with(trim(one), '-') ORDER BY place DESC))[1]
                FROM unnest(string_to_array(lower(s.audited), ',')) WITH ORDINALITY AS word (one, place)
                WHERE trim(one, ' -') IN ('all', 'read', 'none')
            ), false) AND s.audited !~* '^\s*none\s*$' AS audits_read,
            COALESCE((
                SELECT (array_agg(NOT starts_with(trim(one), '-') ORDER BY place DESC))[1]
                FROM unnest(string_to_array(lower(s.audited), ',')) WITH ORDINALITY AS word (one, place)
                WHERE trim(one, ' -') IN ('all', 'misc', 'none')
            ), false) AND s.audited !~* '^\s*none\s*$' AS audits_misc
        FROM setting AS s
    )
    SELECT 'log_statement', CASE WHEN bool_or(j.log_statement = 'all') THEN 'warning' ELSE 'ok' END,
        string_agg(format('%s for %s', j.log_statement, j.rolname), ', ' ORDER BY j.rolname),
        'not all: it logs the secrets and tokens in statements and their parameters',
        string_agg(clerk.set_for(j.rolname, 'log_statement', 'ddl'), ' ' ORDER BY j.rolname) FILTER (WHERE j.log_statement = 'all'),
        clerk.sql_as_superuser()
    FROM judged AS j

    UNION ALL
    SELECT 'log_min_duration_statement',
        CASE WHEN bool_or(j.logs_some AND j.parameter_length <> '0') THEN 'warning' WHEN bool_or(j.logs_some) THEN 'note' ELSE 'ok' END,
        CASE
            WHEN bool_or(j.logs_some) THEN string_agg(
                format('slow or sampled statements of %s are logged%s', j.rolname, CASE WHEN j.parameter_length <> '0' THEN ' with parameters' ELSE ' without parameters' END),
                ', ' ORDER BY j.rolname) FILTER (WHERE j.logs_some)
            ELSE 'neither slow nor sampled statements are logged'
        END,
        'statements are logged, if at all, without their parameters, in which PostgREST passes tokens and webhooks; then pass secrets as parameters too',
        COALESCE(
            string_agg(clerk.set_for(j.rolname, 'log_parameter_max_length', '0'), ' ' ORDER BY j.rolname) FILTER (WHERE j.logs_some AND j.parameter_length <> '0'),
            'Pass secrets as parameters ($1), not in the statement.'
        ),
        CASE WHEN bool_or(j.logs_some AND j.parameter_length <> '0') THEN clerk.sql_as_superuser() ELSE 'your own scripts' END
    FROM judged AS j

    UNION ALL
    -- From 18 on it replaces the values in SET as well.
    SELECT 'pg_stat_statements', CASE WHEN bool_or(keeps.utility) THEN 'note' ELSE 'ok' END,
        CASE WHEN bool_or(keeps.utility) THEN 'keeps statements such as SET clerk.jwt = ''…'' whole' ELSE 'keeps no statement of SET' END,
        'track_utility off, or tokens set with clerk.authenticate($1) only, because pg_read_all_stats sees them',
        string_agg(clerk.set_for(j.rolname, 'pg_stat_statements.track_utility', 'off'), ' ' ORDER BY j.rolname) FILTER (WHERE keeps.utility),
        clerk.sql_as_superuser()
    FROM judged AS j, LATERAL (
        SELECT current_setting('server_version_num')::integer < 180000 AND j.statements_track IS DISTINCT FROM 'none'
            AND j.statements_utility IN ('on', 'true', 'yes', '1')
    ) AS keeps (utility)

    UNION ALL
    SELECT 'pgaudit', CASE WHEN bool_or(j.audits_read OR j.audits_misc) THEN 'warning' ELSE 'ok' END,
        CASE
            WHEN bool_or(j.audits_read OR j.audits_misc)
                THEN string_agg(format('pgaudit.log = %s for %s', j.audited, j.rolname), '; ' ORDER BY j.rolname) FILTER (WHERE j.audits_read OR j.audits_misc)
            ELSE 'logs no statement in which secrets are passed'
        END,
        'without the classes read and misc, which are SELECT and SET with their text',
        string_agg(clerk.set_for(j.rolname, 'pgaudit.log', quote_literal(j.audited || ', -read, -misc')), ' ' ORDER BY j.rolname)
            FILTER (WHERE j.audits_read OR j.audits_misc) || ' -- the audit has no SELECT and SET of theirs then',
        clerk.sql_as_superuser()
    FROM judged AS j

    UNION ALL
    -- Before 16 it never logged parameters.
    SELECT 'auto_explain', CASE WHEN bool_or(shows.parameters) THEN 'warning' WHEN bool_or(j.explained !~ '^-') THEN 'note' ELSE 'ok' END,
        CASE
            WHEN bool_or(shows.parameters) THEN 'logs slow statements with their parameters'
            WHEN bool_or(j.explained !~ '^-') THEN 'logs slow statements without their parameters'
            ELSE 'logs nothing'
        END,
        'slow statements are logged, if at all, without their parameters',
        COALESCE(
            string_agg(clerk.set_for(j.rolname, 'auto_explain.log_parameter_max_length', '0'), ' ' ORDER BY j.rolname) FILTER (WHERE shows.parameters),
            'Pass secrets as parameters ($1), not in the statement.'
        ),
        CASE WHEN bool_or(shows.parameters) THEN clerk.sql_as_superuser() ELSE 'your own scripts' END
    FROM judged AS j, LATERAL (
        SELECT current_setting('server_version_num')::integer >= 160000 AND j.explained !~ '^-' AND j.explained_parameters IS DISTINCT FROM '0'
    ) AS shows (parameters)
$body$;
COMMENT ON FUNCTION clerk.doctor_logging() IS
    'Checks of clerk.doctor(): statement logging. STABLE. Callable by the owner.';
