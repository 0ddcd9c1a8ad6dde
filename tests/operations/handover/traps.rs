//! Ways to lose PostgREST's keys, or to let everybody sign. Each is refused beforehand, or PostgREST keeps what it has.

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::{Value, json};

use super::postgrest::{Postgrest, Secret};
use super::{SECRET, connect, connection, refusal, settings_of_authenticator, supabase, trusting};

#[test]
fn a_text_that_would_become_a_password_is_refused() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let published = clerk.jwks()["keys"][0].clone();
    let mut cut = json!({"keys": [published]}).to_string();
    cut.truncate(cut.len() - 1);
    let mut without_kty = published.clone();
    without_kty
        .as_object_mut()
        .expect("a key is an object")
        .remove("kty");
    let mut padded = published.clone();
    padded["n"] = format!("{}==", published["n"].as_str().expect("n is text")).into();
    for text in [
        json!([published]).to_string(),
        cut,
        json!({"keys": [without_kty]}).to_string(),
        json!({"keys": [padded]}).to_string(),
        json!({"keys": [published, "x"]}).to_string(),
        json!({"keys": [published, {"kty": "oct", "k": "c2hvcnQ"}]}).to_string(),
        json!({"keys": [published, {"kty": "oct", "k": "not base64url, and long enough to be a password"}]})
            .to_string(),
    ] {
        // The control: PostgREST would take it for one, except where it reads more leniently.
        assert!(!matches!(Secret::parse(&text), Ok(Secret::None)), "{text}");
        let failure = refusal(&mut owner, Some(&text));
        assert_eq!(failure.sqlstate, "22023", "{text}: {failure:?}");
    }
    assert_eq!(connection(&mut owner, "stored_at"), None);
}

#[test]
fn a_key_written_by_hand_makes_no_password_of_the_others() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    connect(&mut owner);
    let mut postgrest = Postgrest::start_with_pre_config(&db, Some(SECRET));
    let good = postgrest.secret.names();
    for (number, (n, e, alg)) in [
        ("not base64url!", "AQAB", "RS256"),
        ("", "AQAB", "RS256"),
        ("short", "AQAB", "RS256"),
        (&"A".repeat(345), "AQAB", "RS256"),
        (&"A".repeat(342), "", "RS256"),
        (&"A".repeat(342), "AQAB", "none"),
    ]
    .into_iter()
    .enumerate()
    {
        let kid = format!("by_hand_{number}");
        let insert =
            "INSERT INTO clerk.jwks (issuer, kid, n, e, alg, origin) VALUES ($1, $2, $3, $4, $5, 'imported')";
        owner
            .execute(insert, &[&clerk.issuer(), &kid, &n, &e, &alg])
            .expect("the owner may");
        postgrest.read();
        assert_eq!(postgrest.secret.names(), good, "{n}, {e}, {alg}");
    }
    // Padding, which our own reading lets pass, PostgREST's does not.
    owner.run("UPDATE clerk.jwks SET n = n || '==' WHERE kid NOT LIKE 'by_hand%'");
    postgrest.read();
    assert_eq!(postgrest.secret.names(), good);
}

