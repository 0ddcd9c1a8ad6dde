-- Leaving: may they, as plain SQL. Templates as in 71_ejected_identity.sql, made after those.

CREATE FUNCTION clerk.eject_authorization_templates() RETURNS TABLE (name text, definition text, purpose text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
VALUES (
    'scoped_entries', $definition$
FUNCTION %1$I.scoped_entries(list text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- One entry without a scope makes the whole claim malformed, and what hangs on it is denied.
    RETURN CASE WHEN list ~ '(^|,)[^,:]*(,|$)' THEN '{}'::text[] ELSE regexp_split_to_array(btrim(list, E' \t\n\r\f\v'), '\s*,\s*') END
$definition$,
    'The claims fea and pla: comma lists of scope:slug. Empty if malformed.'
), (
    'decoded_permissions', $definition$
FUNCTION %1$I.decoded_permissions(features text, names text, masks text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    entries CONSTANT text[] := %1$I.scoped_entries(features);
    name CONSTANT text[] := regexp_split_to_array(btrim(names, E' \t\n\r\f\v'), '\s*,\s*');
    mask CONSTANT text[] := regexp_split_to_array(btrim(masks, E' \t\n\r\f\v'), '\s*,\s*');
    -- As many masks as features: they are counted against all of them. Else only against the organization's.
    against_all CONSTANT boolean := cardinality(mask) = cardinality(entries);
    entry text;
    slug text;
    number integer := 0;
    own_number integer := 0;
    digits text;
    bits numeric;
    permissions text[] := '{}';
BEGIN
    IF num_nulls(features, names, masks) > 0 THEN
        RETURN permissions;
    END IF;
    FOREACH entry IN ARRAY entries LOOP
        number := number + 1;
        CONTINUE WHEN split_part(entry, ':', 1) NOT IN ('o', 'ou', 'uo');
        own_number := own_number + 1;
        slug := substr(entry, strpos(entry, ':') + 1);
        digits := COALESCE(mask[CASE WHEN against_all THEN number ELSE own_number END], '');
        CONTINUE WHEN slug = '' OR digits !~ '^[0-9]+$' OR length(digits) > 1024;
        bits := digits;
        FOR bit IN 1 .. cardinality(name) LOOP
            IF bits %% 2 = 1 AND name[bit] <> '' THEN
                permissions := permissions || format('org:%%s:%%s', slug, name[bit]);
            END IF;
            bits := div(bits, 2);
        END LOOP;
    END LOOP;
    RETURN permissions;
END
$function$
$definition$,
    'Permissions of a token of version 2: bit 0 of a feature''s mask is the leftmost name.'
), (
    'current_org_permissions', $definition$
FUNCTION %1$I.current_org_permissions() RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    org CONSTANT jsonb := %1$I.current_org();
BEGIN
    RETURN CASE
        WHEN org IS NULL THEN NULL
        WHEN org ? 'names' THEN %1$I.decoded_permissions(
            %1$I.filled(org -> 'features'), %1$I.filled(org -> 'names'), %1$I.filled(org -> 'masks'))
        WHEN %1$I.all_strings(org -> 'permissions') THEN ARRAY(
            SELECT 'org:' || %1$I.bare(listed.key)
            FROM jsonb_array_elements_text(org -> 'permissions') WITH ORDINALITY AS listed (key, number)
            WHERE %1$I.bare(listed.key) <> ''
            ORDER BY listed.number)
        ELSE '{}'
    END;
END
$function$
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
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY COALESCE(%1$I.current_org_permissions(), '{}') LOOP
        IF %1$I.bare(own) = %1$I.bare(permission) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$function$
$definition$,
    'Whether the user has this custom permission in the active organization; org: may be left out.'
), (
    'is_listed', $definition$
FUNCTION %1$I.is_listed(claim text, asked text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL %3$s
    SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    claims CONSTANT jsonb := %1$I.current_claims();
    scoped CONSTANT boolean := strpos(asked, ':') > 0;
    slug CONSTANT text := split_part(asked, ':', CASE WHEN scoped THEN 2 ELSE 1 END);
    scopes CONSTANT text[] := CASE
        WHEN NOT scoped THEN ARRAY['o', 'u', 'ou', 'uo']
        WHEN split_part(asked, ':', 1) IN ('o', 'org', 'organization') THEN ARRAY['o', 'ou', 'uo']
        WHEN split_part(asked, ':', 1) IN ('u', 'user') THEN ARRAY['u', 'ou', 'uo']
        ELSE '{}'
    END;
    entry text;
BEGIN
    IF slug = '' OR NOT claims ? 'sid' OR claims -> 'v' NOT IN ('1', '"1"', '2', '"2"') OR %1$I.filled(claims -> claim) IS NULL THEN
        RETURN false;
    END IF;
    FOREACH entry IN ARRAY %1$I.scoped_entries(claims ->> claim) LOOP
        IF split_part(entry, ':', 1) = ANY (scopes) AND substr(entry, strpos(entry, ':') + 1) = slug THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$function$
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
    role text DEFAULT '*', permission text DEFAULT '*', feature text DEFAULT '*', plan text DEFAULT '*', reverification text DEFAULT '*'
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
    IF reverification <> '*' THEN
        IF strpos(reverification, ':') > 0 AND minutes !~ '^[0-9]{1,9}$' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('%%L is no number of minutes', minutes),
                HINT = 'Write a preset alone, or a level and its minutes in digits, as in second_factor:30.';
        END IF;
        verified := %1$I.has_reverification(level, CASE WHEN strpos(reverification, ':') > 0 THEN minutes::integer END);
    END IF;
    signed_in := %1$I.current_user_id() IS NOT NULL;
    RETURN COALESCE(
        (role, permission, feature, plan, reverification) <> ('*', '*', '*', '*', '*') AND signed_in
            AND (role = '*' OR %1$I.has_role(role)) AND (permission = '*' OR %1$I.has_permission(permission))
            AND (feature = '*' OR %1$I.has_feature(feature)) AND (plan = '*' OR %1$I.has_plan(plan)) AND verified
            AND num_nulls(role, permission, feature, plan, reverification) = 0,
        false
    );
END
$function$
$definition$,
    'Whether the user has all that is asked. An argument left out (''*'') is not asked; NULL, an empty text and asking nothing are false.'
)
$body$;
COMMENT ON FUNCTION clerk.eject_authorization_templates() IS
    'The functions that clerk.eject() makes of those that tell what somebody may, as templates, in the order of making. IMMUTABLE. Callable by the owner.';
