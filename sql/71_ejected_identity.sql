-- Leaving: who is asking, as plain SQL over request.jwt.claims, with the meaning that src/identity and clerk-core give it.

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
    'Whose claims count: the rules of each Clerk instance by its issuers. Replace this function to change them.'
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
        -- Null, an empty string and a list of nothing else name no audience.
        WHEN CASE jsonb_typeof(claims -> 'aud')
            WHEN 'array' THEN jsonb_path_exists(claims -> 'aud', 'strict $[*] ? (@.type() != "null" && (@.type() != "string" || @ != ""))')
            ELSE claims -> 'aud' NOT IN ('null', '""')
        END AND NOT (
            (jsonb_typeof(claims -> 'aud') = 'string' OR %1$I.all_strings(claims -> 'aud'))
            AND jsonb_path_exists(claims -> 'aud', '$[*] ? (@ == $accepted[*])', jsonb_build_object('accepted', instance -> 'audiences'))
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
    instance := CASE jsonb_typeof(claims -> 'iss') WHEN 'string' THEN %1$I.trusted_instances() -> (claims ->> 'iss') END;
    IF instance IS NULL THEN
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
    'Who uses the session in the user''s place: a person or an agent; NULL normally.'
), (
    'current_actor_type', $definition$
FUNCTION %1$I.current_actor_type() RETURNS text
    LANGUAGE sql STABLE PARALLEL %3$s
    RETURN (
        SELECT CASE WHEN c.claims #> '{act,type}' = '"agent"' AND jsonb_typeof(c.claims -> 'act') = 'object' THEN 'agent' ELSE 'user' END
        FROM %1$I.current_claims() AS c (claims) WHERE c.claims -> 'act' <> 'null'
    )
$definition$,
    'Who that is: agent for a program that acts for the user, user for a person who impersonates the user; NULL normally.'
), (
    'current_org', $definition$
FUNCTION %1$I.current_org() RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    claims CONSTANT jsonb := %1$I.current_claims();
    org CONSTANT jsonb := CASE
        WHEN NOT claims ? 'sid' THEN NULL
        WHEN NOT claims ? 'v' OR claims -> 'v' IN ('1', '"1"') THEN jsonb_build_object(
            'id', claims -> 'org_id', 'slug', claims -> 'org_slug', 'role', claims -> 'org_role', 'permissions', claims -> 'org_permissions')
        WHEN claims -> 'v' IN ('2', '"2"') AND jsonb_typeof(claims -> 'o') = 'object' THEN jsonb_build_object(
            'id', claims #> '{o,id}', 'slug', claims #> '{o,slg}', 'role', claims #> '{o,rol}',
            'features', claims -> 'fea', 'names', claims #> '{o,per}', 'masks', claims #> '{o,fpm}')
    END;
BEGIN
    RETURN CASE WHEN %1$I.filled(org -> 'id') IS NOT NULL THEN org END;
END
$function$
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
        IF key ~ '[.]|->' AND key NOT LIKE '%%://%%' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('claim() was asked for %%L; a path is given as separate arguments', key),
                HINT = format('Write claim(%%s).', (
                    SELECT string_agg(quote_literal(btrim(part, ' ''"')), ', ' ORDER BY number)
                    FROM regexp_split_to_table(key, '->>|->|[.]') WITH ORDINALITY AS parts (part, number)
                ));
        END IF;
    END LOOP;
    RETURN %1$I.current_claims() #>> path;
END
$function$
$definition$,
    'One value out of the claims: claim(''o'', ''id''). A path with dots or arrows raises 22023.'
)
$body$;
COMMENT ON FUNCTION clerk.eject_identity_templates() IS
    'The functions that clerk.eject() makes of those that tell who is asking, as templates, in the order of making. IMMUTABLE. Callable by the owner.';

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
        SELECT COALESCE(jsonb_object_agg(known.issuer, jsonb_build_object(
            'authorized_parties', to_jsonb(i.authorized_parties),
            'allow_missing_azp', i.allow_missing_azp,
            'audiences', to_jsonb(i.audiences),
            'accept_template_tokens', i.accept_template_tokens,
            'treat_pending_as_signed_out', i.treat_pending_as_signed_out
        )), '{}')
        FROM clerk.instances AS i, unnest(i.issuer || i.other_issuers) AS known (issuer)
    ) AS trusted (instances),
    (
        SELECT t.*, 1 FROM clerk.eject_identity_templates() WITH ORDINALITY AS t
        UNION ALL SELECT t.*, 2 FROM clerk.eject_authorization_templates() WITH ORDINALITY AS t
    ) AS t (name, definition, purpose, number, part),
    LATERAL (VALUES
        (1, 'function', 'CREATE ' || format(btrim(t.definition, E'\n'), target, trusted.instances,
            CASE WHEN server.can_ask THEN 'SAFE' ELSE 'UNSAFE' END,
            CASE WHEN server.can_ask
                THEN $claims$IF setting IS NOT JSON OBJECT WITH UNIQUE KEYS OR NOT pg_input_is_valid(setting, 'jsonb') THEN
        RETURN NULL;
    END IF;
    claims := setting::jsonb;$claims$
                ELSE $claims$BEGIN
        claims := setting::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;
    -- jsonb has forgotten what came twice.
    IF jsonb_typeof(claims) <> 'object'
        OR (SELECT count(*) FROM json_object_keys(setting::json)) <> (SELECT count(*) FROM jsonb_object_keys(claims))
        OR (CASE jsonb_typeof(claims -> 'o') WHEN 'object' THEN
            (SELECT count(*) FROM json_object_keys(setting::json -> 'o')) <> (SELECT count(*) FROM jsonb_object_keys(claims -> 'o')) END)
    THEN
        RETURN NULL;
    END IF;$claims$
            END)),
        (2, 'comment', format('COMMENT ON FUNCTION %I.%I IS %L', target, t.name, t.purpose))
    ) AS wanted (number, step, statement)
    ORDER BY t.part, t.number, wanted.number
$body$;
COMMENT ON FUNCTION clerk.eject_identity(text) IS
    'The statements of clerk.eject() that make the identity helpers in a schema. Nothing for NULL. STABLE. Callable by the owner.';
