//! What `clerk.configure` lets the mirror store of an instance.

mod whole_mirror;

use clerk_sim::{Options, Rotation, Simulator};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

const ISSUER: &str = "https://clerk.one.test";
const OTHER_ISSUER: &str = "https://clerk.two.test";

/// What the issue wants on by default, and what by setting.
const BY_DEFAULT: [&str; 8] = [
    "users",
    "organizations",
    "organization_memberships",
    "organization_invitations",
    "organization_domains",
    "invitations",
    "roles",
    "permissions",
];
const BY_SETTING: [&str; 5] = [
    "sessions",
    "waitlist_entries",
    "subscriptions",
    "subscription_items",
    "payment_attempts",
];

/// A configured instance, and the answers of `configure` for more arguments.
struct Instance {
    owner: Client,
}

impl Instance {
    fn new() -> Self {
        let mut owner = Cluster::shared().create_database().superuser();
        owner.run(&format!(
            "SELECT clerk.configure(issuer => '{ISSUER}', jwks_url => '')"
        ));
        Self { owner }
    }

    fn configure(&mut self, arguments: &str) {
        self.owner.run(&format!("SELECT clerk.configure({arguments})"));
    }

    /// # Panics
    /// Unless these arguments are refused as unusable, with a hint, and nothing changes.
    #[track_caller]
    fn assert_refused(&mut self, arguments: &str, hint: &str) {
        let before = self.settings();
        let failure = self
            .owner
            .failure(&format!("SELECT clerk.configure({arguments})"));
        assert_eq!(failure.sqlstate, "22023", "{arguments}: {failure:?}");
        assert!(
            failure.hint.as_ref().is_some_and(|own| own.contains(hint)),
            "{arguments}: {failure:?}"
        );
        assert_eq!(self.settings(), before, "{arguments}");
    }

    /// What the mirror stores of the instance.
    fn settings(&mut self) -> Value {
        let Json(settings) = self.owner.value(
            "SELECT to_jsonb(s) FROM (
                 SELECT mirror, exclude_fields, keep_private_metadata, keep_event_attributes, instance_id
                 FROM clerk.instances ORDER BY created_at LIMIT 1) AS s",
        );
        settings
    }

    fn instance_id(&mut self) -> Value {
        self.settings()["instance_id"].clone()
    }

    fn apply(&mut self, event: &Value) -> String {
        let Json(answer): Json<Value> = self
            .owner
            .value_of("SELECT clerk.apply_event($1)", &[&Json(event)]);
        let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("status"), text("reason")).trim().to_owned()
    }

    /// Makes this the whole key set.
    fn import(&mut self, clerk: &Simulator, issuer: &str, kids: &[&str]) -> i32 {
        let key = &clerk.jwks()["keys"][0];
        let named = |kid: &&str| {
            let mut key = key.clone();
            key["kid"] = json!(kid);
            key
        };
        let keys: Vec<Value> = kids.iter().map(named).collect();
        self.owner.value_of(
            "SELECT clerk.import_jwks($1, $2)",
            &[&issuer, &json!({"keys": keys}).to_string()],
        )
    }
}

fn event(event_type: &str, at_ms: i64, data: Value) -> Value {
    json!({"type": event_type, "object": "event", "timestamp": at_ms, "data": data})
}

#[test]
fn an_argument_left_out_leaves_the_mirror_alone() {
    let mut instance = Instance::new();
    let mut expected = json!({
        "mirror": BY_DEFAULT, "exclude_fields": [], "keep_private_metadata": false, "keep_event_attributes": false,
        "instance_id": null,
    });
    assert_eq!(instance.settings(), expected);
    // The table says the same as the function.
    let defaults: Vec<String> = instance.owner.value(
        "INSERT INTO clerk.instances (issuer, environment) VALUES ('https://x.test', 'production') RETURNING mirror",
    );
    assert_eq!(defaults, BY_DEFAULT);
    instance
        .owner
        .run("SELECT clerk.remove_instance('https://x.test')");

    for (argument, name, value) in [
        ("'{users}'", "mirror", json!(["users"])),
        ("'{}'", "mirror", json!([])),
        (
            "ARRAY['roles', 'users', 'roles']",
            "mirror",
            json!(["users", "roles"]),
        ),
        (
            "'{unsafe_metadata,users.first_name}'",
            "exclude_fields",
            json!(["unsafe_metadata", "users.first_name"]),
        ),
        ("true", "keep_private_metadata", json!(true)),
        ("true", "keep_event_attributes", json!(true)),
        ("'ins_2abcDEF'", "instance_id", json!("ins_2abcDEF")),
    ] {
        instance.configure(&format!("{name} => {argument}"));
        expected[name] = value;
        assert_eq!(instance.settings(), expected, "{name} => {argument}");
        instance.configure("audiences => '{api}'");
        assert_eq!(instance.settings(), expected);
    }
    for (argument, name, value) in [
        ("'{}'", "exclude_fields", json!([])),
        ("false", "keep_private_metadata", json!(false)),
        ("false", "keep_event_attributes", json!(false)),
        ("''", "instance_id", Value::Null),
    ] {
        instance.configure(&format!("{name} => {argument}"));
        expected[name] = value;
        assert_eq!(instance.settings(), expected, "{name} => {argument}");
    }
}

