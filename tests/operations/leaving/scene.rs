//! A project that uses the extension for all that can be rewritten, under names that invite mistakes.

use std::sync::OnceLock;

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;

use super::claims::{FIRST, FIRST_OTHER, PARTY, SECOND};

/// The application. `Docs` holds documents of people and organizations.
const APPLICATION: &str = r#"
    CREATE SCHEMA "Shop clerk.users";
    GRANT USAGE ON SCHEMA "Shop clerk.users" TO anon, authenticated, service_role;
    CREATE TABLE "Shop clerk.users"."Docs ""clerk"".users" (
        id integer PRIMARY KEY,
        "Owner" text NOT NULL DEFAULT clerk.current_user_id()
            CONSTRAINT "clerk.users (id)" REFERENCES clerk.users ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED,
        org text DEFAULT clerk.current_org_id() REFERENCES clerk.organizations,
        clerk text NOT NULL DEFAULT 'clerk.current_user_id()',
        region text NOT NULL DEFAULT COALESCE(clerk.claim('metadata', 'region'), 'eu'),
        CONSTRAINT "clerk.has_role" CHECK (clerk.current_org_id() IS NULL OR org IS NULL OR org = clerk.current_org_id())
    );
    COMMENT ON CONSTRAINT "clerk.has_role" ON "Shop clerk.users"."Docs ""clerk"".users" IS 'clerk.has_role';
    ALTER TABLE "Shop clerk.users"."Docs ""clerk"".users" ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, INSERT, UPDATE, DELETE ON "Shop clerk.users"."Docs ""clerk"".users" TO anon, authenticated, service_role;
    CREATE POLICY "clerk.own" ON "Shop clerk.users"."Docs ""clerk"".users" FOR SELECT
        USING ("Owner" = (SELECT clerk.current_user_id()) AND "Docs ""clerk"".users".clerk <> 'clerk.users');
    CREATE POLICY members ON "Shop clerk.users"."Docs ""clerk"".users" FOR SELECT TO authenticated
        USING (EXISTS (SELECT FROM clerk.my_memberships AS clerk WHERE clerk.organization_id = org AND clerk.organization_id <> 'clerk.x'));
    CREATE POLICY writers ON "Shop clerk.users"."Docs ""clerk"".users" FOR INSERT TO authenticated
        WITH CHECK (clerk.has_permission('org:docs:write') OR clerk.has(plan => 'u:free'));
    CREATE POLICY paying ON "Shop clerk.users"."Docs ""clerk"".users" FOR UPDATE TO authenticated
        USING (clerk.has_plan('org:pro') OR clerk.has_feature('u:chat')) WITH CHECK (clerk.current_session_id() = 'sess_1');
    CREATE POLICY admins ON "Shop clerk.users"."Docs ""clerk"".users" FOR DELETE TO authenticated USING ((SELECT clerk.has_role('admin')));
    CREATE POLICY lately ON "Shop clerk.users"."Docs ""clerk"".users" AS RESTRICTIVE FOR DELETE TO authenticated
        USING (clerk.has_reverification('strict'));

    CREATE VIEW public.people WITH (security_barrier, check_option = 'local') AS
        SELECT clerk.id, clerk.first_name FROM clerk.users AS clerk WHERE NOT clerk.deleted AND clerk.id = clerk.current_user_id();
    CREATE VIEW public.tables AS SELECT 'clerk.users'::regclass = 'clerk.users'::regclass AS same, 'clerk.users'::text AS name;
    GRANT SELECT ON public.people, public.tables TO authenticated;

    -- clerk.current_user_id() in a text, in PL/pgSQL with comments and strings, and in a parsed body.
    CREATE FUNCTION public.asked() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''
        AS $$ SELECT "clerk".current_user_id() || ' of ' || (SELECT count(*) FROM clerk.users) /* clerk.me */ $$;
    CREATE FUNCTION public.parsed(wanted text DEFAULT clerk.current_org_role()) RETURNS text LANGUAGE sql STABLE
        BEGIN ATOMIC SELECT wanted || ' $function$ clerk.users'; END;
    CREATE FUNCTION public.stamped() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $function$
    DECLARE
        somebody clerk.users%ROWTYPE;
    BEGIN
        SELECT * INTO somebody FROM clerk . users AS u WHERE u.id = new."Owner"; -- it's from clerk.users
        new.clerk := format('%s by %s', new.clerk, COALESCE(somebody.first_name, 'the clerk''s own'));
        RETURN new;
    END $function$;
    CREATE TRIGGER "clerk.stamped" BEFORE INSERT ON "Shop clerk.users"."Docs ""clerk"".users"
        FOR EACH ROW WHEN (clerk.current_org_role() IS DISTINCT FROM 'clerk.users') EXECUTE FUNCTION public.stamped();
