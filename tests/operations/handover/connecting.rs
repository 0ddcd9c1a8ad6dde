//! Connecting PostgREST, keys that change, and taking it out again.

use clerk_sim::{Options, Rotation, Simulator, Token};
use clerk_tests::Sql;
use serde_json::json;

use super::postgrest::{Flush, Postgrest, Secret};
use super::{
    SECRET, SECRET_BASE64URL, connect, connect_with, connection, settings_of_authenticator, supabase,
    trusting,
};

/// What PostgREST hears whenever it is told to read its configuration.
const TOLD: [&str; 2] = ["reload config", "reload schema"];

#[test]
fn a_running_postgrest_gets_the_keys_and_every_change_of_them() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut postgrest = Postgrest::start(&db, Some(SECRET));
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));

    let mut owner = db.superuser();
    let answer = connect(&mut owner);
    assert_eq!(
        (&answer["own_keys"], &answer["clerk_keys"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
    assert_eq!(
        settings_of_authenticator(&mut owner),
        ["pgrst.db_pre_config=clerk.postgrest_config"]
    );
    postgrest.hear();
    let own = json!({"kty": "oct", "use": "sig", "alg": "HS256", "k": SECRET_BASE64URL});
    let published = clerk.jwks()["keys"][0].clone();
    let keys = |secret: &Secret| match secret {
        Secret::Keys(keys) => keys.clone(),
        other => panic!("{other:?}"),
    };
    let handed_over = keys(&postgrest.secret);
    assert_eq!((handed_over.len(), &handed_over[0]), (2, &own));
    for member in ["kty", "use", "kid", "alg", "n", "e"] {
        assert_eq!(handed_over[1][member], published[member], "{member}");
    }
    // Nothing stays behind in the connection that requests will use.
    let left = "SELECT nullif(current_setting('pgrst.jwt_secret', true), '')";
    let left = postgrest.pool().run(|session| session.query_one(left, &[]));
    assert_eq!(left.expect("it can be asked").get::<_, Option<String>>(0), None);

    // The key comes back under the same name; somebody's token makes the database fetch it.
    clerk.rotate(Rotation::Same);
    let token = clerk.mint(Token::session(clerk.issuer(), "user_ada"));
    let mut stranger = db.connect("anon");
    stranger.run(&format!("SET clerk.jwt = '{token}'"));
    assert_eq!(
        stranger.value::<String>("SELECT clerk.current_user_id()"),
        "user_ada"
    );
    assert_eq!(postgrest.hear(), TOLD);
    assert_eq!(keys(&postgrest.secret)[1]["n"], clerk.jwks()["keys"][0]["n"]);
    assert_ne!(keys(&postgrest.secret)[1]["n"], published["n"]);

    clerk.rotate(Rotation::New);
    owner.run("SELECT clerk.refresh_jwks()");
    assert_eq!(postgrest.hear(), TOLD);
    let kid = clerk.jwks()["keys"][0]["kid"]
        .as_str()
        .expect("a key has an id")
        .to_owned();
    assert_eq!(postgrest.secret.names(), ["oct", kid.as_str()]);
    assert_eq!(
        connection(&mut owner, "installed AND callable AND up_to_date").as_deref(),
        Some("true")
    );

    // What changes no key is no news.
    owner.run("SELECT clerk.refresh_jwks(); SELECT clerk.configure(allow_missing_azp => true)");
    postgrest.hears_nothing();
}

#[test]
fn instances_come_and_go() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let second = Simulator::start_with(Options {
        issuer: "https://clerk.second.test".to_owned(),
        ..Options::default()
    })
    .expect("a loopback port is free");
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    connect(&mut owner);
    let mut postgrest = Postgrest::start_with_pre_config(&db, Some(SECRET));
    assert_eq!(postgrest.secret.names().len(), 2);

    db.configure(&second);
    assert_eq!(postgrest.hear(), TOLD);
    assert_eq!(postgrest.secret.names().len(), 3);
    owner.run(&format!("SELECT clerk.remove_instance('{}')", second.issuer()));
    assert_eq!(postgrest.hear(), TOLD);
    assert_eq!(postgrest.secret.names().len(), 2);
    owner.run(&format!(
        "SELECT clerk.import_jwks('{}', '{}')",
        clerk.issuer(),
        second.jwks()
    ));
    assert_eq!(postgrest.hear(), TOLD);
    owner.run(&format!("SELECT clerk.remove_instance('{}')", clerk.issuer()));
    postgrest.hear();
    assert_eq!(postgrest.secret.names(), ["oct"]);
    // Also as a replica, which fires ordinary triggers only where it is told to.
    db.configure(&clerk);
    postgrest.hear();
    owner.run("SET session_replication_role = replica; DELETE FROM clerk.jwks WHERE true");
    assert_eq!(postgrest.hear(), TOLD);
    assert_eq!(postgrest.secret.names(), ["oct"]);
}

#[test]
fn only_clerks_tokens_are_to_count() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    assert_eq!(connect_with(&mut owner, "none")["own_keys"], 0);
    let mut postgrest = Postgrest::start_with_pre_config(&db, None);
    assert_eq!(postgrest.secret.names().len(), 1);
    // Without any key left, the set is still one, and lets nobody in.
    owner.run(&format!("SELECT clerk.remove_instance('{}')", clerk.issuer()));
    postgrest.hear();
    assert_eq!(postgrest.secret.names(), ["nobody"]);
    let Secret::Keys(keys) = &postgrest.secret else {
        panic!()
    };
    assert_eq!(keys[0]["crv"], "Ed25519");
}

