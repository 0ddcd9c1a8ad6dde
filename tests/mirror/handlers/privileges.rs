//! As whom a handler runs, and what it can do with that.

use clerk_tests::{Cluster, Failure, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::Value;

use super::{Scene, failed, succeeded, user_event};

/// Last errors of the queued calls.
fn errors(scene: &mut Scene) -> Vec<String> {
    let errors = "SELECT last_error FROM clerk.handler_runs ORDER BY id";
    let rows = scene.owner.query(errors, &[]).expect("the calls can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_handler_runs_as_the_role_that_registered_it_and_stays_so() {
    let mut scene = Scene::new();
    let attempts = [
        ("role", "EXECUTE 'SET ROLE postgres'"),
        ("local_role", "EXECUTE 'SET LOCAL ROLE postgres'"),
        ("config", "PERFORM set_config('role', 'postgres', false)"),
        ("session", "EXECUTE 'SET SESSION AUTHORIZATION postgres'"),
        ("reset_role", "EXECUTE 'RESET ROLE'"),
        ("reset_session", "EXECUTE 'RESET SESSION AUTHORIZATION'"),
        ("discard", "EXECUTE 'DISCARD ALL'"),
        ("temporary", "CREATE TEMPORARY TABLE t (i int)"),
        ("read", "PERFORM 1 FROM clerk.secrets"),
        ("file", "PERFORM pg_read_file('/etc/passwd')"),
        (
            "superuser",
            "EXECUTE 'ALTER ROLE ' || quote_ident(current_user) || ' SUPERUSER'",
        ),
    ];
    for (name, body) in attempts {
        scene.handle("*", name, body);
    }
    scene.handle("*", "works", "NULL");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);
    scene.wait_until_tried();
    let errors = errors(&mut scene);
    assert_eq!(errors.len(), attempts.len());
    for (error, (name, _)) in errors.iter().zip(attempts) {
        let is_denied = ["42501", "25001"].iter().any(|code| error.starts_with(code));
        assert!(is_denied, "{name}: {error}");
    }
    let role: String = scene.owner.value("SELECT role FROM app.calls");
    assert_eq!(role, scene.role);
}

#[test]
fn what_a_handler_sets_is_gone_for_the_next() {
    let mut scene = Scene::new();
    scene.handle(
        "*",
        "sets",
        "SET search_path = app; PERFORM set_config('clerk.jwt', 'x', false); PERFORM set_config('app.x', 'y', false)",
    );
    scene.handle(
        "*",
        "reads",
        "INSERT INTO app.calls (handler) VALUES (concat_ws('|', current_setting('search_path'), current_setting('clerk.jwt', true), current_setting('app.x', true)))",
    );
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(3);
    let read: String = scene
        .owner
        .value("SELECT handler FROM app.calls ORDER BY number DESC LIMIT 1");
    assert_eq!(read.trim_end_matches('|'), "pg_catalog, pg_temp");
}

#[test]
fn a_security_definer_function_runs_as_its_owner() {
    let mut scene = Scene::new();
    let author = format!("author_{}", scene.db.name());
    scene.owner.run(&format!(
        "CREATE ROLE {author};
         CREATE SCHEMA library AUTHORIZATION {author};
         GRANT USAGE ON SCHEMA library TO {role};
         CREATE TABLE library.notes (role text);
         ALTER TABLE library.notes OWNER TO {author};
         CREATE FUNCTION library.note(event jsonb) RETURNS void LANGUAGE sql SECURITY DEFINER
             AS 'INSERT INTO library.notes VALUES (current_user)';
         ALTER FUNCTION library.note OWNER TO {author}",
        role = scene.role
    ));
    scene.registrant.run("SELECT clerk.on_event('*', 'library.note')");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_done();
    assert_eq!(
        scene.owner.value::<String>("SELECT role FROM library.notes"),
        author
    );
}

/// A database whose owner is no superuser and has installed the extension there, and a session of that role.
struct Trusted {
    name: String,
    role: String,
    owner: Client,
}

impl Trusted {
    fn new(name: &str) -> Self {
        let role = format!("{name}_owner");
        Cluster::shared()
            .superuser()
            .run(&format!("CREATE ROLE {role} LOGIN CREATEROLE"));
        Cluster::shared()
            .superuser()
            .run(&format!("CREATE DATABASE {name} OWNER {role}"));
        let mut owner = Cluster::shared().connect_to(name, &role);
        owner.run(
            "CREATE EXTENSION clerk_sync;
             CREATE TABLE public.calls (role text, is_superuser boolean);
             GRANT INSERT ON public.calls TO PUBLIC;
             CREATE FUNCTION public.note(event jsonb) RETURNS void LANGUAGE sql AS $$
                 INSERT INTO public.calls SELECT current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user
             $$",
        );
        Self {
            name: name.to_owned(),
            role,
            owner,
        }
    }

    fn superuser(&self) -> Client {
        Cluster::shared().connect_to(&self.name, "postgres")
    }

    /// A new role with a function of its own that it may register.
    fn new_role(&self, name: &str) -> (String, Client) {
        let role = format!("{}_{name}", self.name);
        self.superuser().run(&format!(
            "CREATE ROLE {role} LOGIN;
             CREATE SCHEMA {role} AUTHORIZATION {role};
             GRANT EXECUTE ON FUNCTION clerk.on_event TO {role}"
        ));
        let mut session = Cluster::shared().connect_to(&self.name, &role);
        session.run(&format!(
            "CREATE FUNCTION {role}.note(event jsonb) RETURNS void LANGUAGE sql AS $$
                 INSERT INTO public.calls SELECT current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user
             $$"
        ));
        (role, session)
    }

    /// Has an event come and its handlers called; gives the roles that they ran as.
    fn roles_after(&mut self, svix_id: &str) -> Vec<(String, bool)> {
        let event = user_event("user.created", "user_ada", 1);
        self.owner
            .query("SELECT clerk.apply_event($1, $2)", &[&Json(event), &svix_id])
            .expect("it is applied");
        super::wait_until("every call was made or has failed", || {
            self.owner
                .value::<i64>("SELECT count(*) FROM clerk.handler_runs WHERE attempts = 0")
                == 0
        });
        let rows = self
            .owner
            .query("SELECT role, is_superuser FROM public.calls ORDER BY role", &[])
            .expect("the calls can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    fn last_error(&mut self) -> String {
        self.owner
            .value("SELECT last_error FROM clerk.handler_runs ORDER BY id DESC LIMIT 1")
    }
}

/// What an administrator is told who must let the owner become a role.
fn assert_refused(failure: &Failure, hint: &str) {
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    assert!(
        failure.hint.as_ref().is_some_and(|text| text.contains(hint)),
        "{failure:?}"
    );
}

#[test]
fn the_owner_of_the_extension_must_be_allowed_to_become_the_role() {
    let mut db = Trusted::new("handlers_trusted");
    db.owner.run("SELECT clerk.on_event('*', 'public.note')");
    let own = (db.role.clone(), false);
    assert_eq!(db.roles_after("msg_1"), std::slice::from_ref(&own));

    let (role, mut session) = db.new_role("app");
    let register = format!("SELECT clerk.on_event('*', '{role}.note')");
    let failure = session.failure(&register);
    assert_refused(&failure, &format!("GRANT {role} TO {}", db.role));
    db.superuser().run(&format!("GRANT {role} TO {}", db.role));
    session.run(&register);
    let both = [(role.clone(), false), own.clone(), own.clone()];
    assert_eq!(db.roles_after("msg_2"), both);

    // Also at every call.
    db.superuser().run(&format!("REVOKE {role} FROM {}", db.role));
    let calls = db.roles_after("msg_3");
    assert_eq!(calls.iter().filter(|(name, _)| *name == role).count(), 1);
    assert!(
        db.last_error()
            .starts_with("42501: the owner of extension clerk_sync")
    );
    db.superuser()
        .run(&format!("ALTER ROLE {role} RENAME TO {role}_renamed"));
    db.roles_after("msg_4");
    assert!(db.last_error().starts_with("42704: role"), "{}", db.last_error());
}

/// Before 17 a worker cannot connect as such a role. Deliveries go on, and `maintain` says what is to be done.
#[test]
fn an_owner_who_may_not_log_in() {
    let mut db = Trusted::new("handlers_nologin");
    db.owner.run("SELECT clerk.on_event('*', 'public.note')");
    db.superuser().run(&format!("ALTER ROLE {} NOLOGIN", db.role));
    if db
        .owner
        .value::<i32>("SELECT current_setting('server_version_num')::int")
        >= 170_000
    {
        assert_eq!(db.roles_after("msg_1"), [(db.role.clone(), false)]);
        return;
    }
    let event = Json(user_event("user.created", "user_ada", 1));
    let apply = "SELECT clerk.apply_event($1)";
    db.owner.query(apply, &[&event]).expect("it is applied");
    let Json(report): Json<Value> = db.owner.value("SELECT clerk.maintain()");
    let error = report["handlers"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("may not log in"), "{report}");
    db.superuser().run(&format!("ALTER ROLE {} LOGIN", db.role));
    db.owner.run("SELECT clerk.maintain()");
    let called: i64 = db.owner.value("SELECT count(*) FROM public.calls");
    assert_eq!(called, 1);
}

/// From 16 on a membership may come without the right to SET ROLE.
#[test]
fn a_membership_without_set_is_not_enough() {
    let db = Trusted::new("handlers_without_set");
    let mut superuser = db.superuser();
    if superuser.value::<i32>("SELECT current_setting('server_version_num')::int") < 160_000 {
        return;
    }
    let (role, mut session) = db.new_role("app");
    superuser.run(&format!("GRANT {role} TO {} WITH SET FALSE", db.role));
    let failure = session.failure(&format!("SELECT clerk.on_event('*', '{role}.note')"));
    assert_refused(&failure, "GRANT");
}

#[test]
fn no_superuser_is_a_handlers_role_unless_one_owns_the_extension() {
    let mut db = Trusted::new("handlers_superuser");
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE FUNCTION public.of_superuser(event jsonb) RETURNS void LANGUAGE sql AS $$
             INSERT INTO public.calls SELECT current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user
         $$",
    );
    let failure = superuser.failure("SELECT clerk.on_event('*', 'public.of_superuser')");
    assert_refused(&failure, "no superuser");

    // The owner can write the table, and says that a superuser registered what the owner or a superuser made.
    db.owner.run(
        "INSERT INTO clerk.event_handlers (pattern, handler, registered_by, include_repairs)
         VALUES ('*', 'public.note', 'postgres', false), ('*', 'public.of_superuser', 'postgres', false)",
    );
    assert_eq!(db.roles_after("msg_1"), []);
    assert!(db.last_error().starts_with("42501"), "{}", db.last_error());
    // Not even if the owner is a member of a superuser's role, or a superuser runs maintain().
    superuser.run(&format!("GRANT postgres TO {}", db.role));
    assert_eq!(db.roles_after("msg_2"), []);
    superuser
        .run("UPDATE clerk.handler_runs SET next_attempt_at = clock_timestamp(); SELECT clerk.maintain()");
    assert_eq!(db.roles_after("msg_3"), []);
    let attempted: i32 = db.owner.value("SELECT max(attempts) FROM clerk.handler_runs");
    assert_eq!(attempted, 2);
    superuser.run(&format!("REVOKE postgres FROM {}", db.role));

    let mut scene = Scene::new();
    scene.owner.run(
        "CREATE FUNCTION public.note(event jsonb) RETURNS void LANGUAGE sql
             AS 'INSERT INTO app.calls (handler, event) VALUES (''superuser'', event)';
         SELECT clerk.on_event('*', 'public.note')",
    );
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);
    assert_eq!(
        scene.owner.value::<String>("SELECT role FROM app.calls"),
        "postgres"
    );
}

#[test]
fn a_handler_puts_nothing_off_until_somebody_else_is_the_role() {
    let mut scene = Scene::new();
    scene.registrant.run(
        "CREATE TABLE app.plants (role text);
         CREATE FUNCTION app.plant() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO app.plants VALUES (current_user); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER later AFTER INSERT ON app.calls DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION app.plant()",
    );
    scene.handle("*", "note", "NULL");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    assert_eq!(scene.owner.value::<i64>("SELECT count(*) FROM app.plants"), 0);
    assert!(errors(&mut scene)[0].starts_with("42501"));
    scene.make_due();
    assert_eq!(scene.maintain(), failed(1));

    scene
        .registrant
        .run("DROP TRIGGER later ON app.calls; CREATE TRIGGER now AFTER INSERT ON app.calls FOR EACH ROW EXECUTE FUNCTION app.plant()");
    scene.make_due();
    assert_eq!(scene.maintain(), succeeded(1));
    assert_eq!(
        scene.owner.value::<String>("SELECT role FROM app.plants"),
        scene.role
    );
}
