//! Every way that SQL offers somebody signed in, to see what is not theirs.

use std::io::Read;

use clerk_tests::{Failure, Notices, Sql};
use postgres::{Client, SimpleQueryMessage};
use serde_json::json;

use crate::pooled::claims;
use crate::scene::{Scene, event};
use crate::visibility::{PRIVATE, populate};

/// In the name of somebody whom the caller has nothing to do with.
const STRANGER: &str = "STRANGERMARKER";

/// A session of somebody signed in, who may run any statement.
struct Session {
    client: Client,
    notices: Notices,
}

impl Session {
    fn of(scene: &Scene, user: &str) -> Self {
        let (mut client, notices) = scene.db.connect_with_notices("authenticated");
        client
            .execute(
                "SELECT set_config('request.jwt.claims', $1, false)",
                &[&claims(user).to_string()],
            )
            .expect("claims can be set");
        Self { client, notices }
    }

    /// All that the statement lets be seen: rows, notices and the error; and the error's SQLSTATE.
    fn shown_by(&mut self, statement: &str) -> (String, String) {
        let (mut shown, mut sqlstate) = (String::new(), String::new());
        match self.client.simple_query(statement) {
            Ok(messages) => {
                for message in messages {
                    if let SimpleQueryMessage::Row(row) = message {
                        for column in 0..row.len() {
                            shown += row.get(column).unwrap_or_default();
                            shown += " ";
                        }
                    }
                }
            }
            Err(error) => {
                let failure = Failure::from(error);
                shown += &format!("{failure:?}");
                sqlstate = failure.sqlstate;
            }
        }
        shown += &format!("{:?}", self.notices.take());
        (shown, sqlstate)
    }
}

fn assert_nothing(shown: &str, statement: &str) {
    for marker in [PRIVATE, STRANGER] {
        assert!(!shown.contains(marker), "{statement} shows {shown}");
    }
}

fn scene() -> Scene {
    let scene = Scene::new();
    populate(&scene);
    let stranger = json!({
        "id": "user_stranger", "object": "user", "first_name": STRANGER, "username": STRANGER,
        "public_metadata": {"note": STRANGER}, "private_metadata": {"note": PRIVATE},
        "created_at": 1_750_000_000_000_i64, "updated_at": 1_750_000_000_000_i64,
    });
    scene.deliver(&[event("user.created", 1_750_000_000_000, stranger)]);
    // So that there are statistics to look at, and functions that tell what they are given.
    scene.db.superuser().run(
        "ANALYZE; GRANT CREATE ON SCHEMA public TO authenticated;
         CREATE FUNCTION public.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
             AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'",
    );
    scene
}

/// Tables and columns that are nobody's but the owner's and the service's are refused, in whatever kind of statement.
#[test]
fn what_is_not_granted_is_refused_in_every_statement() {
    let scene = scene();
    let mut session = Session::of(&scene, "user_ada");
    for statement in [
        "SELECT private_metadata FROM clerk.users",
        "SELECT count(private_metadata) FROM clerk.users",
        "SELECT FROM clerk.users WHERE private_metadata::text LIKE '%PRIVATE%'",
        "SELECT u FROM clerk.users AS u",
        "TABLE clerk.users",
        "SELECT ctid, xmin FROM clerk.users",
        "SELECT id FROM clerk.users TABLESAMPLE system (100)",
        "SELECT data FROM clerk.existing_users",
        "SELECT private_metadata FROM clerk.organizations",
        "SELECT private_metadata FROM clerk.organization_memberships",
        "SELECT private_metadata FROM clerk.organization_invitations",
        "SELECT payload FROM clerk.webhook_events",
        "SELECT address_hash FROM clerk.former_addresses",
        "SELECT clerk.address_hash('a@example.com')",
        "EXPLAIN SELECT FROM clerk.users WHERE private_metadata IS NOT NULL",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT private_metadata FROM clerk.users",
        "COPY clerk.users TO STDOUT",
        "COPY (SELECT private_metadata FROM clerk.users) TO STDOUT",
        "UPDATE clerk.users SET first_name = first_name RETURNING private_metadata",
        "DELETE FROM clerk.users RETURNING private_metadata",
        "INSERT INTO clerk.users (id) VALUES ('user_ada') ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING private_metadata",
        "MERGE INTO clerk.users AS u USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
        "UPDATE clerk.me SET first_name = 'x' RETURNING *",
        "DELETE FROM public.clerk_me RETURNING *",
        "SELECT FROM clerk.users FOR UPDATE",
        "DO 'BEGIN LOCK TABLE clerk.users IN ACCESS SHARE MODE; END'",
        "CREATE TEMP TABLE mine AS SELECT private_metadata FROM clerk.users",
        "CREATE TABLE public.mine (id text REFERENCES clerk.users (id))",
        "CREATE TEMP VIEW mine AS SELECT * FROM clerk.users; SELECT * FROM mine",
        "PREPARE mine AS SELECT private_metadata FROM clerk.users; EXECUTE mine",
        "DO 'BEGIN PERFORM private_metadata FROM clerk.users; END'",
        "SELECT stavalues1 FROM pg_statistic WHERE starelid = 'clerk.users'::regclass",
        "SELECT query_to_xml('SELECT private_metadata FROM clerk.users', true, true, '')",
        "SELECT table_to_xml('clerk.users', true, true, '')",
        "SELECT clerk.apply_objects('users', '[]', now())",
        "ALTER TABLE clerk.users ADD CHECK (private_metadata IS NULL)",
        "CREATE STATISTICS mine ON id, private_metadata FROM clerk.users",
        "CREATE INDEX ON clerk.users (id)",
        "COMMENT ON COLUMN clerk.users.private_metadata IS NULL",
        "CREATE TRIGGER mine AFTER UPDATE ON clerk.users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ] {
        let (shown, sqlstate) = session.shown_by(statement);
        assert_eq!(sqlstate, "42501", "{statement}: {shown}");
        assert_nothing(&shown, statement);
    }
}