#[test]
fn every_table_can_be_mirrored() {
    let mut instance = Instance::new();
    let all: Vec<&str> = BY_DEFAULT.into_iter().chain(BY_SETTING).collect();
    let mut reversed = all.clone();
    reversed.reverse();
    instance.configure(&format!("mirror => '{{{}}}'", reversed.join(",")));
    assert_eq!(instance.settings()["mirror"], json!(all));
    for table in all {
        instance.owner.run(&format!("SELECT FROM clerk.{table}"));
    }
}

#[test]
fn a_mirror_that_makes_no_sense_is_refused() {
    let mut instance = Instance::new();
    instance.assert_refused("mirror => '{users,user}'", "waitlist_entries");
    instance.assert_refused("mirror => '{Users}'", "payment_attempts");
    instance.assert_refused("mirror => ARRAY['']", "roles");
    // Rows are gone with what they belong to, so that must be known.
    for (mirror, missing) in [
        ("users,organization_memberships", "organizations"),
        ("organizations,organization_memberships", "users"),
        ("users,organization_invitations", "organizations"),
        ("organizations,organization_invitations", "users"),
        ("users,organization_domains", "organizations"),
        ("organizations,sessions", "users"),
        ("users,subscription_items", "subscriptions"),
    ] {
        instance.assert_refused(&format!("mirror => '{{{mirror}}}'"), &format!("'{missing}'"));
    }
}

#[test]
fn fields_that_rows_need_cannot_be_excluded() {
    let mut instance = Instance::new();
    for field in [
        "id",
        "updated_at",
        "users.id",
        "organization_memberships.organization",
    ] {
        instance.assert_refused(&format!("exclude_fields => '{{{field}}}'"), "exclude_fields");
    }
    instance.assert_refused(
        "exclude_fields => '{people.first_name}'",
        "organization_memberships",
    );
    for field in ["\"\"", "users.", ".x", "users.public_metadata.plan"] {
        instance.assert_refused(&format!("exclude_fields => '{{{field}}}'"), "");
    }
}

#[test]
fn a_field_that_clerk_does_not_have_is_refused_with_the_one_that_was_meant() {
    let mut instance = Instance::new();
    for (field, hint) in [
        ("phone_number", "Did you mean 'phone_numbers'?"),
        ("users.phone_number", "Did you mean 'users.phone_numbers'?"),
        ("organizations.first_name", "Did you mean 'users.first_name'?"),
        ("birthday", "Clerk's objects"),
    ] {
        instance.assert_refused(&format!("exclude_fields => '{{{field}}}'"), hint);
    }
}

#[test]
fn what_is_configured_is_what_is_stored() {
    let mut instance = Instance::new();
    let session = event(
        "session.created",
        1_700_000_000_000,
        json!({"id": "sess_1", "object": "session", "user_id": "user_1", "status": "active", "updated_at": 1_700_000_000_000_i64}),
    );
    let user = |at: i64| {
        let data = json!({
            "id": "user_1", "object": "user", "first_name": "Ada", "updated_at": at, "private_metadata": {"plan": "gold"},
        });
        event("user.updated", at, data)
    };
    assert_eq!(instance.apply(&session), "ignored not-mirrored");
    assert_eq!(instance.apply(&user(1_700_000_000_000)), "applied");
    let stored = "SELECT first_name, private_metadata->>'plan', (SELECT count(*) FROM clerk.sessions) FROM clerk.users";
    let stored = |instance: &mut Instance| -> (Option<String>, Option<String>, i64) {
        let row = instance.owner.query_one(stored, &[]).expect("the row is there");
        (row.get(0), row.get(1), row.get(2))
    };
    assert_eq!(stored(&mut instance), (Some("Ada".to_owned()), None, 0));

    // In the same session and in the middle of a transaction.
    instance.owner.run("BEGIN");
    instance.configure(
        "mirror => '{users,sessions}', exclude_fields => '{first_name}', keep_private_metadata => true",
    );
    let mut later = session.clone();
    later["data"]["status"] = json!("ended");
    assert_eq!(instance.apply(&later), "applied");
    assert_eq!(instance.apply(&user(1_700_000_001_000)), "applied");
    instance.owner.run("COMMIT");
    assert_eq!(stored(&mut instance), (None, Some("gold".to_owned()), 1));
}

