-- Who is asking. Plain C functions: a policy calls them once per row.
-- No SECURITY DEFINER and no SET on any of them: either would cost a microsecond per row, and they touch no table.

CREATE FUNCTION clerk.current_user_id() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_user_id';
COMMENT ON FUNCTION clerk.current_user_id() IS
    'The id (user_…) of the signed-in user. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_session_id() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_session_id';
COMMENT ON FUNCTION clerk.current_session_id() IS
    'The id (sess_…) of the caller''s session; NULL also for an accepted template token. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_org_id() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_org_id';
COMMENT ON FUNCTION clerk.current_org_id() IS
    'The id (org_…) of the active organization; NULL if none is active. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_org_slug() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_org_slug';
COMMENT ON FUNCTION clerk.current_org_slug() IS
    'The slug of the active organization; NULL also where slugs are off. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_org_role() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_org_role';
COMMENT ON FUNCTION clerk.current_org_role() IS
    'The caller''s role in the active organization, always with exactly one org: in front (org:admin), whatever the token''s version. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_org_permissions() RETURNS text[]
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_org_permissions';
COMMENT ON FUNCTION clerk.current_org_permissions() IS
    'The caller''s custom permissions in the active organization as org:feature:verb, decoded from token version 1 or 2. System permissions (org:sys_…) are never in a token. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_actor_id() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_actor_id';
COMMENT ON FUNCTION clerk.current_actor_id() IS
    'Who uses the session in the user''s place (act.sub): a person who impersonates the user, or an agent, as current_actor_type() says; NULL normally. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_actor_type() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_actor_type';
COMMENT ON FUNCTION clerk.current_actor_type() IS
    'Who uses the session in the user''s place: agent for a program that acts for the user (act.type is agent), user for a person who impersonates the user and for whatever else act says; NULL normally. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.current_claims() RETURNS jsonb
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_current_claims';
COMMENT ON FUNCTION clerk.current_claims() IS
    'All claims of the caller''s token. NULL when nobody is signed in through Clerk: nothing set, claims of no configured instance (anon and service keys, GoTrue), or a pending session. Raises class 28 with Clerk''s reason code in DETAIL when clerk.jwt holds a faulty token, or claims of a configured instance are no session''s or not by an authorized party. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.claim(VARIADIC path text[]) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_claim';
COMMENT ON FUNCTION clerk.claim(text[]) IS
    'One value out of the caller''s claims, as current_claims() #>> path: claim(''o'', ''id''), claim(''metadata'', ''plan''). NULL if it is not there, null, or nobody is signed in. A path with dots or arrows is refused (22023) with the right spelling as hint; names that are URLs are not. Otherwise raises as current_claims(). STABLE. Callable by everyone.';

-- Leakproof: by argument it neither raises nor logs.
CREATE FUNCTION clerk.has_role(role text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'clerk_has_role';
COMMENT ON FUNCTION clerk.has_role(text) IS
    'Whether the caller has this role in the active organization; org: may be left out (admin is org:admin). As has() of Clerk''s SDKs. False for NULL, for what is unknown or malformed, and when nobody is signed in; never NULL. Raises as current_user_id(), never by its argument. STABLE, LEAKPROOF. Callable by everyone.';

-- Leakproof: by argument it neither raises nor logs.
CREATE FUNCTION clerk.has_permission(permission text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'clerk_has_permission';
COMMENT ON FUNCTION clerk.has_permission(text) IS
    'Whether the caller has this custom permission (org:feature:verb; org: may be left out) in the active organization. As has() of Clerk''s SDKs. False for NULL, for what is unknown or malformed, and when nobody is signed in; never NULL. Raises as current_user_id(), never by its argument. STABLE, LEAKPROOF. Callable by everyone.';

-- Leakproof: by argument it neither raises nor logs.
CREATE FUNCTION clerk.has_feature(feature text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'clerk_has_feature';
COMMENT ON FUNCTION clerk.has_feature(text) IS
    'Whether the active organization or the user has this feature. o:name and u:name ask only one of them. As has() of Clerk''s SDKs. False for NULL, for what is unknown or malformed, and when nobody is signed in; never NULL. Raises as current_user_id(), never by its argument. STABLE, LEAKPROOF. Callable by everyone.';

-- Leakproof: by argument it neither raises nor logs.
CREATE FUNCTION clerk.has_plan(plan text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF
    AS 'MODULE_PATHNAME', 'clerk_has_plan';
COMMENT ON FUNCTION clerk.has_plan(text) IS
    'Whether the active organization or the user is on this plan. o:name and u:name ask only one of them. As has() of Clerk''s SDKs. False for NULL, for what is unknown or malformed, and when nobody is signed in; never NULL. Raises as current_user_id(), never by its argument. STABLE, LEAKPROOF. Callable by everyone.';

CREATE FUNCTION clerk.has_reverification(preset_or_level text, after_minutes integer DEFAULT NULL) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_has_reverification';
COMMENT ON FUNCTION clerk.has_reverification(text, integer) IS
    'Whether the session''s factors were verified recently enough: a preset (strict_mfa, strict, moderate, lax), or a level (first_factor, second_factor, multi_factor) with the minutes after which it is too old. As has({reverification}) of Clerk''s SDKs; an age equal to the minutes is too old. False for NULL, without factor ages in the token, and when nobody is signed in. An unknown preset or level, a level without minutes, or minutes with a preset raise 22023. STABLE. Callable by everyone.';

CREATE FUNCTION clerk.has(
    role text DEFAULT '*', permission text DEFAULT '*', feature text DEFAULT '*', plan text DEFAULT '*', reverification text DEFAULT '*'
) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_has';
COMMENT ON FUNCTION clerk.has(text, text, text, text, text) IS
    'Whether the caller has all that is asked, as has() of Clerk''s SDKs: has(role => ''org:admin'', plan => ''pro''). An argument left out (''*'') is not asked; NULL, an empty text and asking nothing are false. reverification is a preset, or level:minutes as in second_factor:30; any other text raises 22023. STABLE. Callable by everyone.';
