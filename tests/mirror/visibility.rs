//! Who sees what, over the same pooled connection.

use std::collections::BTreeSet;

use clerk_tests::{Failure, Sql, TestDb};
use postgres::Transaction;
use serde_json::{Value, json};

use crate::pooled::{claims, ids};
use crate::scene::{Scene, event};

const T0: i64 = 1_750_000_000_000;
/// In what nobody but the owner and the service may read.
pub const PRIVATE: &str = "PRIVATEMARKER";

fn user(id: &str, name: &str) -> Value {
    json!({
        "id": id, "object": "user", "first_name": name, "last_name": null, "username": null, "image_url": "https://img.example/1",
        "primary_email_address_id": "idn_1", "external_id": null, "banned": false, "locked": false,
        "email_addresses": [{"id": "idn_1", "object": "email_address", "email_address": format!("{id}@example.com"),
            "verification": {"status": "verified", "strategy": "email_code"}, "linked_to": []}],
        "phone_numbers": [], "public_metadata": {"plan": "pro"}, "private_metadata": {"note": PRIVATE},
        "unsafe_metadata": {}, "scim": {"id": PRIVATE}, "created_at": T0, "updated_at": T0,
    })
}

fn organization(id: &str) -> Value {
    json!({
        "id": id, "object": "organization", "name": id, "slug": null, "image_url": null, "max_allowed_memberships": 5,
        "public_metadata": {}, "private_metadata": {"note": PRIVATE}, "created_by": "user_ada", "created_at": T0, "updated_at": T0,
    })
}

fn membership(id: &str, organization_id: &str, user_id: &str, at_ms: i64) -> Value {
    json!({
        "id": id, "object": "organization_membership", "role": "org:member", "role_name": "Member", "permissions": [],
        "public_metadata": {}, "private_metadata": {"note": PRIVATE}, "organization": organization(organization_id),
        "public_user_data": {"user_id": user_id, "first_name": null, "last_name": null, "identifier": "x@example.com",
            "image_url": null, "has_image": false},
        "created_at": at_ms, "updated_at": at_ms,
    })
}

fn invitation(organization_id: &str) -> Value {
    json!({
        "id": "orginv_1", "object": "organization_invitation", "email_address": "new@example.com", "role": "org:member",
        "organization_id": organization_id, "status": "pending", "public_metadata": {}, "private_metadata": {"note": PRIVATE},
        "url": "https://clerk.sim.test/ticket", "created_at": T0, "updated_at": T0,
    })
}

/// Ada and Bob are in Acme, Carl is in Globex.
pub fn populate(scene: &Scene) {
    let mut events = Vec::new();
    for (id, name) in [("user_ada", "Ada"), ("user_bob", "Bob"), ("user_carl", "Carl")] {
        events.push(event("user.created", T0, user(id, name)));
    }
    for id in ["org_acme", "org_globex"] {
        events.push(event("organization.created", T0, organization(id)));
    }
    for (id, organization, user) in [
        ("orgmem_1", "org_acme", "user_ada"),
        ("orgmem_2", "org_acme", "user_bob"),
        ("orgmem_3", "org_globex", "user_carl"),
    ] {
        let data = membership(id, organization, user, T0);
        events.push(event("organizationMembership.created", T0, data));
    }
    events.push(event(
        "organizationInvitation.created",
        T0,
        invitation("org_acme"),
    ));
    scene.deliver(&events);
}

