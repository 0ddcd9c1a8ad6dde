//! Realtime's tenants.

use clerk_sim::{Rotation, Simulator};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use super::project::{realtime, tenants as sets};
use super::{SECRET_BASE64URL, connect, connection, supabase, trusting};
use crate::scene::maintain;

fn sync(owner: &mut impl Sql) -> Value {
    let Json(answer) = owner.value::<Json<Value>>("SELECT clerk.sync_realtime_keys()");
    answer
}

#[test]
fn tenants_get_the_keys_and_keep_them() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut admin = realtime(&cluster, db.name());
    let mut owner = db.superuser();
    let failure = owner.failure("SELECT clerk.sync_realtime_keys()");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("connect_postgrest"))
    );
    connect(&mut owner);
    assert_eq!(connection(&mut owner, "realtime_since"), None);
    assert_eq!(
        maintain(&mut owner)["realtime"],
        Value::Null,
        "nobody has asked for it"
    );

    assert_eq!(sync(&mut owner), json!({"tenants": 2, "changed": 2}));
    let published = clerk.jwks()["keys"][0].clone();
    for set in sets(&mut admin) {
        assert_eq!(set.as_object().expect("an object").len(), 1);
        let keys = set["keys"].as_array().expect("keys");
        assert_eq!((keys.len(), &keys[0]["k"]), (2, &json!(SECRET_BASE64URL)));
        assert_eq!(
            (&keys[1]["kid"], &keys[1]["n"], &keys[1]["kty"]),
            (&published["kid"], &published["n"], &json!("RSA"))
        );
    }
    assert!(connection(&mut owner, "realtime_since").is_some());
    assert_eq!(
        sync(&mut owner),
        json!({"tenants": 2, "changed": 0}),
        "nothing that is equal is written"
    );

    // Realtime starts anew and sets its tenant back; a key changes.
    admin.run("UPDATE _realtime.tenants SET jwt_jwks = NULL WHERE external_id = 'realtime-dev'");
    assert_eq!(sync(&mut owner), json!({"tenants": 2, "changed": 1}));
    clerk.rotate(Rotation::Same);
    owner.run("SELECT clerk.refresh_jwks()");
    assert_eq!(sync(&mut owner), json!({"tenants": 2, "changed": 2}));
    assert_eq!(sets(&mut admin)[0]["keys"][1]["n"], clerk.jwks()["keys"][0]["n"]);
    // From now on maintain does the same.
    clerk.rotate(Rotation::Same);
    owner.run("SELECT clerk.refresh_jwks()");
    assert_eq!(
        maintain(&mut owner)["realtime"],
        json!({"tenants": 2, "changed": 2})
    );
    assert_eq!(sets(&mut admin)[1]["keys"][1]["n"], clerk.jwks()["keys"][0]["n"]);
    assert_eq!(
        maintain(&mut owner)["realtime"],
        json!({"tenants": 2, "changed": 0})
    );

    let Json(answer) = owner.value::<Json<Value>>("SELECT clerk.disconnect_realtime()");
    assert_eq!(answer, json!({"tenants": 2, "changed": 2}));
    assert_eq!(sets(&mut admin)[0]["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(connection(&mut owner, "realtime_since"), None);
    assert_eq!(maintain(&mut owner)["realtime"], Value::Null);
    assert_eq!(sets(&mut admin)[0]["keys"].as_array().map(Vec::len), Some(1));
}

/// Realtime is taken out, or somebody else's table put in its place.
#[test]
fn a_table_that_is_gone_or_not_realtimes_stops_no_other_part() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut admin = realtime(&cluster, db.name());
    let mut owner = db.superuser();
    connect(&mut owner);
    sync(&mut owner);
    admin.run("ALTER TABLE _realtime.tenants RENAME TO elsewhere");
    assert_eq!(maintain(&mut owner)["realtime"], Value::Null);
    admin.run("CREATE TABLE _realtime.tenants (id int, jwt_jwks text)");
    let report = maintain(&mut owner);
    let error = report["realtime"]["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("55000: _realtime.tenants is not used"),
        "{report}"
    );
    assert_eq!(report["keys"], json!({"due": 0, "fetched": 0}), "{report}");
    assert_eq!(report["retried"]["applied"], 0, "{report}");
    let told: String = owner.value("SELECT error FROM clerk.maintenance_rounds ORDER BY id DESC LIMIT 1");
    assert!(told.starts_with("realtime: 55000"), "{told}");
}

