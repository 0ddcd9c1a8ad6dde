-- What the roles of an API may use: service_role, the people who are signed in, and what PostgREST shows of it.

CREATE FUNCTION clerk.change_service(grantee regrole, give boolean) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT clerk.change_grants(grantee, give, ARRAY[
        'clerk.apply_event', 'clerk.apply_events', 'clerk.apply_objects', 'clerk.ensure_current_user', 'clerk.receive_webhook'
    ]::regproc[], ARRAY[
        'clerk.users', 'clerk.organizations', 'clerk.organization_memberships', 'clerk.organization_invitations',
        'clerk.organization_domains', 'clerk.invitations', 'clerk.roles', 'clerk.permissions', 'clerk.sessions',
        'clerk.waitlist_entries', 'clerk.subscriptions', 'clerk.subscription_items', 'clerk.payment_attempts',
        'clerk.existing_users', 'clerk.existing_organizations', 'clerk.existing_organization_memberships',
        'clerk.existing_organization_invitations', 'clerk.existing_organization_domains', 'clerk.existing_invitations',
        'clerk.existing_roles', 'clerk.existing_permissions', 'clerk.existing_sessions', 'clerk.existing_waitlist_entries',
        'clerk.existing_subscriptions', 'clerk.existing_subscription_items', 'clerk.existing_payment_attempts',
        'clerk.me', 'clerk.profiles', 'clerk.my_memberships', 'clerk.my_organizations'
    ]::regclass[])
$body$;
COMMENT ON FUNCTION clerk.change_service(regrole, boolean) IS
    'What clerk.grant_service() and clerk.revoke_service() have in common. Callable by the owner.';

CREATE FUNCTION clerk.grant_service(grantee regrole) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT clerk.change_service(grantee, true)';
COMMENT ON FUNCTION clerk.grant_service(regrole) IS
    'Lets a role read the whole mirror, private metadata included, and bring events without a signature. Installing gives it to service_role where there is such a role. Does nothing for NULL. Callable by the owner.';

CREATE FUNCTION clerk.revoke_service(grantee regrole) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT clerk.change_service(grantee, false)';
COMMENT ON FUNCTION clerk.revoke_service(regrole) IS
    'Takes back what clerk.grant_service() gave. Does nothing for NULL. Callable by the owner.';

CREATE FUNCTION clerk.change_reader(grantee regrole, give boolean) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT clerk.change_grants(grantee, give, ARRAY['clerk.ensure_current_user']::regproc[],
        ARRAY['clerk.me', 'clerk.profiles', 'clerk.my_memberships', 'clerk.my_organizations']::regclass[])
$body$;
COMMENT ON FUNCTION clerk.change_reader(regrole, boolean) IS
    'What clerk.grant_reader() and clerk.revoke_reader() have in common. Callable by the owner.';

CREATE FUNCTION clerk.grant_reader(grantee regrole) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT clerk.change_reader(grantee, true)';
COMMENT ON FUNCTION clerk.grant_reader(regrole) IS
    'Lets the signed-in people of a role see what concerns them: clerk.me, profiles, my_memberships and my_organizations; and lets them call clerk.ensure_current_user(). Installing gives it to authenticated where there is such a role. Does nothing for NULL. Callable by the owner.';

CREATE FUNCTION clerk.revoke_reader(grantee regrole) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT clerk.change_reader(grantee, false)';
COMMENT ON FUNCTION clerk.revoke_reader(regrole) IS
    'Takes back what clerk.grant_reader() gave. Does nothing for NULL. Callable by the owner.';