#[test]
fn a_setting_that_would_mask_the_keys_is_found_with_its_mend() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let in_database = format!("IN DATABASE {} ", db.name());
    let other_database = cluster.create_database();
    owner.run(&format!(
        "ALTER ROLE authenticator IN DATABASE {} SET pgrst.jwt_secret = '{SECRET}';
         ALTER ROLE authenticator SET statement_timeout = '8s'",
        other_database.name()
    ));
    let others = settings_of_authenticator(&mut owner);
    for (place, setting) in [
        ("", format!("pgrst.jwt_secret = '{SECRET}'")),
        (&in_database, format!("pgrst.jwt_secret = '{SECRET}'")),
        ("", "pgrst.jwt_secret_is_base64 = 'true'".to_owned()),
        ("", "pgrst.db_pre_config = 'public.mine'".to_owned()),
        ("", "pgrst.db_pre_config = 'clerk.postgrest_config'".to_owned()),
        (&in_database, "pgrst.db_pre_config = 'public.mine'".to_owned()),
    ] {
        owner.run(&format!("ALTER ROLE authenticator {place}SET {setting}"));
        let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&SECRET]);
        assert_eq!(failure.sqlstate, "55000", "{setting}: {failure:?}");
        assert!(!format!("{failure:?}").contains(SECRET), "{failure:?}");
        let name = setting.split(' ').next().expect("a setting has a name");
        let mend: String = owner.value("SELECT mend FROM clerk.postgrest_obstacles()");
        assert!(
            mend.starts_with(&format!("ALTER ROLE authenticator {place}RESET {name};")),
            "{mend}"
        );
        assert!(failure.detail.is_some_and(|detail| detail.ends_with(&mend)));
        assert_eq!(
            connection(&mut owner, "stored_at"),
            None,
            "the secret was not kept"
        );
        owner.run(&mend);
        assert_eq!(settings_of_authenticator(&mut owner), others);
    }
    connect(&mut owner);
    assert_eq!(connection(&mut owner, "installed").as_deref(), Some("true"));

    // One that comes later: PostgREST has it, and we say so.
    owner.run(&format!(
        "ALTER ROLE authenticator SET pgrst.jwt_secret = '{SECRET}'"
    ));
    assert_eq!(
        Postgrest::start_with_pre_config(&db, None).secret,
        Secret::Password(SECRET.to_owned()),
        "the control: this is what masks"
    );
    let mend: String = owner.value("SELECT mend FROM clerk.postgrest_obstacles()");
    owner.run(&mend);
    assert_eq!(
        Postgrest::start_with_pre_config(&db, None).secret.names().len(),
        2
    );
}

#[test]
fn the_operators_own_keys_cannot_be_lost() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let failure = refusal(&mut owner, None);
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    let failure = refusal(&mut owner, Some(&clerk.jwks().to_string()));
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(failure.message.contains("Clerk's keys only"), "{failure:?}");

    // Older installations of Supabase tell their database the secret.
    owner.run(&format!(
        "ALTER DATABASE {} SET \"app.settings.jwt_secret\" = '{SECRET}'",
        db.name()
    ));
    let mut owner = db.superuser();
    for other in ["none", "another-secret-of-more-than-32-characters"] {
        let failure = refusal(&mut owner, Some(other));
        assert_eq!(failure.sqlstate, "55000", "{failure:?}");
        assert!(!format!("{failure:?}").contains(SECRET), "{failure:?}");
    }
    connect(&mut owner);
}

#[test]
fn without_a_key_of_clerks_nothing_is_handed_over() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = cluster.create_database();
    let mut owner = db.superuser();
    let failure = refusal(&mut owner, Some(SECRET));
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{}', jwks_url => '')",
        clerk.issuer()
    ));
    assert_eq!(refusal(&mut owner, Some(SECRET)).sqlstate, "55000");
    // And the secret was not kept.
    assert_eq!(connection(&mut owner, "stored_at"), None);
}

/// A PostgREST that has the keys, and what it has.
fn connected<'c>(cluster: &'c Cluster, clerk: &Simulator) -> (TestDb<'c>, Client, Postgrest, Secret) {
    let db = trusting(cluster, clerk);
    let mut owner = db.superuser();
    let mut postgrest = Postgrest::start(&db, Some(SECRET));
    connect(&mut owner);
    postgrest.hear();
    let good = postgrest.secret.clone();
    assert_eq!(good.names().len(), 2);
    (db, owner, postgrest, good)
}