#[test]
fn people_see_themselves_and_those_they_are_with() {
    let scene = Scene::new();
    populate(&scene);
    let mut pooled = scene.pooled();
    let mut sees = |user: &str, profiles: &[&str], organizations: &[&str]| {
        let mut request = pooled.request_of(user);
        assert_eq!(ids(&mut request, "clerk_me"), [user]);
        assert_eq!(ids(&mut request, "clerk_profiles"), profiles, "{user}");
        assert_eq!(
            ids(&mut request, "clerk_my_organizations"),
            organizations,
            "{user}"
        );
        let address: String = request.value("SELECT primary_email_address FROM clerk_me");
        assert_eq!(address, format!("{user}@example.com"));
    };
    sees("user_ada", &["user_ada", "user_bob"], &["org_acme"]);
    sees("user_bob", &["user_ada", "user_bob"], &["org_acme"]);
    sees("user_carl", &["user_carl"], &["org_globex"]);

    // Bob leaves Acme, and comes to Globex.
    let left = membership("orgmem_2", "org_acme", "user_bob", T0);
    let joined = membership("orgmem_4", "org_globex", "user_bob", T0 + 2);
    scene.deliver(&[
        event("organizationMembership.deleted", T0 + 1, left),
        event("organizationMembership.created", T0 + 2, joined),
    ]);
    sees("user_ada", &["user_ada"], &["org_acme"]);
    sees("user_bob", &["user_bob", "user_carl"], &["org_globex"]);
    sees("user_carl", &["user_bob", "user_carl"], &["org_globex"]);

    // Globex is deleted, and no event says what follows.
    let stub = json!({"id": "org_globex", "object": "organization", "deleted": true});
    scene.deliver(&[event("organization.deleted", T0 + 3, stub)]);
    sees("user_bob", &["user_bob"], &[]);
    sees("user_carl", &["user_carl"], &[]);

    // Bob's token still names Acme: ensuring must not bring him back among its members.
    let mut old_token = claims("user_bob");
    old_token["o"] = json!({"id": "org_acme", "rol": "member"});
    let mut request = pooled.request(&old_token);
    let _: Option<Value> = request.value("SELECT clerk_ensure_current_user()");
    assert_eq!(ids(&mut request, "clerk_profiles"), ["user_bob"]);
    request.commit().expect("the request ends");
    let mut ada = pooled.request_of("user_ada");
    assert_eq!(ids(&mut ada, "clerk_profiles"), ["user_ada"]);
}

#[test]
fn a_person_is_there_before_the_webhook() {
    let scene = Scene::new();
    let mut pooled = scene.pooled();
    let mut token = claims("user_new");
    token["o"] = json!({"id": "org_new", "rol": "admin"});
    let mut request = pooled.request(&token);
    assert_eq!(ids(&mut request, "clerk_me"), [""; 0]);
    let _: Option<Value> = request.value("SELECT clerk_ensure_current_user()");
    assert_eq!(ids(&mut request, "clerk_me"), ["user_new"]);
    assert_eq!(ids(&mut request, "clerk_my_organizations"), ["org_new"]);
    request.commit().expect("the request ends");

    scene.deliver(&[
        event("user.created", T0, user("user_new", "New")),
        event(
            "organizationMembership.created",
            T0,
            membership("orgmem_9", "org_new", "user_new", T0),
        ),
    ]);
    let mut request = pooled.request(&token);
    assert_eq!(
        ids(&mut request, "clerk.my_memberships"),
        ["orgmem_9"],
        "once, and Clerk's own"
    );
    assert_eq!(request.value::<String>("SELECT first_name FROM clerk_me"), "New");
}

/// Everything that the role of a request can read, and every answer of every function that it can call.
fn everything(request: &mut Transaction) -> Vec<(String, String)> {
    let relations: Vec<String> = request.value(
        "SELECT coalesce(array_agg(c.oid::regclass::text), '{}') FROM pg_class AS c
         WHERE c.relnamespace IN ('clerk'::regnamespace, 'public'::regnamespace) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
           AND has_any_column_privilege(c.oid, 'SELECT')",
    );
    let functions: Vec<String> = request.value(
        "SELECT coalesce(array_agg(format('%s(%s)', p.oid::regproc, (
                SELECT string_agg(CASE format_type(type, NULL)
                    WHEN 'text' THEN quote_literal('user_ada') WHEN 'text[]' THEN '''{private_metadata}'''
                    WHEN 'jsonb' THEN '''{}''' WHEN 'json' THEN '''{}''' WHEN 'integer' THEN '1' ELSE 'NULL' END
                    || '::' || format_type(type, NULL), ', ' ORDER BY position)
                FROM unnest(p.proargtypes) WITH ORDINALITY AS argument (type, position)))), '{}')
         FROM pg_proc AS p
         WHERE p.pronamespace IN ('clerk'::regnamespace, 'public'::regnamespace) AND has_function_privilege(p.oid, 'EXECUTE')",
    );
    let reads = relations
        .iter()
        .map(|relation| format!("SELECT coalesce(string_agg(r::text, ' '), '') FROM {relation} AS r"));
    let calls = functions
        .iter()
        .map(|call| format!("SELECT coalesce(string_agg(r::text, ' '), '') FROM {call} AS r"));
    reads
        .chain(calls)
        .map(|statement| {
            let mut attempt = request.transaction().expect("a savepoint can be set");
            let answer = match attempt.query_one(&statement, &[]) {
                Ok(row) => row.get(0),
                Err(error) => format!("{:?}", Failure::from(error)),
            };
            attempt.rollback().expect("and be gone back to");
            (statement, answer)
        })
        .collect()
}

