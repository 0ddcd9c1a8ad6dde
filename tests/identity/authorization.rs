//! `has_role`, `has_permission`, `has_feature`, `has_plan`, `has_reverification` and `has`.

use clerk_tests::Sql;
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::{Caller, claims, clerk, database, session, with};

/// An admin of an organization with features of the organization, of the user and of both.
fn admin() -> Value {
    with(
        claims("user_ada"),
        json!({
            "fea": "o:posts,u:badge,uo:beta", "pla": "o:team,u:plus",
            "o": {"id": "org_acme", "rol": "admin", "per": "read,manage", "fpm": "3,0,1"},
        }),
    )
}

fn assert_all(client: &mut Client, expected: bool, questions: &[&str]) {
    for question in questions {
        let answer: Option<bool> = client.value(&format!("SELECT clerk.{question}"));
        assert_eq!(answer, Some(expected), "{question}");
    }
}

const TRUE_OF_ADMIN: &[&str] = &[
    "has_role('admin')",
    "has_role('org:admin')",
    "has_role('org:org:admin')",
    "has_permission('org:posts:read')",
    "has_permission('posts:manage')",
    "has_permission('org:beta:read')",
    "has_feature('posts')",
    "has_feature('badge')",
    "has_feature('beta')",
    "has_feature('o:posts')",
    "has_feature('org:posts')",
    "has_feature('organization:posts')",
    "has_feature('u:badge')",
    "has_feature('user:badge')",
    "has_feature('u:beta')",
    "has_feature('o:beta')",
    // Only the first two parts are read.
    "has_feature('o:posts:more')",
    "has_plan('team')",
    "has_plan('plus')",
    "has_plan('o:team')",
    "has_plan('user:plus')",
    "has(role => 'admin')",
    "has(role => 'org:admin', permission => 'org:posts:read', feature => 'badge', plan => 'team', \
         reverification => 'strict')",
    "has('*', '*', 'posts')",
];

const FALSE_OF_ADMIN: &[&str] = &[
    "has_role('member')",
    "has_role('Admin')",
    "has_role('')",
    "has_role('org:')",
    "has_role(NULL)",
    "has_role(repeat('admin', 100000))",
    "has_permission('org:posts')",
    "has_permission('org:posts:delete')",
    "has_permission('org:beta:manage')",
    // A user's feature yields no permission.
    "has_permission('org:badge:read')",
    "has_permission('org:sys_memberships:read')",
    "has_permission('')",
    "has_permission(NULL)",
    "has_feature('u:posts')",
    "has_feature('o:badge')",
    "has_feature('x:posts')",
    "has_feature('')",
    "has_feature(NULL)",
    "has_plan('o:plus')",
    "has_plan('u:team')",
    "has_plan('free')",
    "has_plan(NULL)",
    "has_reverification(NULL)",
    "has_reverification(NULL, 10)",
    "has()",
    "has('*', '*', '*', '*', '*')",
    // Whoever has nothing to ask for is denied.
    "has(role => '')",
    "has(role => 'admin', permission => '')",
    "has(role => 'admin', feature => '')",
    "has(role => 'admin', plan => '')",
    // NULL asks for something unknown.
    "has(role => NULL)",
    "has(role => 'admin', permission => NULL)",
    "has(role => 'admin', feature => NULL, plan => NULL)",
    "has(role => 'admin', reverification => NULL)",
    // All that is asked must hold.
    "has(role => 'admin', permission => 'org:posts:delete')",
    "has(role => 'member', permission => 'org:posts:read')",
    "has(role => 'admin', feature => 'missing')",
    "has(role => 'admin', plan => 'missing')",
    "has(role => 'admin', reverification => 'first_factor:1')",
];

#[test]
fn an_admin_has_what_the_claims_say() {
    let db = database();
    let mut app = db.connect("app");
    // The first factor was verified 5 minutes ago; there is no second.
    app.set_claims(&with(admin(), json!({"fva": [5, -1]})).to_string());
    assert_all(&mut app, true, TRUE_OF_ADMIN);
    assert_all(&mut app, false, FALSE_OF_ADMIN);
    // Twice, because the last question is remembered.
    assert_all(&mut app, true, TRUE_OF_ADMIN);
}

#[test]
fn nobody_has_anything() {
    let db = database();
    let mut app = db.connect("app");
    assert_all(&mut app, false, TRUE_OF_ADMIN);
    assert_all(&mut app, false, FALSE_OF_ADMIN);
    app.set_claims(&claims("user_ada").to_string());
    let of_organizations = [
        "has_role('admin')",
        "has_permission('org:posts:read')",
        "has_feature('posts')",
        "has_plan('team')",
    ];
    assert_all(&mut app, false, &of_organizations);
}

#[test]
fn malformed_claims_deny() {
    let db = database();
    let mut app = db.connect("app");
    // An entry without a scope spoils the whole list.
    app.set_claims(&with(admin(), json!({"fea": "o:posts,beta", "pla": "team"})).to_string());
    assert_all(
        &mut app,
        false,
        &[
            "has_feature('posts')",
            "has_permission('org:posts:read')",
            "has_plan('team')",
        ],
    );
    assert_all(&mut app, true, &["has_role('admin')"]);
    for masks in ["-1,0,1", "1.5,0,1", "x,0,1", ",0,1"] {
        let o = json!({"id": "org_acme", "rol": "admin", "per": "read,manage", "fpm": masks});
        app.set_claims(&with(admin(), json!({ "o": o })).to_string());
        assert_all(&mut app, false, &["has_permission('org:posts:read')"]);
        assert_all(&mut app, true, &["has_permission('org:beta:read')"]);
    }
    for ages in [
        json!([0]),
        json!(["0", "0"]),
        json!([-2, 0]),
        json!([-1, -1]),
        json!("0,0"),
        Value::Null,
    ] {
        app.set_claims(&with(admin(), json!({"fva": ages})).to_string());
        assert_all(&mut app, false, &["has_reverification('lax')"]);
    }
}