#[test]
fn whatever_is_broken_postgrest_keeps_its_last_good_keys() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (db, mut owner, mut postgrest, good) = connected(&cluster, &clerk);
    // The control: what a function of the operator's own does that raises, or gives NULL.
    owner.run(
        "CREATE FUNCTION public.raises() RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
         CREATE FUNCTION public.gives_null() RETURNS void LANGUAGE sql AS $$ SELECT set_config('pgrst.jwt_secret', NULL, true) $$",
    );
    let setting = format!("ALTER ROLE authenticator IN DATABASE {}", db.name());
    for (function, left) in [
        ("raises", Secret::Password(SECRET.to_owned())),
        ("gives_null", Secret::None),
    ] {
        owner.run(&format!(
            "{setting} SET pgrst.db_pre_config = 'public.{function}'"
        ));
        let mut other = Postgrest::start(&db, Some(SECRET));
        // The first reading learns the name.
        other.read();
        assert_eq!(other.secret, left, "{function}");
    }
    owner.run(&format!(
        "{setting} SET pgrst.db_pre_config = 'clerk.postgrest_config'"
    ));

    // As an owner can break it, and how that is undone. In every state both the running PostgREST and one that starts.
    let breaks = [
        (
            "ALTER TABLE clerk.jwks RENAME n TO modulus",
            "ALTER TABLE clerk.jwks RENAME modulus TO n",
        ),
        (
            "ALTER TABLE clerk.jwks RENAME TO keys",
            "ALTER TABLE clerk.keys RENAME TO jwks",
        ),
        (
            "ALTER FUNCTION clerk.clerks_keys() RENAME TO no_keys",
            "ALTER FUNCTION clerk.no_keys() RENAME TO clerks_keys",
        ),
        (
            "ALTER FUNCTION clerk.postgrest_key_set() RENAME TO no_set",
            "ALTER FUNCTION clerk.no_set() RENAME TO postgrest_key_set",
        ),
    ];
    for (broken, mended) in breaks {
        owner.run(broken);
        postgrest.read();
        assert_eq!(postgrest.secret, good, "{broken}");
        assert_eq!(
            Postgrest::start_with_pre_config(&db, Some(SECRET)).secret,
            good,
            "{broken}"
        );
        owner.run(mended);
    }
    // Nothing can be read at all: who has keys keeps them, who starts has its environment's.
    for (broken, mended) in [
        (
            "ALTER TABLE clerk.postgrest_keys RENAME TO away",
            "ALTER TABLE clerk.away RENAME TO postgrest_keys",
        ),
        (
            "CREATE TABLE public.kept AS SELECT * FROM clerk.postgrest_keys; DELETE FROM clerk.postgrest_keys WHERE true",
            "INSERT INTO clerk.postgrest_keys SELECT * FROM public.kept",
        ),
    ] {
        owner.run(broken);
        for _ in 0..3 {
            postgrest.read();
            assert_eq!(postgrest.secret, good, "{broken}");
        }
        assert_eq!(
            Postgrest::start_with_pre_config(&db, Some(SECRET)).secret,
            Secret::Password(SECRET.to_owned()),
            "{broken}"
        );
        owner.run(mended);
        postgrest.read();
        assert_eq!(postgrest.secret, good, "{mended}");
    }
}

#[test]
fn somebody_elses_lock_keeps_no_keys_away() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (db, mut owner, _, good) = connected(&cluster, &clerk);
    // As Supabase limits the role. Without limits it would have to wait, and so would PostgREST.
    owner.run("ALTER ROLE authenticator SET statement_timeout = '8s'; ALTER ROLE authenticator SET lock_timeout = '8s'");
    let mut postgrest = Postgrest::start_with_pre_config(&db, Some(SECRET));
    for tables in [
        "clerk.jwks",
        "clerk.postgrest_keys",
        "clerk.jwks, clerk.postgrest_keys",
    ] {
        let mut transaction = owner.transaction().expect("no transaction is open");
        transaction.run(&format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"));
        postgrest.read();
        assert_eq!(postgrest.secret, good, "{tables}");
    }
}

