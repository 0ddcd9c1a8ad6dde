-- Leaving: the identity helpers as plain SQL over request.jwt.claims, with the meaning that src/identity and clerk-core give them.

-- Templates for format(): %1$I is the schema, %2$L what was configured, %3$s the parallel mark, %4$s how claims are read. The small
-- ones are SQL with a parsed body, which no search path can change; in PL/pgSQL are those that raise.
CREATE FUNCTION clerk.eject_identity_templates() RETURNS TABLE (name text, definition text, purpose text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
VALUES (
    'trusted_instances', $definition$
FUNCTION %1$I.trusted_instances() RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN %2$L::jsonb
$definition$,
    'The Clerk instances whose claims count, and their rules. Replace this function to change them.'
), (
    'filled', $definition$
FUNCTION %1$I.filled(claim jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE jsonb_typeof(claim) WHEN 'string' THEN NULLIF(claim #>> '{}', '') END
$definition$,
    'A claim that is a string and not empty; else NULL.'
), (
    'all_strings', $definition$
FUNCTION %1$I.all_strings(claim jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE jsonb_typeof(claim)
        WHEN 'array' THEN NOT jsonb_path_exists(claim, 'strict $[*] ? (@.type() <> "string")')
        ELSE false
    END
$definition$,
    'Whether a claim is an array of strings.'
), (
    'bare', $definition$
FUNCTION %1$I.bare(key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(key, '^(org:)+', '')
$definition$,
    'The key of a role or permission without org: in front.'
), (
    'refusal', $definition$
FUNCTION %1$I.refusal(claims jsonb, instance jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN %1$I.filled(claims -> 'sub') IS NULL THEN 'token-verification-failed'
        WHEN claims ->> 'sub' !~ '^user_.' THEN 'token-type-mismatch'
        WHEN NOT claims ? 'sid' AND instance -> 'accept_template_tokens' <> 'true' THEN 'token-type-mismatch'
        WHEN claims ? 'sid' AND %1$I.filled(claims -> 'sid') IS NULL THEN 'token-type-mismatch'
        WHEN claims ? 'client_id' THEN 'token-type-mismatch'
        WHEN claims -> 'aud' NOT IN ('""', '[]') AND NOT (
            (jsonb_typeof(claims -> 'aud') = 'string' OR %1$I.all_strings(claims -> 'aud'))
            AND (claims -> 'aud') ?| ARRAY(SELECT jsonb_array_elements_text(instance -> 'audiences'))
        ) THEN 'token-invalid-audience'
        WHEN instance -> 'authorized_parties' = '[]' THEN NULL
        WHEN NOT claims ? 'azp' AND instance -> 'allow_missing_azp' = 'true' THEN NULL
        WHEN jsonb_typeof(claims -> 'azp') = 'string' AND instance -> 'authorized_parties' ? (claims ->> 'azp') THEN NULL
        ELSE 'token-invalid-authorized-parties'
    END
$definition$,
    'Why claims of a trusted instance are no session''s, as Clerk''s reason code; NULL if they are.'
), (
    'current_claims', $definition$
FUNCTION %1$I.current_claims() RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    setting CONSTANT text := NULLIF(current_setting('request.jwt.claims', true), '');
    claims jsonb;
    instance jsonb;
    reason text;
BEGIN
    -- What cannot be read, or is of nobody we know, is somebody else's affair: an anon or service key, for instance.
    IF setting IS NULL OR octet_length(setting) > 16384 THEN
        RETURN NULL;
    END IF;
    %4$s
    IF jsonb_typeof(claims) <> 'object' OR EXISTS (
        SELECT FROM (VALUES (setting::json), (setting::json -> 'o'), (setting::json -> 'act')) AS part (object),
            LATERAL json_object_keys(CASE json_typeof(part.object) WHEN 'object' THEN part.object END) AS member
        GROUP BY part.object::text, member HAVING count(*) > 1
    ) THEN
        RETURN NULL;
    END IF;
    SELECT trusted INTO instance FROM jsonb_array_elements(%1$I.trusted_instances()) AS trusted
    WHERE jsonb_typeof(claims -> 'iss') = 'string' AND trusted -> 'issuers' ? (claims ->> 'iss');
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    reason := %1$I.refusal(claims, instance);
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_authorization_specification',
            MESSAGE = 'the claims are of a trusted issuer, but not of a session that is accepted here',
            DETAIL = reason,
            HINT = 'Send the token of getToken(), from an origin that is authorized.';
    END IF;
    IF claims -> 'sts' = '"pending"' AND instance -> 'treat_pending_as_signed_out' = 'true' THEN
        RETURN NULL;
    END IF;
    RETURN claims;
END
$function$
$definition$,
    'All claims of the signed-in user''s session. NULL when nobody is signed in. Raises 28000 for claims of a trusted issuer that are not a session''s.'
), (
    'current_user_id', $definition$
FUNCTION %1$I.current_user_id() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.current_claims() ->> 'sub'
$definition$,
    'The id (user_…) of the signed-in user; NULL when nobody is signed in.'
), (
    'current_session_id', $definition$
FUNCTION %1$I.current_session_id() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.current_claims() ->> 'sid'
$definition$,
    'The id (sess_…) of the session.'
), (
    'current_actor_id', $definition$
FUNCTION %1$I.current_actor_id() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.filled(%1$I.current_claims() #> '{act,sub}')
$definition$,
    'Who impersonates the user; NULL normally.'
), (
    'current_org', $definition$
FUNCTION %1$I.current_org() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN (
        SELECT found.org
        FROM (
            SELECT CASE
                WHEN NOT claims ? 'sid' THEN NULL
                WHEN NOT claims ? 'v' THEN jsonb_build_object(
                    'id', claims -> 'org_id', 'slug', claims -> 'org_slug', 'role', claims -> 'org_role',
                    'permissions', claims -> 'org_permissions')
                WHEN claims -> 'v' IN ('2', '"2"') AND jsonb_typeof(claims -> 'o') = 'object' THEN jsonb_build_object(
                    'id', claims #> '{o,id}', 'slug', claims #> '{o,slg}', 'role', claims #> '{o,rol}',
                    'features', claims -> 'fea', 'names', claims #> '{o,per}', 'masks', claims #> '{o,fpm}')
            END
            FROM %1$I.current_claims() AS claims
        ) AS found (org)
        WHERE %1$I.filled(found.org -> 'id') IS NOT NULL
    )
$definition$,
    'The active organization as the token has it, of version 1 or 2; NULL if none is active.'
), (
    'current_org_id', $definition$
FUNCTION %1$I.current_org_id() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.current_org() ->> 'id'
$definition$,
    'The id (org_…) of the active organization; NULL if none is active.'
), (
    'current_org_slug', $definition$
FUNCTION %1$I.current_org_slug() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.filled(%1$I.current_org() -> 'slug')
$definition$,
    'The slug of the active organization; NULL also where slugs are off.'
), (
    'current_org_role', $definition$
FUNCTION %1$I.current_org_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN 'org:' || NULLIF(%1$I.bare(%1$I.filled(%1$I.current_org() -> 'role')), '')
$definition$,
    'The role in the active organization, always with exactly one org: in front.'
), (
    'scoped_entries', $definition$
FUNCTION %1$I.scoped_entries(list text) RETURNS TABLE ("position" bigint, of_org boolean, of_user boolean, slug text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT entry.number, split_part(entry.word, ':', 1) IN ('o', 'ou', 'uo'), split_part(entry.word, ':', 1) IN ('u', 'ou', 'uo'),
        substr(entry.word, strpos(entry.word, ':') + 1)
    FROM (
        SELECT part.number, btrim(part.word, E' \t\n\r\f\v') FROM string_to_table(list, ',') WITH ORDINALITY AS part (word, number)
    ) AS entry (number, word)
    -- One entry without a scope makes the whole claim malformed, and what hangs on it is denied.
    WHERE NOT EXISTS (SELECT FROM string_to_table(list, ',') AS other (word) WHERE strpos(other.word, ':') = 0);
END
$definition$,
    'The claims fea and pla: comma lists of scope:slug.'
), (
    'decoded_permissions', $definition$
FUNCTION %1$I.decoded_permissions(features text, names text, masks text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (
        WITH feature AS (
            SELECT entry."position", entry.of_org, entry.slug, row_number() OVER (PARTITION BY entry.of_org ORDER BY entry."position") AS own
            FROM %1$I.scoped_entries(features) AS entry
        ), mask AS (
            SELECT part.number, btrim(part.word, E' \t\n\r\f\v') AS digits
            FROM string_to_table(masks, ',') WITH ORDINALITY AS part (word, number)
        ), permission AS (
            SELECT part.number, btrim(part.word, E' \t\n\r\f\v') AS verb
            FROM string_to_table(names, ',') WITH ORDINALITY AS part (word, number)
        ), counted AS (
            -- As many masks as features: they are counted against all of them. Else only against the organization's.
            SELECT (SELECT count(*) FROM mask) = (SELECT count(*) FROM feature) AS against_all
        )
        SELECT COALESCE(array_agg('org:' || feature.slug || ':' || permission.verb ORDER BY feature."position", permission.number), '{}')
        FROM counted
        CROSS JOIN feature
        JOIN mask ON mask.number = CASE WHEN counted.against_all THEN feature."position" ELSE feature.own END
        JOIN permission ON CASE
            WHEN mask.digits ~ '^[0-9]+$' AND length(mask.digits) <= 1024
            THEN div(mask.digits::numeric, power(2::numeric, (permission.number - 1)::numeric)) %% 2 = 1
            ELSE false
        END
        WHERE feature.of_org AND feature.slug <> '' AND permission.verb <> ''
    )
$definition$,
    'Permissions of a token of version 2: bit 0 of a feature''s mask is the leftmost name.'
), (
    'current_org_permissions', $definition$
FUNCTION %1$I.current_org_permissions() RETURNS text[]
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN (
        SELECT CASE
            WHEN org ? 'names' THEN %1$I.decoded_permissions(
                %1$I.filled(org -> 'features'), %1$I.filled(org -> 'names'), %1$I.filled(org -> 'masks'))
            WHEN %1$I.all_strings(org -> 'permissions') THEN ARRAY(
                SELECT 'org:' || %1$I.bare(listed.key)
                FROM jsonb_array_elements_text(org -> 'permissions') WITH ORDINALITY AS listed (key, number)
                WHERE %1$I.bare(listed.key) <> ''
                ORDER BY listed.number)
            ELSE '{}'
        END
        FROM %1$I.current_org() AS org
        WHERE org IS NOT NULL
    )
$definition$,
    'The custom permissions in the active organization as org:feature:verb; NULL if none is active.'
), (
    'has_role', $definition$
FUNCTION %1$I.has_role(role text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN COALESCE(%1$I.bare(%1$I.current_org_role()) = %1$I.bare(role), false)
$definition$,
    'Whether the user has this role in the active organization; org: may be left out.'
), (
    'has_permission', $definition$
FUNCTION %1$I.has_permission(permission text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN EXISTS (
        SELECT FROM unnest(%1$I.current_org_permissions()) AS own (key) WHERE %1$I.bare(own.key) = %1$I.bare(permission)
    )
$definition$,
    'Whether the user has this custom permission in the active organization; org: may be left out.'
), (
    'is_listed', $definition$
FUNCTION %1$I.is_listed(claim text, asked text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN EXISTS (
        SELECT FROM %1$I.current_claims() AS claims, %1$I.scoped_entries(%1$I.filled(claims -> claim)) AS entry
        WHERE claims ? 'sid' AND claims -> 'v' IN ('2', '"2"') AND entry.slug <> '' AND CASE
            WHEN strpos(asked, ':') = 0 THEN entry.slug = asked AND (entry.of_org OR entry.of_user)
            ELSE entry.slug = split_part(asked, ':', 2) AND CASE split_part(asked, ':', 1)
                WHEN 'o' THEN entry.of_org WHEN 'org' THEN entry.of_org WHEN 'organization' THEN entry.of_org
                WHEN 'u' THEN entry.of_user WHEN 'user' THEN entry.of_user
                ELSE false
            END
        END
    )
$definition$,
    'Whether a slug, or scope:slug, is in the claim fea or pla.'
), (
    'has_feature', $definition$
FUNCTION %1$I.has_feature(feature text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.is_listed('fea', feature)
$definition$,
    'Whether the active organization or the user has this feature; o:name and u:name ask one of them.'
), (
    'has_plan', $definition$
FUNCTION %1$I.has_plan(plan text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN %1$I.is_listed('pla', plan)
$definition$,
    'Whether the active organization or the user is on this plan; o:name and u:name ask one of them.'
), (
    'has_reverification', $definition$
FUNCTION %1$I.has_reverification(preset_or_level text, after_minutes integer DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    is_preset CONSTANT boolean := preset_or_level IN ('strict_mfa', 'strict', 'moderate', 'lax');
    level CONSTANT text := CASE preset_or_level
        WHEN 'strict_mfa' THEN 'multi_factor' WHEN 'strict' THEN 'second_factor' WHEN 'moderate' THEN 'second_factor'
        WHEN 'lax' THEN 'second_factor' ELSE preset_or_level
    END;
    minutes CONSTANT integer := CASE preset_or_level
        WHEN 'strict_mfa' THEN 10 WHEN 'strict' THEN 10 WHEN 'moderate' THEN 60 WHEN 'lax' THEN 1440 ELSE after_minutes
    END;
    claims jsonb;
    first numeric;
    second numeric;
BEGIN
    IF preset_or_level IS NULL THEN
        RETURN false;
    END IF;
    IF level NOT IN ('first_factor', 'second_factor', 'multi_factor') OR COALESCE(minutes, 0) <= 0
        OR is_preset AND after_minutes IS NOT NULL
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%%L with %%L minutes is no reverification', preset_or_level, after_minutes),
            HINT = 'Use a preset (strict_mfa, strict, moderate, lax), or a level (first_factor, second_factor, multi_factor) with the minutes after which it is too old.';
    END IF;
    claims := %1$I.current_claims();
    IF NOT claims ? 'sid' OR jsonb_typeof(claims -> 'fva') IS DISTINCT FROM 'array'
        OR jsonb_path_query_array(claims, 'strict $.fva[*].type()') <> '["number", "number"]'
    THEN
        RETURN false;
    END IF;
    first := (claims #>> '{fva,0}')::numeric;
    second := (claims #>> '{fva,1}')::numeric;
    -- -1 is never: not enrolled, or not verified.
    IF first < 0 AND first <> -1 OR second < 0 AND second <> -1 THEN
        RETURN false;
    END IF;
    RETURN CASE
        WHEN level = 'first_factor' OR second = -1 THEN first <> -1 AND first < minutes
        WHEN level = 'second_factor' THEN second < minutes
        ELSE first <> -1 AND first < minutes AND second < minutes
    END;
END
$function$
$definition$,
    'Whether the session''s factors were verified recently enough: a preset, or a level with minutes. Anything else raises 22023.'
), (
    'has', $definition$
FUNCTION %1$I.has(
    role text DEFAULT '', permission text DEFAULT '', feature text DEFAULT '', plan text DEFAULT '', reverification text DEFAULT ''
) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    level CONSTANT text := split_part(reverification, ':', 1);
    minutes CONSTANT text := substr(reverification, strpos(reverification, ':') + 1);
    verified boolean := true;
    signed_in boolean;
BEGIN
    IF reverification <> '' THEN
        verified := %1$I.has_reverification(level, CASE
            WHEN strpos(reverification, ':') > 0 AND minutes ~ '^[-+]?[0-9]{1,9}$' THEN minutes::integer
        END);
    END IF;
    signed_in := %1$I.current_user_id() IS NOT NULL;
    RETURN COALESCE(
        role || permission || feature || plan || reverification <> '' AND signed_in
            AND (role = '' OR %1$I.has_role(role)) AND (permission = '' OR %1$I.has_permission(permission))
            AND (feature = '' OR %1$I.has_feature(feature)) AND (plan = '' OR %1$I.has_plan(plan)) AND verified,
        false
    );
END
$function$
$definition$,
    'Whether the user has all that is asked. An argument left out ('''') is not asked; NULL is false; asking nothing is false.'
), (
    'claim', $definition$
FUNCTION %1$I.claim(VARIADIC path text[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    key text;
BEGIN
    IF path IS NULL THEN
        RETURN NULL;
    END IF;
    FOREACH key IN ARRAY path LOOP
        IF key LIKE '%%.%%' AND key NOT LIKE '%%://%%' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('claim() was asked for %%L; a path is given as separate arguments', key),
                HINT = format('Write claim(''%%s'').', replace(key, '.', ''', '''));
        END IF;
    END LOOP;
    RETURN %1$I.current_claims() #>> path;
END
$function$
$definition$,
    'One value out of the claims: claim(''o'', ''id''). A dotted path raises 22023.'
)
$body$;
COMMENT ON FUNCTION clerk.eject_identity_templates() IS
    'The functions that clerk.eject() makes of the identity helpers, as templates, in the order of making. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_identity(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT wanted.step, format('%I.%I', target, t.name), wanted.statement
    FROM (
        -- Postgres 15 can only try whether a text is JSON, and what tries cannot run in parallel workers.
        SELECT current_setting('server_version_num')::integer >= 160000
    ) AS server (can_ask),
    (
        SELECT COALESCE(jsonb_agg(jsonb_build_object(
            'issuers', to_jsonb(i.issuer || i.other_issuers),
            'authorized_parties', to_jsonb(i.authorized_parties),
            'allow_missing_azp', i.allow_missing_azp,
            'audiences', to_jsonb(i.audiences),
            'accept_template_tokens', i.accept_template_tokens,
            'treat_pending_as_signed_out', i.treat_pending_as_signed_out
        ) ORDER BY i.created_at, i.issuer), '[]')
        FROM clerk.instances AS i
    ) AS trusted (instances),
    clerk.eject_identity_templates() WITH ORDINALITY AS t (name, definition, purpose, number),
    LATERAL (VALUES
        (1, 'function', 'CREATE ' || format(btrim(t.definition, E'\n'), target, trusted.instances,
            CASE WHEN server.can_ask THEN 'SAFE' ELSE 'UNSAFE' END,
            CASE WHEN server.can_ask
                THEN 'IF NOT pg_input_is_valid(setting, ''jsonb'') THEN
        RETURN NULL;
    END IF;
    claims := setting::jsonb;'
                ELSE 'BEGIN
        claims := setting::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;'
            END)),
        (2, 'comment', format('COMMENT ON FUNCTION %I.%I IS %L', target, t.name, t.purpose))
    ) AS wanted (number, step, statement)
    ORDER BY t.number, wanted.number
$body$;
COMMENT ON FUNCTION clerk.eject_identity(text) IS
    'The statements of clerk.eject() that make the identity helpers in a schema. Nothing for NULL. STABLE. Callable by the owner.';