#[test]
fn the_operators_keys_can_be_replaced() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let mut postgrest = Postgrest::start(&db, Some(SECRET));
    let first = connect(&mut owner);
    // Again, without them: as they are.
    let again: String = owner.value("SELECT clerk.connect_postgrest()->>'fingerprint'");
    assert_eq!(first["fingerprint"], again);
    let elliptic = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "es",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
        clerk.jwks()["keys"][0]]});
    let kid = elliptic["keys"][1]["kid"]
        .as_str()
        .expect("a key has an id")
        .to_owned();
    let answer = connect_with(&mut owner, &elliptic.to_string());
    assert_eq!(answer["left_out"], json!([kid]));
    assert_ne!(answer["fingerprint"], first["fingerprint"]);
    postgrest.hear();
    assert_eq!(postgrest.secret.names(), ["es".to_owned(), kid]);
}

#[test]
fn taken_out_it_goes_back_to_its_environment() {
    for flush in [Flush::Before, Flush::After] {
        taken_out(flush);
    }
}

fn taken_out(flush: Flush) {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    owner.run("ALTER ROLE authenticator SET pgrst.db_schemas = 'public'");
    let mut postgrest = Postgrest::start(&db, Some(SECRET));
    postgrest.flush = flush;
    connect(&mut owner);
    postgrest.hear();
    let with_clerk = postgrest.secret.clone();
    assert_eq!(with_clerk.names().len(), 2);

    assert!(owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    postgrest.read();
    assert_eq!(postgrest.secret, with_clerk, "never without keys on the way");
    postgrest.hear();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
    assert_eq!(settings_of_authenticator(&mut owner), ["pgrst.db_schemas=public"]);
    assert!(
        !owner.value::<bool>("SELECT clerk.disconnect_postgrest()"),
        "there was nothing"
    );

    // The operator's keys were kept, unless they are to be forgotten.
    owner.run("SELECT clerk.connect_postgrest()");
    postgrest.hear();
    assert_eq!(postgrest.secret, with_clerk);
    owner.run("SELECT clerk.disconnect_postgrest(forget_keys => true)");
    postgrest.hear();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
    assert_eq!(
        owner.failure("SELECT clerk.connect_postgrest()").sqlstate,
        "55000"
    );

    // By hand, as the runbook opens; in one transaction, as SQL editors send it.
    let by_hand = format!("ALTER ROLE authenticator IN DATABASE {}", db.name());
    connect(&mut owner);
    postgrest.hear();
    assert_eq!(postgrest.secret, with_clerk);
    owner.run(&format!(
        "{by_hand} RESET pgrst.db_pre_config; NOTIFY pgrst, 'reload config'; NOTIFY pgrst, 'reload schema'"
    ));
    postgrest.hear();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
    owner.run(&format!(
        "{by_hand} SET pgrst.db_pre_config = 'clerk.postgrest_config'"
    ));
    assert!(owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    assert_eq!(settings_of_authenticator(&mut owner), ["pgrst.db_schemas=public"]);
}

/// Event triggers of PostgREST's documentation, by which it learns of every DDL.
const WATCHER: &str = "
    CREATE FUNCTION public.pgrst_watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY pgrst, 'reload schema'; END $$;
    CREATE EVENT TRIGGER pgrst_watch ON ddl_command_end EXECUTE FUNCTION public.pgrst_watch();
    CREATE EVENT TRIGGER pgrst_drop_watch ON sql_drop EXECUTE FUNCTION public.pgrst_watch()";

#[test]
fn a_watcher_of_ddl_is_never_first() {
    for flush in [Flush::Before, Flush::After] {
        let (cluster, clerk) = (supabase(), Simulator::start());
        let db = trusting(&cluster, &clerk);
        let mut owner = db.superuser();
        owner.run(WATCHER);
        let mut postgrest = Postgrest::start(&db, Some(SECRET));
        postgrest.flush = flush;
        // The control: told the other way round, both readings learn of the function and neither calls it.
        owner.run("ALTER ROLE authenticator SET pgrst.db_pre_config = 'public.mine'; NOTIFY pgrst, 'reload schema'; NOTIFY pgrst, 'reload config'");
        postgrest.hear();
        assert_eq!(postgrest.settings["db_pre_config"], "public.mine");
        owner.run("ALTER ROLE authenticator RESET pgrst.db_pre_config; NOTIFY pgrst, 'reload config'");
        postgrest.hear();

        connect(&mut owner);
        assert_eq!(postgrest.hear(), TOLD);
        let published = clerk.jwks()["keys"][0].clone();
        assert!(postgrest.accepts(&published), "after one transaction");
        for call in [
            "clerk.expose_api()",
            "clerk.hide_api()",
            "clerk.eject(dry_run => false)",
            "clerk.disconnect_postgrest(forget_keys => true)",
        ] {
            owner.run(&format!("SELECT {call}"));
            assert_eq!(postgrest.hear(), TOLD, "{call}");
            assert_eq!(
                postgrest.accepts(&published),
                !call.contains("disconnect"),
                "{call}"
            );
        }
    }
}