/// What is granted shows what is theirs and not more, also to a function that tells what it is given.
#[test]
fn what_is_granted_shows_no_more_than_it_says() {
    let scene = scene();
    let mut session = Session::of(&scene, "user_ada");
    let views = [
        "clerk.me",
        "clerk.profiles",
        "clerk.my_memberships",
        "clerk.my_organizations",
        "public.clerk_me",
        "public.clerk_profiles",
        "public.clerk_my_organizations",
    ];
    let mut statements = Vec::new();
    for view in views {
        for template in [
            "SELECT * FROM {view}",
            "SELECT v, to_jsonb(v), row_to_json(v) FROM {view} AS v",
            "SELECT FROM {view} AS v WHERE public.leak(v)",
            "SELECT FROM {view} AS v WHERE public.leak(v.id)",
            "SELECT FROM {view} AS v WHERE v.id::int = 1",
            "SELECT FROM {view} AS v ORDER BY public.leak(v)",
            "SELECT FROM {view} AS v GROUP BY v HAVING public.leak(v)",
            "SELECT FROM {view} AS v JOIN {view} AS w ON public.leak(v) AND public.leak(w)",
            "EXPLAIN (ANALYZE, VERBOSE, COSTS) SELECT * FROM {view} AS v WHERE public.leak(v)",
            "SELECT pg_get_viewdef('{view}'::regclass)",
            "DO 'DECLARE r record; BEGIN FOR r IN SELECT * FROM {view} LOOP RAISE NOTICE ''%'', r; END LOOP; END'",
            "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM {view}; FETCH ALL FROM c; CLOSE c",
            "SELECT query_to_xml('SELECT * FROM {view}', true, true, '')",
        ] {
            statements.push(template.replace("{view}", view));
        }
    }
    statements.extend(
        [
            "SELECT s::text FROM pg_stats AS s",
            "SELECT s::text FROM pg_stats_ext AS s",
            "SELECT s::text FROM pg_stats_ext_exprs AS s",
            "SELECT a::text FROM pg_stat_activity AS a",
            "SELECT p::text FROM pg_prepared_statements AS p",
            "SELECT c::text FROM pg_cursors AS c",
            "SELECT d::text FROM pg_description AS d",
            "SELECT clerk.current_claims(), clerk.current_user_id(), (clerk.whoami()).*",
            "SELECT clerk.ensure_current_user(), public.clerk_ensure_current_user(), public.clerk_whoami()",
            "SELECT clerk.claim('private_metadata'), clerk.claim('sub')",
            "SELECT schema_to_xml('public', true, true, '')",
        ]
        .map(str::to_owned),
    );
    for statement in &statements {
        let (shown, sqlstate) = session.shown_by(statement);
        assert_nothing(&shown, statement);
        assert_ne!(sqlstate, "42601", "{statement} says what it should: {shown}");
    }
    // The ways of looking do show what is there to be seen.
    for seeing in [
        "SELECT * FROM clerk.me",
        "SELECT FROM clerk.profiles AS v WHERE public.leak(v)",
    ] {
        let (shown, _) = session.shown_by(seeing);
        assert!(shown.contains("Ada"), "{seeing}: {shown}");
    }
    let mut copied = String::new();
    session
        .client
        .copy_out("COPY (SELECT * FROM clerk.me) TO STDOUT")
        .expect("who may read may copy")
        .read_to_string(&mut copied)
        .expect("it is text");
    assert!(copied.contains("Ada"), "{copied}");
    assert_nothing(&copied, "COPY");
}

/// Nobody signed in sees nothing at all, and neither do strangers.
#[test]
fn without_an_identity_every_view_is_empty() {
    let scene = scene();
    for claims in [
        "",
        "{}",
        "no json",
        r#"{"role": "authenticated"}"#,
        r#"{"iss": "https://clerk.sim.test"}"#,
    ] {
        let mut session = Session::of(&scene, "user_ada");
        session
            .client
            .execute("SELECT set_config('request.jwt.claims', $1, false)", &[&claims])
            .expect("claims can be set");
        for view in [
            "clerk.me",
            "clerk.profiles",
            "clerk.my_memberships",
            "clerk.my_organizations",
        ] {
            let statement = format!("SELECT v FROM {view} AS v WHERE public.leak(v)");
            let (shown, sqlstate) = session.shown_by(&statement);
            let is_refused = sqlstate.starts_with("28");
            assert!(shown == "[]" || is_refused, "{statement} with {claims}: {shown}");
        }
    }
    let mut anon = scene.db.connect("anon");
    for view in [
        "clerk.me",
        "clerk.profiles",
        "public.clerk_me",
        "public.clerk_profiles",
    ] {
        assert_eq!(anon.failure(&format!("SELECT FROM {view}")).sqlstate, "42501");
    }
}
