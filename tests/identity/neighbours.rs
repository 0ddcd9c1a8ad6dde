//! Beside another extension that defines `request.jwt.claims`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;

use crate::changes::SCENARIOS;
use crate::scene::{Caller, Setting, claims, database, some};

/// The other extension, compiled for this server.
fn other_extension() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compile("claims_guc.so", "\"\""))
}

/// The same, but its setting is NULL until somebody sets it.
fn other_extension_with_null() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compile("claims_guc_null.so", "NULL"))
}

fn compile(name: &str, initially: &str) -> PathBuf {
    let cluster = Cluster::shared();
    let library = cluster.directory().join(name);
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-I"])
        .arg(cluster.installation().directory("--includedir-server"))
        .arg(format!("-DINITIALLY={initially}"))
        .arg("-o")
        .arg(&library)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/claims_guc.c"))
        .output()
        .expect("there is a C compiler");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    library
}

fn load_other(client: &mut Client) {
    client.run(&format!("LOAD '{}'", other_extension().display()));
}

/// A session of `app` in which the other extension was first.
fn session_beside_other(db: &TestDb) -> Client {
    let mut client = db.superuser();
    load_other(&mut client);
    client.run("SET SESSION AUTHORIZATION app");
    client
}

#[test]
fn every_change_is_seen_although_another_extension_owns_the_claims() {
    let db = database();
    for scenario in SCENARIOS {
        for setting in Setting::BOTH {
            scenario(&mut session_beside_other(&db), setting);
        }
    }
}

#[test]
fn claims_set_before_either_was_loaded_count() {
    let db = database();
    let mut client = db.superuser();
    client.set_claims(&claims("user_ada").to_string());
    load_other(&mut client);
    assert_eq!(client.user(), some("user_ada"));
    client.set_claims(&claims("user_bob").to_string());
    assert_eq!(client.user(), some("user_bob"));
}

/// A setting that has no value yet is defined all the same, and defining it twice is an error.
#[test]
fn a_setting_that_is_still_null_belongs_to_the_other_extension() {
    let db = database();
    let mut client = db.superuser();
    client.run(&format!("LOAD '{}'", other_extension_with_null().display()));
    client.run("SET SESSION AUTHORIZATION app");
    assert_eq!(client.user(), None);
    client.set_claims(&claims("user_ada").to_string());
    assert_eq!(client.user(), some("user_ada"));
    client.set_claims(&claims("user_bob").to_string());
    assert_eq!(client.user(), some("user_bob"));
}

/// An answer to a question, too, is good only for the claims it was asked of.
#[test]
fn remembered_answers_end_with_the_claims() {
    let db = database();
    let mut client = session_beside_other(&db);
    for role in ["admin", "member", "admin"] {
        let o = serde_json::json!({"id": "org_acme", "rol": role});
        let claims = crate::scene::with(claims("user_ada"), serde_json::json!({ "o": o }));
        client.set_claims(&claims.to_string());
        assert_eq!(
            client.value::<bool>("SELECT clerk.has_role('admin')"),
            role == "admin"
        );
        assert_eq!(
            client.value::<String>("SELECT clerk.current_org_role()"),
            format!("org:{role}")
        );
    }
}

#[test]
fn the_name_can_be_left_to_an_extension_that_loads_later() {
    let db = database();
    let mut client = db.superuser();
    assert_eq!(client.user(), None, "the library is loaded, and owns the name");
    let failure = client.failure(&format!("LOAD '{}'", other_extension().display()));
    assert!(failure.message.contains("request.jwt.claims"), "{failure:?}");

    let mut client = db.superuser();
    client.run("SET clerk.own_request_claims = off");
    client.set_claims(&claims("user_ada").to_string());
    assert_eq!(client.user(), some("user_ada"));
    load_other(&mut client);
    assert_eq!(client.user(), some("user_ada"));
    client.set_claims(&claims("user_bob").to_string());
    assert_eq!(client.user(), some("user_bob"));
    client.run("SET SESSION AUTHORIZATION app");
    for scenario in SCENARIOS {
        client.run("RESET request.jwt.claims");
        scenario(&mut client, Setting::Claims);
        // Functions and tables of the scenario would be in the next one's way.
        client.run("RESET request.jwt.claims; DISCARD TEMPORARY");
    }
}
