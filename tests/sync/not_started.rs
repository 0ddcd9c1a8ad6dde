//! Runs that no worker can take: whoever waits is told why, the run says so, and it is not tried hundreds of times a second.

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::Value;

use crate::scene::{Scene, told, wait, wait_until, world};

fn server() -> Cluster {
    Cluster::start(&[("log_min_messages", "debug1")])
}

/// How many workers were asked for that work off runs.
fn registered(cluster: &Cluster) -> usize {
    let line = " registering background worker \"clerk_sync: sync runs\"";
    cluster.log().matches(line).count()
}

/// Waits in `CALL clerk.backfill()` for five seconds. Gives what it was told meanwhile.
fn follow(db: &TestDb, role: &str) -> String {
    let (mut session, notices) = db.connect_with_notices(role);
    session.run("SET statement_timeout = '5s'");
    let ended = session.query("CALL clerk.backfill()", &[]).map(drop);
    let told: Vec<_> = notices.take().into_iter().map(|notice| notice.message).collect();
    let told = told.join("\n");
    let sqlstate = ended.expect_err(&told).code().map(|code| code.code().to_owned());
    assert_eq!(sqlstate.as_deref(), Some("57014"), "{told}");
    told
}

fn last_run(owner: &mut Client) -> Value {
    let id: i64 = owner.value("SELECT max(id) FROM clerk.sync_runs");
    told(owner, id)
}

/// What `clerk.doctor()` says of runs.
fn doctor(owner: &mut Client) -> String {
    owner.value(
        "SELECT string_agg(concat_ws(' ', d.status, d.found), E'\\n') FROM clerk.doctor() AS d WHERE d.\"check\" = 'runs'",
    )
}

#[test]
fn a_worker_that_cannot_load_its_library() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(120), 50);
    scene.quiet();
    let mut owner = scene.owner();
    // A worker loads it before it connects, so what the database sets is for sessions only.
    owner.run(&format!(
        "ALTER DATABASE {} SET dynamic_library_path = '$libdir'",
        scene.db.name()
    ));
    cluster.configure(&[("dynamic_library_path", "/nowhere")]);
    let mut elsewhere = cluster.superuser();
    elsewhere.run("SELECT pg_reload_conf()");
    wait_until("the setting is read", || {
        elsewhere
            .value::<bool>("SELECT current_setting('dynamic_library_path') = '/nowhere'")
            .then_some(())
    });
    let mut owner = scene.owner();
    let before = registered(&cluster);
    let notices = follow(&scene.db, "postgres");
    let tried = registered(&cluster) - before;
    println!("{tried} workers in five seconds");
    assert!((1..=8).contains(&tried), "{tried}");
    assert!(notices.contains("could not load its library"), "{notices}");
    assert!(!notices.contains("max_worker_processes"), "{notices}");
    let run = last_run(&mut owner);
    assert_eq!(run["state"], "queued", "{run:#}");
    assert!(
        run["last_error"]
            .as_str()
            .is_some_and(|error| error.contains("could not load its library")),
        "{run:#}"
    );
    assert!(
        doctor(&mut owner).contains("could not load its library"),
        "{}",
        doctor(&mut owner)
    );

    // Others who ask a worker learn the same, and none is said to have given no answer.
    for call in ["clerk.webhook_portal_url()", "clerk.refresh_jwks()"] {
        owner.run("UPDATE clerk.instances SET jwks_url = 'http://127.0.0.1:9/jwks.json'");
        let failure = owner.failure(&format!("SELECT {call}"));
        assert!(
            failure.message.contains("could not load its library"),
            "{failure:?}"
        );
    }

    cluster.configure(&[("dynamic_library_path", "$libdir")]);
    elsewhere.run("SELECT pg_reload_conf()");
    owner.run("CALL clerk.backfill()");
    let run = last_run(&mut owner);
    assert_eq!(
        (&run["state"], &run["last_error"]),
        (&"done".into(), &Value::Null),
        "{run:#}"
    );
}

/// Gives the extension an owner of its own, in a session of whom what is wrong is put right again.
fn owned(scene: &Scene, role: &str) {
    let mut superuser = scene.owner();
    let name = scene.db.name();
    superuser.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role};
         DROP EXTENSION clerk_sync CASCADE; DROP SCHEMA IF EXISTS clerk CASCADE; SET ROLE {role}; CREATE EXTENSION clerk_sync"
    ));
    scene.configure();
    scene.quiet();
}

#[test]
fn the_reason_is_the_servers() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(121), 50);
    owned(&scene, "keeper");
    let mut superuser = scene.owner();
    let name = scene.db.name();
    let newer = superuser.value::<i32>("SELECT current_setting('server_version_num')::integer") >= 170_000;
    // Limits of connections do not hold for workers, in the servers of today.
    for (break_it, mend_it, reason) in [
        (
            "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {name} TO PUBLIC",
            "permission denied for database",
        ),
        (
            "ALTER ROLE keeper NOLOGIN",
            "ALTER ROLE keeper LOGIN",
            "may not log in",
        ),
    ] {
        if newer && reason == "may not log in" {
            continue;
        }
        superuser.run(&break_it.replace("{name}", name));
        if reason == "may not log in" {
            // Nothing is even asked for.
            let failure = superuser.failure("CALL clerk.backfill()");
            assert!(failure.message.contains(reason), "{failure:?}");
        } else {
            let notices = follow(&scene.db, "postgres");
            assert!(notices.contains(reason), "{reason}: {notices}");
            let run = last_run(&mut superuser);
            assert!(
                run["last_error"]
                    .as_str()
                    .is_some_and(|error| error.contains(reason)),
                "{run:#}"
            );
        }
        superuser.run(&mend_it.replace("{name}", name));
    }
    superuser.run("CALL clerk.backfill()");
}

#[test]
fn without_a_free_slot_that_is_what_is_said() {
    let cluster = Cluster::start(&[("max_worker_processes", "0")]);
    let (scene, _) = Scene::on(&cluster, world(122), 10);
    let mut owner = scene.owner();
    let notices = follow(&scene.db, "postgres");
    assert!(
        notices.contains("no background worker is free to work off runs"),
        "{notices}"
    );
    // Maintenance notes it too.
    owner.run("UPDATE clerk.sync_runs SET last_error = NULL WHERE true; SELECT clerk.maintain()");
    let run = last_run(&mut owner);
    assert!(
        run["last_error"]
            .as_str()
            .is_some_and(|error| error.starts_with("no background worker is free")),
        "{run:#}"
    );
}

/// The worker begins, but cannot take a run.
#[test]
fn runs_that_cannot_be_taken_say_why() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(123), 10);
    scene.quiet();
    let mut owner = scene.owner();
    owner.run(
        "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF new.state = 'running' AND old.state = 'queued' THEN RAISE 'not today'; END IF; RETURN new; END $$;
         CREATE TRIGGER no BEFORE UPDATE ON clerk.sync_runs FOR EACH ROW EXECUTE FUNCTION public.no()",
    );
    let id: i64 = owner.value("SELECT clerk.start_backfill()");
    wait_until("the run says why", || {
        let run = told(&mut owner, id);
        run["last_error"]
            .as_str()
            .is_some_and(|error| error.contains("not today"))
            .then_some(())
    });
    let run = told(&mut owner, id);
    assert_eq!(run["state"], "queued");
    assert!(!run["next_attempt_at"].is_null(), "{run:#}");
    assert!(doctor(&mut owner).contains("not today"));
    owner.run("DROP TRIGGER no ON clerk.sync_runs; SELECT clerk.start_backfill()");
    assert_eq!(wait(&mut owner, id), "done");
}