"#;

const DATA: &str = r#"
    INSERT INTO "Shop clerk.users"."Docs ""clerk"".users" (id, "Owner", org, clerk) VALUES
        (1, 'user_ada', NULL, 'a'), (2, 'user_ada', 'org_acme', 'b'), (3, 'user_bob', 'org_acme', 'c'), (4, 'user_carl', 'org_globex', 'd'),
        (5, 'user_ada', NULL, 'e');
    UPDATE "Shop clerk.users"."Docs ""clerk"".users" SET clerk = 'clerk.users' WHERE id = 5;
"#;

/// The mirror: Ada and Bob are in Acme, Carl is in Globex; Dora is gone.
const MIRROR: &str = r#"
    SELECT clerk.apply_objects('users', jsonb_agg(jsonb_build_object(
        'id', 'user_' || lower(name), 'object', 'user', 'first_name', name, 'private_metadata', jsonb_build_object('note', 'secret'),
        'created_at', 1750000000000, 'updated_at', 1750000000000)), now(), 'https://first.clerk.test')
    FROM unnest(ARRAY['Ada', 'Bob', 'Carl', 'Dora']) AS name;
    SELECT clerk.apply_objects('organizations', jsonb_agg(jsonb_build_object(
        'id', id, 'object', 'organization', 'name', id, 'created_at', 1750000000000, 'updated_at', 1750000000000)), now(), 'https://first.clerk.test')
    FROM unnest(ARRAY['org_acme', 'org_globex']) AS id;
    SELECT clerk.apply_objects('organization_memberships', jsonb_agg(jsonb_build_object(
        'id', 'orgmem_' || u, 'object', 'organization_membership', 'role', 'org:member', 'organization', jsonb_build_object('id', o),
        'public_user_data', jsonb_build_object('user_id', 'user_' || u), 'created_at', 1750000000000, 'updated_at', 1750000000000)),
        now(), 'https://first.clerk.test')
    FROM (VALUES ('ada', 'org_acme'), ('bob', 'org_acme'), ('carl', 'org_globex')) AS m (u, o);
    SELECT clerk.apply_event(jsonb_build_object('type', 'user.deleted', 'object', 'event', 'timestamp', 1750000001000,
        'data', jsonb_build_object('id', 'user_dora', 'object', 'user', 'deleted', true)));
"#;

/// The extension belongs to `project`, a role with no special rights, as in a Supabase project.
pub struct Scene {
    pub db: TestDb<'static>,
}

impl Scene {
    /// With the whole application and a filled mirror.
    pub fn new() -> Self {
        let scene = Self::bare();
        let mut owner = scene.owner();
        owner.run(MIRROR);
        owner.run(APPLICATION);
        owner.run(DATA);
        scene
    }

    /// With nothing but the extension, two instances, and the API's roles.
    pub fn bare() -> Self {
        static ROLES: OnceLock<()> = OnceLock::new();
        ROLES.get_or_init(|| {
            Cluster::shared()
                .superuser()
                .run("CREATE ROLE project LOGIN; CREATE ROLE stranger LOGIN")
        });
        let db = TestDb::shared();
        db.superuser().run(&format!(
            "DROP EXTENSION clerk_sync; DROP SCHEMA clerk; GRANT CREATE ON DATABASE {} TO project; GRANT CREATE ON SCHEMA public TO project",
            db.name()
        ));
        let scene = Self { db };
        scene.owner().run(&format!(
            "CREATE EXTENSION clerk_sync;
             SELECT clerk.configure(issuer => '{FIRST}', other_issuers => ARRAY['{FIRST_OTHER}'], jwks_url => '',
                 authorized_parties => ARRAY['{PARTY}'], keep_private_metadata => true);
             SELECT clerk.configure(issuer => '{SECOND}', jwks_url => '', additional => true, audiences => ARRAY['mine'],
                 accept_template_tokens => true, treat_pending_as_signed_out => false);"
        ));
        scene
    }

    /// A session of the extension's owner.
    pub fn owner(&self) -> Client {
        self.db.connect("project")
    }
}

/// Leaves in one transaction, as the manual says.
pub fn leave(client: &mut Client, schema: &str) {
    let mut transaction = client.transaction().expect("no transaction is open");
    transaction
        .execute("SELECT clerk.eject($1, dry_run => false)", &[&schema])
        .unwrap_or_else(|error| panic!("{:?}", clerk_tests::Failure::from(error)));
    transaction.run("SELECT clerk.uninstall(dry_run => false)");
    transaction.run("DROP EXTENSION clerk_sync; DROP SCHEMA clerk");
    transaction.commit().expect("deferred constraints hold");
}