-- Every object that expose_api() can make, as templates for format() with the schema as %1$I. None of them can do more than its caller:
-- they run with the caller's rights, so each role is also granted what lies behind. A function is told from others of its name by
-- its arguments: whoever may create in an exposed schema may have made some.
CREATE FUNCTION clerk.api_objects()
    RETURNS TABLE (name text, kind text, arguments text, definition text, purpose text, grantees text[], behind text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
VALUES (
    'clerk_webhook', 'FUNCTION', 'json',
    -- One argument without a name: so PostgREST hands over the body as it came, byte by byte. The status is set and not raised, because
    -- an error would undo what was stored.
    $definition$
        FUNCTION %1$I.clerk_webhook(json) RETURNS json
            LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
            SET search_path = ''
        AS $function$
        DECLARE
            headers pg_catalog.jsonb := '{}'::pg_catalog.jsonb;
            answer pg_catalog.jsonb;
        BEGIN
            BEGIN
                headers := COALESCE(NULLIF(pg_catalog.current_setting('request.headers', true), ''), '{}')::pg_catalog.jsonb;
            EXCEPTION WHEN OTHERS THEN
                -- Not JSON, so not of PostgREST: as if there were none.
                NULL;
            END;
            answer := clerk.receive_webhook(COALESCE($1::pg_catalog.text, ''), headers);
            PERFORM pg_catalog.set_config('response.status', answer->>'http_status', true);
            RETURN answer;
        END
        $function$
    $definition$,
    'Receives Clerk''s webhooks: the endpoint to enter in Clerk''s dashboard.',
    ARRAY['anon', 'service_role'], 'clerk.receive_webhook'
), (
    'clerk_ensure_current_user', 'FUNCTION', '',
    $definition$
        FUNCTION %1$I.clerk_ensure_current_user() RETURNS jsonb
            LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
            SET search_path = ''
            AS 'SELECT clerk.ensure_current_user()'
    $definition$,
    'Sees to it that the signed-in user has a row, without waiting for the webhook.',
    ARRAY['authenticated'], 'clerk.ensure_current_user'
), (
    'clerk_whoami', 'FUNCTION', '',
    $definition$
        FUNCTION %1$I.clerk_whoami() RETURNS json
            LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
            SET search_path = ''
            AS 'SELECT pg_catalog.row_to_json(caller) FROM clerk.whoami() AS caller'
    $definition$,
    -- Anon too: whoever arrives as anon and should not is who needs it.
    'Who the database thinks is asking, and what may be wrong with that.',
    ARRAY['anon', 'authenticated'], 'clerk.whoami'
), (
    'clerk_me', 'VIEW', NULL,
    'VIEW %1$I.clerk_me WITH (security_invoker = on) AS SELECT * FROM clerk.me',
    'The signed-in user''s own data.',
    ARRAY['authenticated'], 'clerk.me'
), (
    'clerk_profiles', 'VIEW', NULL,
    'VIEW %1$I.clerk_profiles WITH (security_invoker = on) AS SELECT * FROM clerk.profiles',
    'Name and image of the signed-in user and of everybody in the same organizations.',
    ARRAY['authenticated'], 'clerk.profiles'
), (
    'clerk_my_organizations', 'VIEW', NULL,
    'VIEW %1$I.clerk_my_organizations WITH (security_invoker = on) AS SELECT * FROM clerk.my_organizations',
    'The organizations of the signed-in user, with the role there.',
    ARRAY['authenticated'], 'clerk.my_organizations'
)
$body$;
COMMENT ON FUNCTION clerk.api_objects() IS
    'What clerk.expose_api() can make. Callable by the owner.';

-- Ours is what says so and belongs to somebody who could have called expose_api(): a stranger's object must not pass for ours.
CREATE FUNCTION clerk.exposed_api() RETURNS TABLE (schema text, name text, kind text, arguments text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT n.nspname, known.name, known.kind, known.arguments
    FROM clerk.api_objects() AS known
    JOIN (
        SELECT 'FUNCTION', oidvectortypes(p.proargtypes), 'pg_proc'::regclass, p.oid, p.proname, p.pronamespace, p.proowner
        FROM pg_proc AS p
        UNION ALL
        SELECT 'VIEW', NULL, 'pg_class'::regclass, c.oid, c.relname, c.relnamespace, c.relowner FROM pg_class AS c WHERE c.relkind = 'v'
    ) AS found (kind, arguments, catalog, id, name, schema_id, owner_id)
        ON found.kind = known.kind AND found.name = known.name AND found.arguments IS NOT DISTINCT FROM known.arguments
    JOIN pg_description AS comment ON comment.classoid = found.catalog AND comment.objoid = found.id AND comment.objsubid = 0
    JOIN pg_namespace AS n ON n.oid = found.schema_id
    JOIN pg_roles AS owner ON owner.oid = found.owner_id
    WHERE comment.description LIKE '%clerk.expose_api()%'
      AND (owner.rolsuper OR owner.rolname = current_user OR owner.oid = (SELECT nspowner FROM pg_namespace WHERE nspname = 'clerk'))
$body$;
COMMENT ON FUNCTION clerk.exposed_api() IS
    'What clerk.expose_api() has made, in every schema. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.check_api(schema text, include text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    known CONSTANT text[] := ARRAY(SELECT o.name FROM clerk.api_objects() AS o);
    one_name text;
BEGIN
    IF schema IS NULL OR array_position(include, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = CASE WHEN schema IS NULL THEN 'schema must not be NULL' ELSE 'include must not contain NULL' END,
            HINT = CASE WHEN schema IS NULL THEN 'Name one that PostgREST shows (db_schemas), such as public.'
                ELSE 'Take the NULL out of include, or leave include out.' END;
    END IF;
    IF schema IN ('clerk', 'information_schema') OR starts_with(schema, 'pg_') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s is no schema for an API', quote_ident(schema)),
            HINT = 'Name one that PostgREST shows (db_schemas), such as public.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = schema) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_schema_name',
            MESSAGE = format('schema "%s" does not exist', schema),
            HINT = 'Name one that PostgREST shows (db_schemas), such as public.';
    END IF;
    FOREACH one_name IN ARRAY include LOOP
        IF array_position(known, one_name) IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the API has no object %s', quote_ident(one_name)),
                HINT = format('It has %s.', array_to_string(known, ', '));
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION clerk.check_api(text, text[]) IS
    'Raises if clerk.expose_api() cannot use a schema (22004, 22023, 3F000) or has no such object (22004, 22023). Callable by the owner.';

-- How a statement names an object.
CREATE FUNCTION clerk.api_identity(schema text, object text, arguments text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $body$ SELECT format('%I.%I', schema, object) || COALESCE('(' || arguments || ')', '') $body$;
COMMENT ON FUNCTION clerk.api_identity(text, text, text) IS
    'The name of an object with its schema and, if it is a function, its arguments. Callable by the owner.';

CREATE FUNCTION clerk.make_api_object(schema text, object text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    home CONSTANT regnamespace := quote_ident(schema)::regnamespace;
    wanted record;
    identity text;
    made oid;
    other regprocedure;
    grantee text;
    role regrole;
BEGIN
    SELECT * INTO STRICT wanted FROM clerk.api_objects() AS o WHERE o.name = object;
    identity := clerk.api_identity(schema, object, wanted.arguments);

    IF NOT EXISTS (SELECT FROM clerk.exposed_api() AS e WHERE e.schema = make_api_object.schema AND e.name = object)
        AND (CASE wanted.kind WHEN 'FUNCTION' THEN to_regprocedure(identity)::oid ELSE to_regclass(identity)::oid END) IS NOT NULL
    THEN
        RAISE EXCEPTION USING
            ERRCODE = CASE wanted.kind WHEN 'FUNCTION' THEN 'duplicate_function' ELSE 'duplicate_object' END,
            MESSAGE = format('%s exists and was not made by clerk.expose_api()', identity),
            HINT = 'Rename or drop it, leave it out by include, or name another schema.';
    END IF;
    EXECUTE format('CREATE OR REPLACE ' || wanted.definition, schema);
    EXECUTE format('COMMENT ON %s %s IS %L', wanted.kind, identity,
        wanted.purpose || E'\nMade by clerk.expose_api(); clerk.hide_api() removes it.');
    -- A superuser would also have replaced what somebody made meanwhile, and left it to them.
    IF NOT EXISTS (SELECT FROM clerk.exposed_api() AS e WHERE e.schema = make_api_object.schema AND e.name = object) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('%s belongs to somebody who made it just now', identity),
            HINT = 'Drop it, and see who may create objects in the schema.';
    END IF;
    made := CASE wanted.kind WHEN 'FUNCTION' THEN to_regprocedure(identity)::oid ELSE to_regclass(identity)::oid END;
    FOR other IN
        SELECT p.oid FROM pg_proc AS p
        WHERE wanted.kind = 'FUNCTION' AND p.pronamespace = home AND p.proname = object AND p.oid <> made
    LOOP
        RAISE WARNING USING
            MESSAGE = format('%s is there too and was not made by clerk.expose_api()', other),
            HINT = 'PostgREST may not know which of the two to call: drop it, and see who may create objects in the schema.';
    END LOOP;

    -- Default privileges may have let anybody in.
    FOR grantee IN
        SELECT DISTINCT CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE entry.grantee::regrole::text END
        FROM (
            SELECT COALESCE(p.proacl, acldefault('f', p.proowner)), p.proowner FROM pg_proc AS p
            WHERE wanted.kind = 'FUNCTION' AND p.oid = made
            UNION ALL
            SELECT COALESCE(c.relacl, acldefault('r', c.relowner)), c.relowner FROM pg_class AS c
            WHERE wanted.kind = 'VIEW' AND c.oid = made
        ) AS it (acl, owner_id), aclexplode(it.acl) AS entry
        WHERE entry.grantee <> it.owner_id
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s CASCADE', CASE wanted.kind WHEN 'VIEW' THEN 'TABLE' ELSE wanted.kind END, identity, grantee);
    END LOOP;
    FOR role IN SELECT r.oid FROM pg_roles AS r WHERE r.rolname = ANY (wanted.grantees) LOOP
        PERFORM clerk.change_grants(
            role, true,
            CASE wanted.kind WHEN 'FUNCTION' THEN ARRAY[made::regproc, wanted.behind::regproc] ELSE '{}' END,
            CASE wanted.kind WHEN 'VIEW' THEN ARRAY[made::regclass, wanted.behind::regclass] ELSE '{}' END
        );
    END LOOP;
END
$body$;
COMMENT ON FUNCTION clerk.make_api_object(text, text) IS
    'Makes one object for clerk.expose_api(), or makes it anew, and lets in exactly whom it is for. Callable by the owner.';

CREATE FUNCTION clerk.expose_api(schema text DEFAULT 'public', include text[] DEFAULT NULL) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    chosen CONSTANT text[] := COALESCE(include, ARRAY(SELECT o.name FROM clerk.api_objects() AS o));
    role text;
BEGIN
    PERFORM clerk.check_api(schema, chosen);
    PERFORM clerk.tell_postgrest_to_read(repeat => true);
    PERFORM clerk.make_api_object(schema, one_name) FROM unnest(chosen) AS one_name;
    FOR role IN
        SELECT DISTINCT wanted FROM clerk.api_objects() AS o, unnest(o.grantees) AS wanted WHERE o.name = ANY (chosen) ORDER BY wanted
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
            RAISE NOTICE USING
                MESSAGE = format('there is no role "%s", so nothing was granted to it', role),
                HINT = 'Call clerk.expose_api() again once there is one.';
        ELSIF NOT has_schema_privilege(role, schema, 'USAGE') THEN
            RAISE NOTICE USING
                MESSAGE = format('role "%s" may not use schema "%s" yet', role, schema),
                HINT = format('Run GRANT USAGE ON SCHEMA %I TO %I.', schema, role);
        END IF;
    END LOOP;
    RETURN ARRAY(SELECT format('%I.%I', e.schema, e.name) FROM clerk.exposed_api() AS e WHERE e.schema = expose_api.schema ORDER BY e.name);
END
$body$;
COMMENT ON FUNCTION clerk.expose_api(text, text[]) IS
    'Makes the objects that PostgREST may show, in a schema of its db_schemas: the functions clerk_webhook (for anon and service_role), clerk_whoami (for anon and authenticated) and clerk_ensure_current_user, and the views clerk_me, clerk_profiles and clerk_my_organizations (for authenticated); include names some of them. They run with the rights of their caller, and nobody else may use them. Again, it makes them anew and sets their grants back. Returns what the schema then has. Raises 22004 if schema is NULL or include contains NULL, 22023 for an unknown name or a schema that is not for an API, 3F000 for a missing one, 42723 or 42710 if something else has the name, and for a function the arguments. Another function of that name is a WARNING, a role that does not exist a NOTICE. Call clerk.hide_api() before dropping the extension. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.hide_api(schema text DEFAULT 'public') RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    object record;
    dropped text[] := ARRAY[]::text[];
BEGIN
    PERFORM clerk.check_api(schema);
    PERFORM clerk.tell_postgrest_to_read(repeat => true);
    FOR object IN SELECT * FROM clerk.exposed_api() AS e WHERE e.schema = hide_api.schema ORDER BY e.name LOOP
        EXECUTE format('DROP %s %s', object.kind, clerk.api_identity(object.schema, object.name, object.arguments));
        dropped := dropped || format('%I.%I', object.schema, object.name);
    END LOOP;
    PERFORM clerk.change_grants(r.oid, false, ARRAY['clerk.receive_webhook']::regproc[], '{}') FROM pg_roles AS r
    WHERE r.rolname = 'anon' AND NOT EXISTS (SELECT FROM clerk.exposed_api() AS e WHERE e.name = 'clerk_webhook');
    RETURN dropped;
END
$body$;
COMMENT ON FUNCTION clerk.hide_api(text) IS
    'Drops what clerk.expose_api() made in a schema, and nothing else; returns what that was. Once no schema shows clerk_webhook, anon may no longer call clerk.receive_webhook(). Raises 22004, 22023 and 3F000 as expose_api(), and 2BP01 if something depends on one of the views. VOLATILE. Callable by the owner.';
