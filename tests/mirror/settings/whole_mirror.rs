//! `clerk.configure_mirror`: what holds for all instances.

use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

/// The answer of `configure_mirror` to these arguments.
fn configure_mirror(owner: &mut Client, arguments: &str) -> Value {
    let Json(settings) = owner.value(&format!(
        "SELECT to_jsonb(m) FROM clerk.configure_mirror({arguments}) AS m"
    ));
    settings
}

/// The row in the table, without what is not the mirror's.
fn stored(owner: &mut Client) -> Value {
    let others = "{only_row,identity_source,only_clerk,exempt_roles,token_header,anonymous_role,signed_in_role,clock_skew_seconds}";
    let Json(settings) = owner.value(&format!(
        "SELECT to_jsonb(s) - '{others}'::text[] FROM clerk.settings AS s"
    ));
    settings
}

#[test]
fn the_settings_of_the_mirror_change_one_by_one() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    let mut expected = json!({
        "deleted_users": "scrub", "payload_retention": "30 days", "event_retention": "90 days", "max_attempts": 12,
        "notify": false, "reconcile_every": "01:00:00", "full_reconcile_every": "1 day", "missing_threshold": 0.2,
    });
    assert_eq!(configure_mirror(&mut owner, ""), expected);
    for (argument, name, value) in [
        ("'remove'", "deleted_users", json!("remove")),
        ("'keep'", "deleted_users", json!("keep")),
        ("'0'", "payload_retention", json!("00:00:00")),
        ("'7 days'", "event_retention", json!("7 days")),
        ("'168 hours'", "payload_retention", json!("168:00:00")),
        ("'1 year'", "event_retention", json!("1 year")),
        ("1", "max_attempts", json!(1)),
        ("true", "notify", json!(true)),
        ("'15 minutes'", "reconcile_every", json!("00:15:00")),
        ("'0'", "full_reconcile_every", json!("00:00:00")),
        ("0.05", "missing_threshold", json!(0.05)),
    ] {
        expected[name] = value;
        assert_eq!(
            configure_mirror(&mut owner, &format!("{name} => {argument}")),
            expected,
            "{name} => {argument}"
        );
        assert_eq!(configure_mirror(&mut owner, &format!("{name} => NULL")), expected);
        assert_eq!(stored(&mut owner), expected);
        // The two functions do not undo each other's work.
        owner.run("SELECT clerk.set_identity_source('claims')");
        assert_eq!(stored(&mut owner), expected);
    }
    let source = "SELECT identity_source FROM clerk.settings";
    assert_eq!(owner.value::<String>(source), "claims");
}

#[test]
fn set_identity_source_leaves_the_mirror_its_defaults() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    owner.run("SELECT clerk.set_identity_source('token')");
    let before = stored(&mut owner);
    assert_eq!(configure_mirror(&mut owner, ""), before);
    assert_eq!(before["deleted_users"], "scrub");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure_mirror(
        &mut owner,
        "payload_retention => '10 days', event_retention => '20 days'",
    );
    let before = stored(&mut owner);
    for (arguments, hint) in [
        ("deleted_users => 'forget'", "'scrub'"),
        ("deleted_users => ''", "'remove'"),
        ("deleted_users => 'Keep'", "'keep'"),
        ("payload_retention => '-1 second'", "'30 days'"),
        ("event_retention => '-1 year'", "'90 days'"),
        ("event_retention => '6 days 23:59:59'", "'90 days'"),
        ("payload_retention => '0', event_retention => '0'", "'90 days'"),
        ("payload_retention => '20 days 1 second'", "event_retention"),
        ("event_retention => '9 days'", "payload_retention"),
        (
            "payload_retention => '2 months', event_retention => '59 days'",
            "event_retention",
        ),
        ("max_attempts => 0", "1 or more"),
        ("max_attempts => -3", "1 or more"),
    ] {
        let failure = owner.failure(&format!("SELECT clerk.configure_mirror({arguments})"));
        assert_eq!(failure.sqlstate, "22023", "{arguments}: {failure:?}");
        assert!(
            failure.hint.as_ref().is_some_and(|own| own.contains(hint)),
            "{arguments}: {failure:?}"
        );
        assert_eq!(stored(&mut owner), before, "{arguments}");
    }
    owner.run("SET default_transaction_read_only = on");
    let failure = owner.failure("SELECT clerk.configure_mirror(notify => true)");
    assert_eq!(failure.sqlstate, "25006", "{failure:?}");
}

#[test]
fn an_administrator_may_change_the_settings_and_others_may_not() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    let role = format!("administrator_{}", db.name());
    owner.run(&format!(
        "CREATE ROLE {role} LOGIN; SELECT clerk.grant_admin('{role}')"
    ));
    let mut administrator = db.connect(&role);
    let settings = configure_mirror(&mut administrator, "notify => true");
    assert_eq!(settings["notify"], true);
    for role in ["anon", "authenticated", "service_role", "app"] {
        let failure = db
            .connect(role)
            .failure("SELECT clerk.configure_mirror(notify => false)");
        assert_eq!(failure.sqlstate, "42501", "{role}: {failure:?}");
    }
    assert_eq!(stored(&mut owner), settings);
}
