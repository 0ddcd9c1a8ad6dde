//! A dump takes the configuration with it.

use clerk_sim::{Rotation, Simulator};
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use crate::bearer::{assert_refused, assert_user, token_of, wait_until};

/// Every table that belongs into a dump, as text.
fn configuration(session: &mut Client) -> String {
    session.value(
        "SELECT concat_ws(E'\\n',
             (SELECT string_agg(i::text, E'\\n' ORDER BY issuer) FROM clerk.instances AS i),
             (SELECT string_agg(k::text, E'\\n' ORDER BY issuer, kid) FROM clerk.jwks AS k),
             (SELECT string_agg(s::text, E'\\n') FROM clerk.settings AS s))",
    )
}

#[test]
fn a_restored_database_believes_what_the_dumped_one_did() {
    let clerk = Simulator::start();
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    db.configure(&clerk);
    let mut owner = db.superuser();
    owner.run(
        "CREATE ROLE administrator LOGIN;
         SELECT clerk.grant_admin('administrator');
         SELECT clerk.set_identity_source('token');
         SELECT clerk.configure(authorized_parties => ARRAY['https://app.example'], allow_missing_azp => true);
         CREATE TABLE notes (owner_id text DEFAULT clerk.current_user_id(), body text);
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON notes USING (owner_id = clerk.current_user_id());
         GRANT ALL ON notes TO authenticated",
    );
    let old = token_of(&clerk, "user_ada");

    let file = cluster.directory().join("dump");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = cluster.pg_binary(program);
        let output = command
            .args(arguments)
            .arg(&file)
            .output()
            .expect("the program can be run");
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    run("pg_dump", &["--format=custom", db.name(), "--file"]);
    owner.run("CREATE DATABASE restored");
    run("pg_restore", &["--exit-on-error", "--dbname=restored"]);

    let mut restored = cluster.connect_to("restored", "postgres");
    assert_eq!(configuration(&mut restored), configuration(&mut owner));
    // The settings came, and still tell open sessions of changes.
    let mut session = cluster.connect_to("restored", "authenticated");
    assert_user(&mut session, &old, "user_ada");
    // When the keys were fetched is not in the dump, so that token caused a fetch, whose cool-down would have to end.
    wait_until("the fetch has ended", || {
        restored.value::<bool>("SELECT count(succeeded_at) = 1 FROM clerk.jwks_fetches")
    });
    restored.run("UPDATE clerk.jwks_fetches SET attempted_at = attempted_at - interval '1 hour'");
    clerk.rotate(Rotation::New);
    assert_user(&mut session, &token_of(&clerk, "user_bob"), "user_bob");
    assert_refused(&mut session, &old, "jwk-kid-mismatch");
    // So did what grant_admin() gave, and no more.
    let mut administrator = cluster.connect_to("restored", "administrator");
    assert_eq!(administrator.value::<i32>("SELECT clerk.refresh_jwks()"), 1);
    let failure = session.failure("SELECT clerk.refresh_jwks()");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    cluster.assert_no_crash();
}