#[test]
fn reverification_asks_for_fresh_factors() {
    let db = database();
    let mut app = db.connect("app");
    // (ages of the factors, presets and levels that hold, those that do not)
    let cases: &[([i32; 2], &[&str], &[&str])] = &[
        (
            [5, -1],
            &[
                "'strict_mfa'",
                "'strict'",
                "'moderate'",
                "'lax'",
                "'first_factor', 6",
                "'second_factor', 6",
                "'multi_factor', 6",
            ],
            // As old as the limit is too old.
            &["'first_factor', 5", "'second_factor', 5", "'multi_factor', 5"],
        ),
        (
            [20, 5],
            &[
                "'strict'",
                "'moderate'",
                "'lax'",
                "'first_factor', 21",
                "'second_factor', 6",
                "'multi_factor', 21",
            ],
            &[
                "'strict_mfa'",
                "'first_factor', 20",
                "'second_factor', 5",
                "'multi_factor', 20",
            ],
        ),
        (
            [-1, 5],
            &["'strict'", "'second_factor', 6"],
            &["'strict_mfa'", "'first_factor', 100", "'multi_factor', 100"],
        ),
        ([5, 59], &["'moderate'"], &["'strict'"]),
        ([5, 60], &["'lax'"], &["'moderate'"]),
        ([5, 1440], &[], &["'lax'"]),
    ];
    for (ages, hold, fail) in cases {
        app.set_claims(&with(admin(), json!({"fva": ages})).to_string());
        for (questions, expected) in [(hold, true), (fail, false)] {
            for question in *questions {
                let answer: bool = app.value(&format!("SELECT clerk.has_reverification({question})"));
                assert_eq!(answer, expected, "{question} of {ages:?}");
                // The same in one argument.
                let whole = question.replace("', ", ":") + if question.contains(',') { "'" } else { "" };
                let answer: bool = app.value(&format!("SELECT clerk.has(reverification => {whole})"));
                assert_eq!(answer, expected, "{whole} of {ages:?}");
            }
        }
    }
}

#[test]
fn an_unknown_preset_or_level_is_an_error_for_everybody() {
    let db = database();
    let mut app = db.connect("app");
    for claims in [String::new(), admin().to_string()] {
        app.set_claims(&claims);
        for mistake in [
            "has_reverification('strictest')",
            "has_reverification('')",
            "has_reverification('first_factor')",
            "has_reverification('first_factor', 0)",
            "has_reverification('first_factor', -5)",
            "has_reverification('strict', 10)",
            "has(reverification => 'strictest')",
            "has(role => 'admin', reverification => 'first_factor')",
            "has(reverification => 'first_factor:soon')",
            "has(reverification => 'strict:10')",
            "has(reverification => 'lax:5m')",
            "has(reverification => '')",
        ] {
            let failure = app.failure(&format!("SELECT clerk.{mistake}"));
            assert_eq!(failure.sqlstate, "22023", "{mistake}");
            assert!(
                failure.hint.as_ref().is_some_and(|hint| hint.contains("factor")),
                "{failure:?}"
            );
        }
    }
}

/// The last question and its answer are remembered; they must not outlive the claims they were asked of.
#[test]
fn an_answer_does_not_outlive_its_claims() {
    const QUESTIONS: &str = "SELECT ARRAY[clerk.has_role('admin'), clerk.has_permission('org:posts:read'), \
        clerk.has_feature('posts'), clerk.has_plan('team')]";

    let db = database();
    let mut app = db.connect("app");
    let member = with(
        admin(),
        json!({"fea": null, "pla": null, "o": {"id": "org_acme", "rol": "member"}}),
    );
    for round in 0..6 {
        let is_admin = round % 2 == 0;
        app.set_claims(&if is_admin { admin() } else { member.clone() }.to_string());
        for _ in 0..3 {
            assert_eq!(app.value::<Vec<bool>>(QUESTIONS), [is_admin; 4]);
        }
    }
    app.set_claims("");
    assert_eq!(app.value::<Vec<bool>>(QUESTIONS), [false; 4]);
    for role in ["admin", "member", "admin"] {
        let token = session("user_ada").organization("org_acme", None, role, &[]);
        app.set_token(&clerk().mint(token));
        assert_eq!(
            app.value::<bool>("SELECT clerk.has_role('admin')"),
            role == "admin"
        );
    }
    db.superuser()
        .run(&format!("SELECT clerk.remove_instance('{}')", clerk().issuer()));
    app.set_claims(&admin().to_string());
    assert_eq!(
        app.value::<Vec<bool>>(QUESTIONS),
        [false; 4],
        "whoever it was, nobody knows them now"
    );
}

/// An argument that comes out of a table may be compressed or stored elsewhere.
#[test]
fn stored_arguments_are_read_whole() {
    let db = database();
    let mut app = db.connect("app");
    app.set_claims(&admin().to_string());
    app.run(
        "CREATE TEMPORARY TABLE asked (role text, external text);
         ALTER TABLE asked ALTER external SET STORAGE EXTERNAL;
         INSERT INTO asked SELECT 'admin', 'x' UNION ALL
         SELECT repeat('org:', 20000) || 'admin', repeat('org:', 20000) || 'admin'",
    );
    let answers: Vec<Vec<bool>> = app
        .query(
            "SELECT ARRAY[clerk.has_role(role), clerk.has_role(external)] FROM asked ORDER BY length(role)",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(answers, [[true, false], [true, true]]);
}