#[test]
fn no_path_shows_private_metadata() {
    let scene = Scene::new();
    populate(&scene);
    let mut pooled = scene.pooled();
    let people = ["user_ada", "user_bob", "user_carl"].map(claims);
    for who in people.iter().chain([&json!({"role": "anon"})]) {
        let answers = everything(&mut pooled.request(who));
        for needed in ["current_user_id", "whoami"] {
            assert!(
                answers.iter().any(|(path, _)| path.contains(needed)),
                "{answers:?}"
            );
        }
        for (path, answer) in answers {
            assert!(!answer.contains(PRIVATE), "{path} shows {who}: {answer}");
        }
    }
    // It is there to be found, and the way of looking finds it.
    let mut service = pooled.request(&json!({"role": "service_role"}));
    let shown: BTreeSet<String> = everything(&mut service)
        .into_iter()
        .filter(|(_, answer)| answer.contains(PRIVATE))
        .map(|(path, _)| {
            path.split("FROM ")
                .last()
                .unwrap_or_default()
                .replace(" AS r", "")
        })
        .collect();
    let expected = [
        "clerk.organization_invitations",
        "clerk.organization_memberships",
        "clerk.organizations",
        "clerk.users",
    ];
    assert_eq!(shown, expected.map(str::to_owned).into());
}

#[test]
fn the_ledger_and_the_secrets_are_nobodys_but_the_owners() {
    let scene = Scene::new();
    populate(&scene);
    let tables = [
        "secrets",
        "secret_uses",
        "webhook_events",
        "webhook_rejections",
        "event_handlers",
        "handler_runs",
    ];
    for role in ["anon", "authenticated", "service_role", "app"] {
        let mut session = scene.db.connect(role);
        for table in tables {
            for statement in [
                format!("SELECT FROM clerk.{table}"),
                format!("DELETE FROM clerk.{table} WHERE true"),
                format!("INSERT INTO clerk.{table} DEFAULT VALUES"),
            ] {
                let failure = session.failure(&statement);
                assert_eq!(failure.sqlstate, "42501", "{role}: {statement}: {failure:?}");
            }
        }
    }
}

/// Supabase's roles are there before the extension is.
#[test]
fn installing_lets_in_the_roles_of_an_api() {
    let db = TestDb::shared();
    let readable = "SELECT coalesce(string_agg(c.relname, ' ' ORDER BY c.relname), '') FROM pg_class AS c
         WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v') AND has_table_privilege(c.oid, 'SELECT')";
    let views = "me my_memberships my_organizations profiles";
    for role in ["anon", "app"] {
        assert_eq!(db.connect(role).value::<String>(readable), "", "{role}");
    }
    assert_eq!(db.connect("authenticated").value::<String>(readable), views);
    let mut service = db.connect("service_role");
    let readable: String = service.value(readable);
    let mirrored = "SELECT relname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relnamespace = 'clerk'::regnamespace AND relkind = 'r' AND attname = 'missing_at'";
    let mut expected: Vec<String> = views.split(' ').map(str::to_owned).collect();
    for row in service.query(mirrored, &[]).expect("catalogs can be read") {
        let table: String = row.get(0);
        expected.push(format!("existing_{table}"));
        expected.push(table);
    }
    expected.sort();
    assert_eq!(expected.len(), 4 + 2 * 13);
    assert_eq!(readable.split(' ').collect::<Vec<_>>(), expected);
}