#[test]
fn the_instance_id_is_learned_from_the_key() {
    let clerk = Simulator::start();
    let mut instance = Instance::new();
    // Keys of another kind, or several: nothing to go by.
    for kids in [&["key_1"][..], &["key_1", "key_2"], &["ins_a", "ins_b"]] {
        assert_eq!(instance.import(&clerk, ISSUER, kids), kids.len() as i32);
        assert_eq!(instance.instance_id(), Value::Null, "{kids:?}");
    }
    assert_eq!(instance.import(&clerk, ISSUER, &["key_1", "ins_a"]), 2);
    assert_eq!(instance.instance_id(), "ins_a");
    // What is known stays.
    instance.import(&clerk, ISSUER, &["ins_c"]);
    assert_eq!(instance.instance_id(), "ins_a");
    instance.configure("instance_id => 'ins_d'");
    instance.import(&clerk, ISSUER, &["ins_c"]);
    assert_eq!(instance.instance_id(), "ins_d");
    // Forgotten, it is learned anew.
    instance.configure("instance_id => ''");
    assert_eq!(instance.instance_id(), Value::Null);
    instance.import(&clerk, ISSUER, &["ins_c"]);
    assert_eq!(instance.instance_id(), "ins_c");

    let user = |instance_id: &str| {
        let mut event = event("user.created", 1, json!({"id": "user_1", "object": "user"}));
        event["instance_id"] = json!(instance_id);
        event
    };
    assert_eq!(instance.apply(&user("ins_a")), "ignored foreign-instance");
    assert_eq!(instance.apply(&user("ins_c")), "applied");
}

#[test]
fn fetched_keys_teach_the_instance_id_too() {
    let options = Options {
        kid: "ins_first".to_owned(),
        ..Options::default()
    };
    let clerk = Simulator::start_with(options).expect("a loopback port is free");
    let db = Cluster::shared().create_database();
    db.configure(&clerk);
    let mut instance = Instance {
        owner: db.superuser(),
    };
    assert_eq!(instance.instance_id(), "ins_first");
    instance
        .owner
        .run("UPDATE clerk.instances SET instance_id = NULL");
    assert_eq!(instance.owner.value::<i32>("SELECT clerk.refresh_jwks()"), 1);
    assert_eq!(instance.instance_id(), "ins_first");
    clerk.rotate(Rotation::New);
    assert_eq!(instance.owner.value::<i32>("SELECT clerk.refresh_jwks()"), 1);
    assert_eq!(instance.instance_id(), "ins_first");
    // By a worker, that a token has started.
    instance
        .owner
        .run("UPDATE clerk.instances SET instance_id = NULL");
    let kid = clerk.rotate(Rotation::New);
    let token = clerk.mint(clerk_sim::Token::session(clerk.issuer(), "user_ada"));
    let user: String = instance
        .owner
        .value_of("SELECT clerk.verify_jwt($1)->>'sub'", &[&token]);
    assert_eq!(user, "user_ada");
    assert_eq!(instance.instance_id(), kid);
}

#[test]
fn two_instances_have_two_ids() {
    let clerk = Simulator::start();
    let mut instance = Instance::new();
    instance.import(&clerk, ISSUER, &["ins_a"]);
    instance.configure(&format!(
        "issuer => '{OTHER_ISSUER}', jwks_url => '', additional => true"
    ));
    instance.assert_refused(
        &format!("issuer => '{OTHER_ISSUER}', instance_id => 'ins_a'"),
        "an id of its own",
    );
    let other = "SELECT instance_id FROM clerk.instances WHERE issuer = $1";
    instance.import(&clerk, OTHER_ISSUER, &["ins_a"]);
    assert_eq!(
        instance.owner.value_of::<Option<String>>(other, &[&OTHER_ISSUER]),
        None
    );
    instance.configure(&format!("issuer => '{OTHER_ISSUER}', instance_id => 'ins_b'"));
    assert_eq!(
        instance.owner.value_of::<String>(other, &[&OTHER_ISSUER]),
        "ins_b"
    );
    for wrong in ["ins_", "ins", "inst_a", "INS_a", "ins_a b", "ins_é", "user_a"] {
        instance.assert_refused(
            &format!("issuer => '{ISSUER}', instance_id => '{wrong}'"),
            "ins_…",
        );
    }
}
