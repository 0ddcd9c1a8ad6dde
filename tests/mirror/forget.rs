//! What an administrator does not want any more goes from rows and payloads that are there: a field, or a whole instance.

use clerk_tests::Sql;
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::{INSTANCE, ISSUER, Scene, event};

const AT: i64 = 1_750_000_000_000;
const MARKER: &str = "OpenSesame";

/// Somebody of whom every field below holds the marker, and their membership.
fn events() -> [Value; 2] {
    let user = json!({
        "id": "user_ada", "object": "user", "created_at": AT, "updated_at": AT, "first_name": MARKER, "username": "ada",
        "primary_email_address_id": "idn_1",
        "email_addresses": [{"id": "idn_1", "email_address": "OpenSesame@example.com", "verification": {"status": "verified"}}],
        "unsafe_metadata": {"secret": MARKER}, "private_metadata": {"secret": MARKER}, "scim": {"title": MARKER},
    });
    let membership = json!({
        "id": "orgmem_1", "object": "organization_membership", "created_at": AT, "updated_at": AT, "role": "org:admin",
        "organization": {"id": "org_1", "object": "organization", "name": "Acme", "created_at": AT, "updated_at": AT},
        "public_user_data": {"user_id": "user_ada", "first_name": "Ada"}, "public_metadata": {"secret": MARKER},
    });
    [
        event("user.created", AT, user),
        event("organizationMembership.created", AT, membership),
    ]
}

/// Rows and payloads in which the text is, of whichever instance.
fn holding(owner: &mut Client, text: &str) -> Vec<String> {
    owner.value_of(
        "SELECT array(SELECT place COLLATE \"C\" FROM (
             SELECT 'users' FROM clerk.users AS t WHERE t::text LIKE '%' || $1 || '%'
             UNION ALL SELECT 'organization_memberships' FROM clerk.organization_memberships AS t WHERE t::text LIKE '%' || $1 || '%'
             UNION ALL SELECT e.event_type FROM clerk.webhook_events AS e WHERE e::text LIKE '%' || $1 || '%'
         ) AS held (place) ORDER BY 1)",
        &[&text],
    )
}

fn configure(owner: &mut Client, arguments: &str) {
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{ISSUER}', {arguments})"
    ));
}

#[test]
fn what_is_excluded_goes_from_rows_and_payloads_that_are_there() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    scene.deliver(&events());
    let everywhere = [
        "organizationMembership.created",
        "organization_memberships",
        "user.created",
        "users",
    ];
    assert_eq!(holding(&mut owner, MARKER), everywhere);

    // Of one table.
    configure(&mut owner, "exclude_fields => '{users.first_name}'");
    let shown = "SELECT concat_ws(' ', first_name, data ->> 'first_name', username) FROM clerk.users";
    assert_eq!(owner.value::<String>(shown), "ada");
    assert_eq!(
        owner.value::<Option<String>>(
            "SELECT payload::jsonb #>> '{data,first_name}' FROM clerk.webhook_events WHERE event_type = 'user.created'"
        ),
        None
    );
    assert_eq!(
        holding(&mut owner, MARKER),
        everywhere,
        "other fields are left alone"
    );

    // A field that columns are worked out from; those of every table; what has a column of its own.
    configure(
        &mut owner,
        "exclude_fields => '{users.first_name,email_addresses,unsafe_metadata,public_metadata,scim}'",
    );
    let columns = "SELECT num_nonnulls(primary_email_address, primary_email_verified, email_addresses, scim) || ' ' || primary_email_address_id
                   FROM clerk.users";
    assert_eq!(owner.value::<String>(columns), "0 idn_1");
    assert_eq!(holding(&mut owner, MARKER), ["user.created", "users"]);
    configure(&mut owner, "keep_private_metadata => false");
    assert_eq!(holding(&mut owner, MARKER), [""; 0]);
    // The rows are what they were otherwise.
    let kept: String =
        owner.value("SELECT role || ' ' || user_id FROM clerk.organization_memberships WHERE NOT deleted");
    assert_eq!(kept, "org:admin user_ada");
}

#[test]
fn another_instances_rows_keep_what_this_one_leaves_out() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    scene.deliver(&events());
    owner.run(
        "SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true);
         SELECT clerk.configure(issuer => 'https://other.test', exclude_fields => '{first_name}')",
    );
    let name: String = owner.value("SELECT first_name FROM clerk.users");
    assert_eq!(name, MARKER);
}

#[test]
fn a_removed_instance_can_be_forgotten() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    scene.deliver(&events());
    owner.run("CREATE TABLE app_notes (user_id text REFERENCES clerk.users (id)); INSERT INTO app_notes VALUES ('user_ada')");
    let other = json!({
        "type": "user.created", "object": "event", "timestamp": AT, "instance_id": "ins_other",
        "data": {"id": "user_bea", "object": "user", "first_name": "Bea", "updated_at": AT},
    });
    owner.run("SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true)");
    owner.run(&format!("SELECT clerk.apply_event('{other}', 'msg_other')"));
    owner.run("UPDATE clerk.webhook_events SET state = 'failed', next_attempt_at = now() WHERE event_type = 'user.created'");

    // Without being asked to, it forgets nothing; and what is not known to be its own, neither.
    let existing = "SELECT string_agg(id, ' ' ORDER BY id) FROM clerk.existing_users";
    assert_eq!(owner.value::<String>(existing), "user_ada user_bea");
    owner.run("UPDATE clerk.instances SET instance_id = NULL WHERE issuer = 'https://clerk.sim.test'");
    let failure = owner.failure(&format!(
        "SELECT clerk.remove_instance('{ISSUER}', forget_rows => true)"
    ));
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("instance_id => 'ins_…'"))
    );
    owner.run(&format!(
        "UPDATE clerk.instances SET instance_id = '{INSTANCE}' WHERE issuer = '{ISSUER}'"
    ));

    owner.run(&format!(
        "SELECT clerk.remove_instance('{ISSUER}', forget_rows => true)"
    ));
    assert_eq!(owner.value::<String>(existing), "user_bea");
    assert_eq!(holding(&mut owner, MARKER), [""; 0]);
    assert_eq!(
        owner.value::<i64>("SELECT count(*) FROM app_notes JOIN clerk.users AS u ON u.id = user_id WHERE u.deleted_at IS NOT NULL"),
        1
    );
    let membership: String = owner.value(
        "SELECT concat_ws(' ', id, organization_id, user_id, role, data, deleted) FROM clerk.organization_memberships",
    );
    assert_eq!(
        membership,
        r#"orgmem_1 org_1 user_ada {"id": "orgmem_1", "erased": true, "organization": {"id": "org_1"}, "public_user_data": {"user_id": "user_ada"}} t"#
    );
    let states: String = owner.value(
        "SELECT string_agg(concat_ws(' ', svix_id = 'msg_other', state, reason, payload IS NOT NULL), ', ' ORDER BY received_at)
         FROM clerk.webhook_events",
    );
    assert_eq!(states, "f ignored instance-removed f, f applied f, t failed t");
    // Nothing of it comes back by a retry.
    owner.run("SELECT clerk.maintain()");
    assert_eq!(owner.value::<String>(existing), "user_bea");

    // The last one takes what names no instance with it.
    owner.run("UPDATE clerk.users SET instance_id = NULL WHERE id = 'user_bea'");
    owner.run("SELECT clerk.remove_instance('https://other.test', forget_rows => true)");
    assert_eq!(owner.value::<Option<String>>(existing), None);
}
