//! What is no longer trusted is refused by every open backend at its next transaction.

use clerk_sim::{Rotation, Simulator, Token};
use clerk_tests::{Sql, TestDb};
use postgres::Client;

use crate::bearer::{
    assert_refused, assert_user, configure_with_imported_keys, import, show, token_of, user,
};

/// An instance whose keys are imported, and sessions with warm caches that believed its token a moment ago.
struct Believers {
    clerk: Simulator,
    db: TestDb<'static>,
    token: String,
    sessions: Vec<Client>,
}

impl Believers {
    fn new() -> Self {
        let clerk = Simulator::start();
        let db = TestDb::shared();
        configure_with_imported_keys(&db, &clerk);
        let token = token_of(&clerk, "user_ada");
        Self::of(clerk, db, token)
    }

    /// The last session is in a REPEATABLE READ transaction, whose snapshot will not see the change.
    fn of(clerk: Simulator, db: TestDb<'static>, token: String) -> Self {
        let (mut idle, mut repeating) = (db.connect("anon"), db.connect("authenticated"));
        assert_user(&mut idle, &token, "user_ada");
        repeating.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
        show(&mut repeating, &token);
        assert_eq!(
            repeating.value::<String>("SELECT clerk.current_user_id()"),
            "user_ada"
        );
        let sessions = vec![idle, repeating];
        Self {
            clerk,
            db,
            token,
            sessions,
        }
    }

    fn change(&mut self, statements: &str) {
        self.db.superuser().run(statements);
        self.look_again_under_the_old_snapshot();
    }

    /// Touching a table lets a session hear of the change in the middle of its transaction. It must not read the
    /// old rows once more and keep them.
    fn look_again_under_the_old_snapshot(&mut self) {
        let repeating = self.sessions.last_mut().expect("there are two sessions");
        repeating.run("SELECT FROM pg_catalog.pg_depend");
        // Believed or not: what counts is the next transaction.
        let _ = repeating.simple_query("SELECT clerk.current_user_id()");
        repeating.run("ROLLBACK");
    }

    #[track_caller]
    fn assert_refuse(&mut self, reason: &str) {
        for session in &mut self.sessions {
            assert_refused(session, &self.token, reason);
        }
    }
}

#[test]
fn a_deleted_key() {
    let mut believers = Believers::new();
    believers.change("DELETE FROM clerk.jwks");
    believers.assert_refuse("jwk-kid-mismatch");
}

#[test]
fn a_deleted_key_in_replica_mode() {
    let mut believers = Believers::new();
    believers.change("SET session_replication_role = replica; DELETE FROM clerk.jwks");
    believers.assert_refuse("jwk-kid-mismatch");
}

#[test]
fn truncated_keys() {
    let mut believers = Believers::new();
    believers.change("TRUNCATE clerk.jwks");
    believers.assert_refuse("jwk-kid-mismatch");
}

#[test]
fn a_key_replaced_by_hand() {
    let mut believers = Believers::new();
    let modulus = Simulator::start().jwks()["keys"][0]["n"]
        .to_string()
        .replace('"', "");
    believers.change(&format!("UPDATE clerk.jwks SET n = '{modulus}'"));
    believers.assert_refuse("token-invalid-signature");
}

#[test]
fn another_imported_set() {
    let mut believers = Believers::new();
    // Both simulators call their first key the same.
    let set = Simulator::start().jwks();
    let issuer = believers.clerk.issuer();
    believers.change(&format!("SELECT clerk.import_jwks('{issuer}', '{set}')"));
    believers.assert_refuse("token-invalid-signature");
}

#[test]
fn a_rotated_key_after_a_refresh() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let token = token_of(&clerk, "user_ada");
    let mut believers = Believers::of(clerk, db, token);
    believers.clerk.rotate(Rotation::New);
    believers.change("SELECT clerk.refresh_jwks()");
    believers.assert_refuse("jwk-kid-mismatch");
}

#[test]
fn a_removed_instance() {
    let mut believers = Believers::new();
    let issuer = believers.clerk.issuer().to_owned();
    let mut behind_postgrest = believers.db.connect("authenticated");
    let claims =
        format!(r#"{{"iss": "{issuer}", "sub": "user_ada", "sid": "sess_1", "role": "authenticated"}}"#);
    behind_postgrest.run(&format!("SET request.jwt.claims = '{claims}'"));
    let who = "SELECT clerk.current_user_id()";
    assert_eq!(behind_postgrest.value::<String>(who), "user_ada");

    believers.change(&format!("SELECT clerk.remove_instance('{issuer}')"));
    believers.assert_refuse("token-invalid-issuer");
    assert_eq!(behind_postgrest.value::<Option<String>>(who), None);
}

#[test]
fn a_removed_instance_in_replica_mode() {
    let mut believers = Believers::new();
    let issuer = believers.clerk.issuer();
    believers.change(&format!(
        "SET session_replication_role = replica; SELECT clerk.remove_instance('{issuer}')"
    ));
    believers.assert_refuse("token-invalid-issuer");
}

#[test]
fn narrowed_authorized_parties() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    configure_with_imported_keys(&db, &clerk);
    let token = Token::session(clerk.issuer(), "user_ada").claim("azp", "https://old.example".into());
    let token = clerk.mint(token);
    let mut believers = Believers::of(clerk, db, token);
    believers.change("SELECT clerk.configure(authorized_parties => ARRAY['https://new.example'])");
    believers.assert_refuse("token-invalid-authorized-parties");
}

#[test]
fn an_instance_removed_and_added_again_with_other_keys() {
    let mut believers = Believers::new();
    let issuer = believers.clerk.issuer().to_owned();
    let mut owner = believers.db.superuser();
    owner.run(&format!(
        "BEGIN;
         SELECT clerk.remove_instance('{issuer}');
         SELECT clerk.configure(issuer => '{issuer}', jwks_url => '')"
    ));
    import(&mut owner, &issuer, &Simulator::start());
    owner.run("COMMIT");
    believers.look_again_under_the_old_snapshot();
    believers.assert_refuse("token-invalid-signature");
}

#[test]
fn a_change_that_was_rolled_back_changes_nothing() {
    let mut believers = Believers::new();
    believers.change("BEGIN; DELETE FROM clerk.instances; ROLLBACK");
    for session in &mut believers.sessions {
        assert_user(session, &believers.token, "user_ada");
    }
}

#[test]
fn tokens_as_a_source() {
    let mut believers = Believers::new();
    believers.change("SELECT clerk.set_identity_source('claims')");
    for session in &mut believers.sessions {
        assert_eq!(user(session, &believers.token), Ok(None));
    }
}
