//! What the API is after a dump and a restore.

use std::process::Command;

use clerk_tests::{Cluster, Sql, TestDb};
use serde_json::json;

use crate::pooled::{Pooled, ids};
use crate::scene::{Scene, user_created};

#[test]
fn a_restored_database_has_the_same_api() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    scene.pooled().deliver(&body, &scene.headers("msg_1", &body));
    let exposed =
        "SELECT string_agg(concat_ws(' ', schema, name, kind), ', ' ORDER BY name) FROM clerk.exposed_api()";
    let before: String = scene.db.superuser().value(exposed);
    let dump = dump(&scene.db);
    assert!(dump.contains("clerk_webhook") && !scene.secret.is_in(&dump));
    restore(&dump, "restored");

    let mut owner = Cluster::shared().connect_to("restored", "postgres");
    assert_eq!(owner.value::<String>(exposed), before);
    let mut pooled = Pooled::new(Cluster::shared().connect_to("restored", "app"));
    let answer = pooled.deliver(&body, &scene.headers("msg_2", &body));
    assert_eq!(answer.verdict(), (500, "rejected", "webhook-secret-missing"));
    scene.secret.add(&mut owner);
    let answer = pooled.deliver(&body, &scene.headers("msg_1", &body));
    assert_eq!(answer.verdict(), (200, "duplicate", ""), "the ledger came along");
    assert_eq!(
        ids(&mut pooled.request_of("user_ada"), "public.clerk_me"),
        ["user_ada"]
    );
    let failure = pooled
        .request(&json!({"role": "anon"}))
        .failure("SELECT FROM public.clerk_me");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    let hidden: Vec<String> = owner.value("SELECT clerk.hide_api()");
    assert_eq!(hidden.len(), 6, "{hidden:?}");
}

/// The database as a script.
fn dump(db: &TestDb) -> String {
    run(db.cluster().pg_binary("pg_dump").arg(db.name()))
}

/// Makes a database from a script, without a single error.
fn restore(dump: &str, database: &str) {
    let cluster = Cluster::shared();
    cluster.superuser().run(&format!("CREATE DATABASE {database}"));
    let file = cluster.directory().join("dump.sql");
    std::fs::write(&file, dump).expect("the dump can be written");
    run(cluster
        .pg_binary("psql")
        .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"])
        .args(["--dbname", database, "--file"])
        .arg(&file));
}

/// Runs one of PostgreSQL's programs, which must succeed; gives its output.
fn run(program: &mut Command) -> String {
    let output = program.output().expect("the program can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("what it writes is UTF-8")
}