/// The tables of a dump come without the secret ones, while a role's settings come with the server or stay there.
#[test]
fn a_restored_database_gives_no_half_a_set() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (db, mut owner, _, _) = connected(&cluster, &clerk);
    let dump = cluster
        .pg_binary("pg_dump")
        .arg(db.name())
        .output()
        .expect("pg_dump can be run");
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(text.contains("COPY clerk.jwks"), "it is a dump");
    assert!(
        !text.contains("postgrest_keys") && !text.contains("c3VwZXIt"),
        "the secret is not in it"
    );

    owner.run("CREATE DATABASE restored");
    let file = cluster.directory().join("dump.sql");
    std::fs::write(&file, text).expect("the dump can be written");
    let restore = cluster
        .pg_binary("psql")
        .args(["--quiet", "--set=ON_ERROR_STOP=1", "--dbname=restored", "--file"])
        .arg(&file)
        .output()
        .expect("psql can be run");
    assert!(
        restore.status.success(),
        "{}",
        String::from_utf8_lossy(&restore.stderr)
    );
    let mut restored = cluster.connect_to("restored", "postgres");
    assert_eq!(restored.value::<i64>("SELECT count(*) FROM clerk.jwks"), 1);
    let found = "SELECT concat_ws('; ', status, found, mend) FROM clerk.doctor() WHERE area = 'postgrest' AND \"check\" = 'connected'";
    let told: String = restored.value(found);
    assert!(told.starts_with("failed; not connected: "), "{told}");
    assert!(told.contains("SELECT clerk.connect_postgrest('…');"), "{told}");
    // Where it was given up on purpose nothing is lost.
    owner.run("SELECT clerk.disconnect_postgrest(forget_keys => true)");
    assert!(owner.value::<String>(found).starts_with("note; "));
    let mut session = cluster.connect_to("restored", "authenticator");
    let secret: Option<String> =
        session.value("SELECT current_setting('pgrst.jwt_secret', true) FROM clerk.postgrest_config()");
    assert_eq!(secret, None, "its environment's holds");
}

#[test]
fn keys_are_handed_over_without_the_library() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (db, mut owner, mut postgrest, good) = connected(&cluster, &clerk);
    // As if the file were gone, for this database only.
    owner.run("UPDATE pg_proc SET probin = 'gone' WHERE probin = 'clerk_sync'");
    let failure = db
        .connect("authenticator")
        .failure("SELECT clerk.current_user_id()");
    assert_eq!(failure.sqlstate, "58P01", "the control: {failure:?}");
    postgrest.read();
    assert_eq!(postgrest.secret, good);
    assert_eq!(Postgrest::start_with_pre_config(&db, Some(SECRET)).secret, good);
    // Out it comes, too.
    owner.run(&format!(
        "ALTER ROLE authenticator IN DATABASE {} RESET pgrst.db_pre_config; NOTIFY pgrst, 'reload config'; NOTIFY pgrst, 'reload schema'",
        db.name()
    ));
    postgrest.hear();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
}

#[test]
fn dropping_the_extension_leaves_the_environments_keys() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (_db, mut owner, mut postgrest, _) = connected(&cluster, &clerk);
    owner.run("BEGIN; SELECT clerk.disconnect_postgrest(); DROP EXTENSION clerk_sync; COMMIT");
    postgrest.hear();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
    assert_eq!(settings_of_authenticator(&mut owner), [] as [&str; 0]);
}

/// Whoever reads a key set of ours reads JSON.
#[test]
fn the_set_is_one_json_object() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (_db, mut owner, _, _) = connected(&cluster, &clerk);
    let set: Value =
        serde_json::from_str(&owner.value::<String>("SELECT clerk.postgrest_key_set()")).expect("it is JSON");
    assert_eq!(
        set.as_object().expect("an object").keys().collect::<Vec<_>>(),
        ["keys"]
    );
}