#[test]
fn what_is_not_realtimes_is_left_alone() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    connect(&mut owner);
    for made in [
        "SELECT",
        "CREATE SCHEMA _realtime",
        "CREATE VIEW _realtime.tenants AS SELECT 1 AS id, NULL::jsonb AS jwt_jwks",
        "DROP VIEW _realtime.tenants; CREATE TABLE _realtime.tenants (id int, jwt_jwks text)",
    ] {
        owner.run(made);
        let failure = owner.failure("SELECT clerk.sync_realtime_keys()");
        assert_eq!(failure.sqlstate, "55000", "{made}: {failure:?}");
        // And nothing was begun.
        assert_eq!(connection(&mut owner, "realtime_since"), None);
    }
}

/// A non-superuser owns the extension, and Realtime's table is a superuser's.
fn owned(cluster: &Cluster, clerk: &Simulator) -> (Client, Client) {
    let mut superuser = cluster.superuser();
    superuser.run("CREATE ROLE demoted LOGIN; GRANT anon, authenticated, service_role TO demoted");
    superuser.run("CREATE DATABASE demoted_db OWNER demoted");
    let mut owner = cluster.connect_to("demoted_db", "demoted");
    owner.run("CREATE EXTENSION clerk_sync");
    let configure = "SELECT FROM clerk.configure(issuer => $1, jwks_url => $2)";
    owner
        .execute(configure, &[&clerk.issuer(), &clerk.jwks_url()])
        .expect("the owner may");
    connect(&mut owner);
    (owner, superuser)
}

#[test]
fn an_owner_without_rights_on_the_table_syncs_it() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (mut owner, mut superuser) = owned(&cluster, &clerk);
    let mut admin = realtime(&cluster, "demoted_db");
    assert_eq!(owner.failure("SELECT FROM _realtime.tenants").sqlstate, "42501");
    assert_eq!(sync(&mut owner), json!({"tenants": 2, "changed": 2}));
    assert_eq!(sets(&mut admin)[0]["keys"].as_array().map(Vec::len), Some(2));
    superuser.run("REVOKE service_role FROM demoted");
    let failure = owner.failure(r#"SELECT clerk.write_realtime_keys('{"keys": []}')"#);
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
}

/// Code of somebody who is no superuser never runs as one.
#[test]
fn nobodys_trigger_runs_as_a_superuser() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (mut owner, _) = owned(&cluster, &clerk);
    let mut admin = realtime(&cluster, "demoted_db");
    // Somebody may put triggers on the superuser's table, and does.
    admin.run(
        "CREATE ROLE mallory LOGIN; GRANT USAGE ON SCHEMA _realtime TO mallory; GRANT TRIGGER ON _realtime.tenants TO mallory;
         CREATE SCHEMA mallory AUTHORIZATION mallory; CREATE TABLE mallory.ran (role name, super text)",
    );
    let trigger = "CREATE FUNCTION mallory.note() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO mallory.ran VALUES (current_user, current_setting(''is_superuser'')); RETURN NEW; END';
         CREATE TRIGGER note BEFORE UPDATE ON _realtime.tenants FOR EACH ROW EXECUTE FUNCTION mallory.note()";
    cluster.connect_to("demoted_db", "mallory").run(trigger);
    let failure = owner.failure("SELECT clerk.sync_realtime_keys()");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert_eq!(admin.value::<i64>("SELECT count(*) FROM mallory.ran"), 0);

    // The whole schema is theirs: then theirs is the role, and nothing of it is left in the session.
    admin.run(
        "ALTER TABLE _realtime.tenants OWNER TO mallory; ALTER SCHEMA _realtime OWNER TO mallory; ALTER TABLE mallory.ran OWNER TO mallory",
    );
    let mut superuser = cluster.connect_to("demoted_db", "postgres");
    superuser.run("SELECT clerk.sync_realtime_keys()");
    let roles: Vec<String> = admin.value("SELECT array_agg(DISTINCT role::text) FROM mallory.ran");
    assert_eq!(roles, ["mallory"]);
    cluster.connect_to("demoted_db", "mallory").run(
        "CREATE OR REPLACE FUNCTION mallory.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET CONSTRAINTS ALL DEFERRED; CREATE TEMPORARY TABLE trap (); RETURN NEW; END';
         UPDATE _realtime.tenants SET jwt_jwks = '{}' WHERE false",
    );
    admin.run("ALTER TABLE _realtime.tenants DISABLE TRIGGER note; UPDATE _realtime.tenants SET jwt_jwks = '{}' WHERE true;
        ALTER TABLE _realtime.tenants ENABLE TRIGGER note");
    let failure = superuser.failure("SELECT clerk.sync_realtime_keys()");
    assert!(
        failure.message.contains("security-restricted operation"),
        "{failure:?}"
    );
    // A schema of somebody else's than the table: they could put another table in its place.
    admin
        .run("ALTER TABLE _realtime.tenants OWNER TO supabase_admin; DROP TRIGGER note ON _realtime.tenants");
    let failure = superuser.failure("SELECT clerk.sync_realtime_keys()");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
}
