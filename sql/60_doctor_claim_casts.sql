-- clerk.doctor(): request.jwt.claims in a text in SQL, cast to json.

-- The pattern is for SQL as somebody typed it, or as Postgres prints it. nullif(current_setting(…)::json, …) does not help, and
-- nullif(current_setting(…), …) stays.
CREATE FUNCTION clerk.with_nullif(sql text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT regexp_replace(sql, format('(?<!nullif\s*\(\s*|[.]\s*)%1$s|(?<![.]\s*)%1$s(?!\s*,)', setting.pattern), 'nullif(\&, '''')', 'gi')
    FROM (VALUES ('(\mpg_catalog\s*[.]\s*)?\mcurrent_setting\s*\(\s*''request\.jwt\.claims''(\s*::\s*text)?\s*(,[^(),]+)?\)')) AS setting (pattern)
$body$;
COMMENT ON FUNCTION clerk.with_nullif(text) IS
    'A text in SQL with nullif(…, '''') around what reads the setting request.jwt.claims. NULL for NULL. IMMUTABLE. Callable by the owner.';

-- A function around the setting is taken for one that leaves '' as it is, except nullif(). In PL/pgSQL a value is cast to the type
-- of its variable.
CREATE FUNCTION clerk.casts_claims_to_json(sql text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT clerk.sql_code(sql, '{request.jwt.claims}') ~ concat_ws('|',
        value.pattern || '( \)| : : text)* : : (pg_catalog \. )?jsonb?\M',
        '\mcast \( (\( )*' || value.pattern || '( \)| : : text)* as (pg_catalog \. )?jsonb?\M',
        '\mjsonb?( not null)? (: =|=|default) ' || value.pattern)
    FROM (VALUES ('(pg_catalog \. )?\mcurrent_setting \( ''request\.jwt\.claims''( : : text)?( , [^(),]+)? \)')) AS setting (pattern),
        LATERAL (SELECT format('(%1$s|\mcoalesce \( %1$s , [^()]* \))', setting.pattern)) AS value (pattern)
$body$;
COMMENT ON FUNCTION clerk.casts_claims_to_json(text) IS
    'Whether a text in SQL or PL/pgSQL casts the setting request.jwt.claims to json or jsonb without nullif() around it, which raises where it is ''''. NULL for NULL. IMMUTABLE. Callable by the owner.';
