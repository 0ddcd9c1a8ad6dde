//! A hot standby believes what its primary believes, and asks nobody else.

use clerk_sim::{Rotation, Simulator, Token};
use clerk_tests::{Cluster, Sql};

use crate::bearer::{assert_refused, assert_user, import, show, token_of, wait_until};

/// Waits until the standby has replayed everything that the primary has committed.
fn catch_up(primary: &Cluster, standby: &Cluster) {
    let position: String = primary
        .superuser()
        .value("SELECT pg_current_wal_flush_lsn()::text");
    let mut session = standby.superuser();
    wait_until("the standby has caught up", || {
        session.value_of(
            "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn",
            &[&position],
        )
    });
}

#[test]
fn a_standby_follows_its_primary() {
    let clerk = Simulator::start();
    let primary = Cluster::start(&[("synchronous_commit", "on")]);
    let db = primary.create_database();
    db.configure(&clerk);
    let standby = primary.standby();
    catch_up(&primary, &standby);
    let issuer = clerk.issuer();
    let old = clerk.mint(Token::session(issuer, "user_ada").claim("azp", "https://app.example".into()));
    let mut idle = standby.connect_to(db.name(), "anon");
    let mut repeating = standby.connect_to(db.name(), "authenticated");
    let mut owner = db.superuser();

    // Each change must reach a session that was idle and one that was in a REPEATABLE READ transaction.
    let mut after = |change: &str, check: &dyn Fn(&mut postgres::Client)| {
        repeating.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
        show(&mut repeating, &old);
        let _ = repeating.simple_query("SELECT clerk.current_user_id()");
        owner.run(change);
        catch_up(&primary, &standby);
        repeating.run("ROLLBACK");
        check(&mut idle);
        check(&mut repeating);
    };
    let party =
        |name: &str| format!("SELECT clerk.configure(authorized_parties => ARRAY['https://{name}.example'])");
    after("SELECT", &|session| assert_user(session, &old, "user_ada"));
    after(&party("other"), &|session| {
        assert_refused(session, &old, "token-invalid-authorized-parties")
    });
    after(&party("app"), &|session| assert_user(session, &old, "user_ada"));
    after(
        "SET session_replication_role = replica; DELETE FROM clerk.jwks; RESET session_replication_role",
        &|session| assert_refused(session, &old, "jwk-kid-mismatch"),
    );
    after("SELECT clerk.refresh_jwks()", &|session| {
        assert_user(session, &old, "user_ada")
    });
    after(&format!("SELECT clerk.remove_instance('{issuer}')"), &|session| {
        assert_refused(session, &old, "token-invalid-issuer")
    });
}

#[test]
fn a_standby_starts_nothing_and_gets_keys_by_replication() {
    let clerk = Simulator::start();
    let primary = Cluster::start(&[("synchronous_commit", "on")]);
    let db = primary.create_database();
    db.configure(&clerk);
    let standby = primary.standby();
    catch_up(&primary, &standby);
    let mut session = standby.connect_to(db.name(), "anon");
    clerk.rotate(Rotation::New);
    let token = token_of(&clerk, "user_ada");
    let requests = clerk.jwks_requests();

    assert_refused(&mut session, &token, "jwk-kid-mismatch");
    let mut administrator = standby.connect_to(db.name(), "postgres");
    let failure = administrator.failure("SELECT clerk.refresh_jwks()");
    assert_eq!(failure.sqlstate, "25006", "{failure:?}");
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'clerk_sync%'";
    assert_eq!(administrator.value::<i64>(workers), 0);
    assert_eq!(clerk.jwks_requests(), requests);

    assert_user(&mut db.connect("anon"), &token, "user_ada");
    catch_up(&primary, &standby);
    assert_user(&mut session, &token, "user_ada");

    // A set that Clerk does not serve can only have come by replication.
    let other = Simulator::start();
    import(&mut db.superuser(), clerk.issuer(), &other);
    catch_up(&primary, &standby);
    assert_user(&mut session, &token_of(&other, "user_bob"), "user_bob");
    standby.assert_no_crash();
}
