//! What cannot be asked for.

use clerk_tests::Sql;

use crate::scene::{Scene, world};

#[test]
fn arguments_that_make_no_sense() {
    let (scene, _) = Scene::shared(world(61), 10);
    let mut owner = scene.owner();
    for (statement, sqlstate, word) in [
        (
            "SELECT clerk.start_backfill(ARRAY['nothing'])",
            "22023",
            "nothing",
        ),
        (
            "SELECT clerk.start_backfill(ARRAY[NULL, 'users'])",
            "22004",
            "resources",
        ),
        (
            "SELECT clerk.start_backfill(ARRAY['sessions'])",
            "22023",
            "sessions",
        ),
        ("SELECT clerk.start_backfill('{}')", "22023", "empty"),
        (
            "SELECT clerk.start_backfill(instance => 'ins_other')",
            "42704",
            "ins_other",
        ),
        (
            "SELECT clerk.start_reconcile(confirm_missing => true)",
            "22023",
            "full",
        ),
        ("SELECT clerk.sync_user('org_1')", "22023", "org_1"),
        ("SELECT clerk.sync_user('user_1/../../x')", "22023", "user_1"),
        ("SELECT clerk.sync_user('')", "22023", ""),
        ("SELECT clerk.sync_organization('user_1')", "22023", "user_1"),
        ("SELECT clerk.cancel_run(99)", "42704", "99"),
        ("SELECT clerk.follow_run(99)", "42704", "99"),
    ] {
        let failure = owner.failure(statement);
        assert_eq!(failure.sqlstate, sqlstate, "{statement}: {failure:?}");
        assert!(failure.message.contains(word), "{statement}: {failure:?}");
        assert!(failure.hint.is_some(), "{statement} says the next step");
    }
    for statement in [
        "SELECT clerk.sync_user(NULL)",
        "SELECT clerk.sync_organization(NULL)",
        "SELECT clerk.cancel_run(NULL)",
        "SELECT clerk.follow_run(NULL)",
    ] {
        let row = owner.query_one(statement, &[]).expect("NULL is answered");
        let is_null = row.try_get::<_, Option<i64>>(0).ok().flatten().is_none();
        assert!(is_null, "{statement}");
    }
    let runs: i64 = owner.value("SELECT count(*) FROM clerk.sync_runs");
    assert_eq!(runs, 0);
}

#[test]
fn instances_that_cannot_be_read() {
    let (scene, _) = Scene::shared(world(62), 10);
    let mut owner = scene.owner();
    owner.run(
        "SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true)",
    );
    let failure = owner.failure("SELECT clerk.start_backfill()");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    let failure = owner.failure("SELECT clerk.start_backfill(instance => 'ins_other')");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("clerk.set_secret_key"))
    );
    owner.run("SELECT clerk.start_backfill(instance => 'ins_sim')");
    let empty = scene.db.cluster().create_database();
    let failure = empty.superuser().failure("SELECT clerk.start_backfill()");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
}

#[test]
fn who_may() {
    let (scene, _) = Scene::shared(world(63), 50);
    let mut owner = scene.owner();
    for role in ["anon", "authenticated", "service_role"] {
        let mut client = scene.db.connect(role);
        for statement in [
            "SELECT clerk.start_backfill()",
            "SELECT clerk.start_reconcile()",
            "SELECT clerk.sync_user('user_1')",
            "SELECT clerk.sync_organization('org_1')",
            "SELECT clerk.cancel_run(1)",
            "SELECT clerk.follow_run(1)",
            "CALL clerk.backfill()",
            "CALL clerk.reconcile()",
            "TABLE clerk.sync_runs",
            "TABLE clerk.sync_steps",
            "TABLE clerk.sync_progress",
        ] {
            let failure = client.failure(statement);
            assert_eq!(failure.sqlstate, "42501", "{role}: {statement}: {failure:?}");
        }
    }
    owner.run("SELECT clerk.grant_admin('service_role')");
    let mut admin = scene.db.connect("service_role");
    admin.run("CALL clerk.backfill()");
    let by: String = admin.value("SELECT requested_by FROM clerk.sync_runs");
    assert_eq!(by, "service_role");
    let steps: i64 = admin.value("SELECT count(*) FROM clerk.sync_progress WHERE state = 'done'");
    assert!(steps > 0);
    owner.run("SELECT clerk.revoke_admin('service_role')");
    let failure = admin.failure("CALL clerk.backfill()");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
}
