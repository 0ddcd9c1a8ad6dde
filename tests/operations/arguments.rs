//! NULL as an argument, and NULL as an element of a list, for every argument that the manual names.

use std::collections::BTreeSet;

use clerk_tests::{Failure, Sql, TestDb};
use postgres::Client;

const FUNCTIONS: &str = include_str!("../../docs/functions.md");

/// What becomes of NULL.
#[derive(Clone, Copy, Debug)]
enum Null {
    /// The function does nothing and gives NULL, or no row.
    Nothing,
    /// The answer is false.
    False,
    /// The answer is a verdict: nothing is raised.
    Verdict,
    /// As if the argument had been left out.
    LeftOut,
    /// 22004, with the argument's name.
    Refused,
}
use Null::{False, LeftOut, Nothing, Refused, Verdict};

/// A function, arguments with which it can be called, and what becomes of NULL for each argument. The second is what becomes of
/// NULL among the elements of a list.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, Null, Option<Null>)],
);

const ROWS: &[Row] = &[
    ("claim", &[], &[("path", Nothing, Some(Nothing))]),
    ("has_role", &[], &[("role", False, None)]),
    ("has_permission", &[], &[("permission", False, None)]),
    ("has_feature", &[], &[("feature", False, None)]),
    ("has_plan", &[], &[("plan", False, None)]),
    (
        "has_reverification",
        &[("preset_or_level", "'strict'")],
        &[("preset_or_level", False, None), ("after_minutes", LeftOut, None)],
    ),
    (
        "has",
        &[("role", "'admin'")],
        &[
            ("role", False, None),
            ("permission", False, None),
            ("feature", False, None),
            ("plan", False, None),
            ("reverification", False, None),
        ],
    ),
    ("authenticate", &[], &[("token", Nothing, None)]),
    ("doctor", &[], &[("online", LeftOut, None)]),
    ("webhook_portal_url", &[], &[("instance", LeftOut, None)]),
    ("inspect_jwt", &[], &[("token", Nothing, None)]),
    (
        "verify_jwt",
        &[("token", "'x'")],
        &[("token", Nothing, None), ("token_type", Nothing, None)],
    ),
    (
        "configure",
        &[("issuer", "'https://clerk.sim.test'")],
        &[
            ("publishable_key", LeftOut, None),
            ("issuer", LeftOut, None),
            ("jwks_url", LeftOut, None),
            ("authorized_parties", LeftOut, Some(Refused)),
            ("audiences", LeftOut, Some(Refused)),
            ("accept_template_tokens", LeftOut, None),
            ("treat_pending_as_signed_out", LeftOut, None),
            ("allow_missing_azp", LeftOut, None),
            ("other_issuers", LeftOut, Some(Refused)),
            ("additional", Refused, None),
            ("mirror", LeftOut, Some(Refused)),
            ("exclude_fields", LeftOut, Some(Refused)),
            ("keep_private_metadata", LeftOut, None),
            ("keep_event_attributes", LeftOut, None),
            ("instance_id", LeftOut, None),
            ("api_url", LeftOut, None),
            ("clock_skew_seconds", LeftOut, None),
        ],
    ),
    (
        "set_secret_key",
        &[("secret", "'vault:none'")],
        &[("secret", Nothing, None), ("issuer", LeftOut, None)],
    ),
    ("drop_secret_key", &[], &[("issuer", LeftOut, None)]),
    (
        "remove_instance",
        &[("issuer", "'https://nobody.test'")],
        &[("issuer", Nothing, None), ("forget_rows", Refused, None)],
    ),
    ("set_identity_source", &[], &[("source", Nothing, None)]),
    ("refresh_jwks", &[], &[("issuer", LeftOut, None)]),
    (
        "import_jwks",
        &[
            ("issuer", "'https://clerk.sim.test'"),
            ("keys", "'{\"keys\": []}'"),
        ],
        &[
            ("issuer", Nothing, None),
            ("keys", Nothing, None),
            ("kid", LeftOut, None),
        ],
    ),
    ("grant_admin", &[], &[("grantee", Nothing, None)]),
    ("revoke_admin", &[], &[("grantee", Nothing, None)]),
    ("grant_service", &[], &[("grantee", Nothing, None)]),
    ("revoke_service", &[], &[("grantee", Nothing, None)]),
    ("grant_reader", &[], &[("grantee", Nothing, None)]),
    ("revoke_reader", &[], &[("grantee", Nothing, None)]),
    (
        "connect_postgrest",
        &[],
        &[
            ("existing_keys", LeftOut, None),
            ("secret_is_base64", Refused, None),
        ],
    ),
    ("disconnect_postgrest", &[], &[("forget_keys", Refused, None)]),
    (
        "configure_requests",
        &[],
        &[
            ("only_clerk", LeftOut, None),
            ("exempt_roles", LeftOut, Some(Refused)),
            ("token_header", LeftOut, None),
            ("anonymous_role", LeftOut, None),
            ("signed_in_role", LeftOut, None),
        ],
    ),
    (
        "receive_webhook",
        &[("body", "'{}'"), ("headers", "'{}'")],
        &[("body", Verdict, None), ("headers", Verdict, None)],
    ),
    (
        "verify_webhook",
        &[("body", "'{}'"), ("headers", "'{}'")],
        &[("body", Nothing, None), ("headers", Nothing, None)],
    ),
    (
        "apply_event",
        &[("event", "'{\"type\": \"role.created\", \"data\": {}}'")],
        &[("event", Nothing, None), ("svix_id", LeftOut, None)],
    ),
    ("apply_events", &[], &[("events", Nothing, None)]),
    (
        "apply_objects",
        &[
            ("resource", "'users'"),
            ("objects", "'[{\"id\": \"user_1\"}]'"),
            ("observed_at", "'2025-01-01'"),
        ],
        &[
            ("resource", Nothing, None),
            ("objects", Nothing, None),
            ("observed_at", Nothing, None),
            ("issuer", LeftOut, None),
        ],
    ),
    (
        "add_webhook_signing_secret",
        &[("secret", "'vault:none'")],
        &[("secret", Nothing, None), ("issuer", LeftOut, None)],
    ),
    (
        "drop_webhook_signing_secret",
        &[],
        &[("fingerprint", Nothing, None)],
    ),
    (
        "configure_mirror",
        &[],
        &[
            ("deleted_users", LeftOut, None),
            ("payload_retention", LeftOut, None),
            ("event_retention", LeftOut, None),
            ("max_attempts", LeftOut, None),
            ("notify", LeftOut, None),
            ("reconcile_every", LeftOut, None),
            ("full_reconcile_every", LeftOut, None),
            ("missing_threshold", LeftOut, None),
        ],
    ),
    ("retry_failed", &[], &[("max_rows", Nothing, None)]),
    ("replay_event", &[], &[("svix_id", Nothing, None)]),
    (
        "on_event",
        &[("pattern", "'*'"), ("handler", "'public.handle'")],
        &[
            ("pattern", Nothing, None),
            ("handler", Nothing, None),
            ("include_repairs", Nothing, None),
        ],
    ),
    ("drop_event_handler", &[], &[("id", Nothing, None)]),
    (
        "expose_api",
        &[],
        &[("schema", Refused, None), ("include", LeftOut, Some(Refused))],
    ),
    ("hide_api", &[], &[("schema", Refused, None)]),
    (
        "start_backfill",
        &[],
        &[
            ("resources", LeftOut, Some(Refused)),
            ("restart", Refused, None),
            ("instance", LeftOut, None),
        ],
    ),
    (
        "start_reconcile",
        &[],
        &[
            ("full", Refused, None),
            ("confirm_missing", Refused, None),
            ("instance", LeftOut, None),
        ],
    ),
    (
        "backfill",
        &[],
        &[
            ("resources", LeftOut, Some(Refused)),
            ("restart", Refused, None),
            ("instance", LeftOut, None),
        ],
    ),
    (
        "reconcile",
        &[],
        &[
            ("full", Refused, None),
            ("confirm_missing", Refused, None),
            ("instance", LeftOut, None),
        ],
    ),
    (
        "sync_user",
        &[("id", "'user_1'")],
        &[("id", Nothing, None), ("instance", LeftOut, None)],
    ),
    (
        "sync_organization",
        &[("id", "'org_1'")],
        &[("id", Nothing, None), ("instance", LeftOut, None)],
    ),
    ("cancel_run", &[], &[("id", Nothing, None)]),
    ("follow_run", &[], &[("id", Nothing, None)]),
    ("require_no_transaction", &[], &[("started_by", Nothing, None)]),
    (
        "eject",
        &[],
        &[("schema", Refused, None), ("dry_run", LeftOut, None)],
    ),
    ("uninstall", &[], &[("dry_run", LeftOut, None)]),
];

/// Somebody to whom all is allowed, so that false comes from NULL.
const CLAIMS: &str = r#"{"iss": "https://clerk.sim.test", "sub": "user_ada", "sid": "sess_1", "v": 2, "azp": "https://a.example", "role": "postgres",
    "fva": [1, 1], "pla": "o:pro", "fea": "o:x", "o": {"id": "org_1", "rol": "admin", "per": "read", "fpm": "1"}}"#;

/// What a call gives: its rows as text.
fn outcome(
    session: &mut Client,
    function: &str,
    arguments: &[(&str, &str)],
) -> Result<Vec<Option<String>>, Failure> {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|(name, value)| {
            let variadic = if function == "claim" { "VARIADIC " } else { "" };
            format!("{variadic}\"{name}\" => {value}")
        })
        .collect();
    let call = format!("clerk.{function}({})", arguments.join(", "));
    if matches!(function, "backfill" | "reconcile") {
        return session
            .batch_execute(&format!("CALL {call}"))
            .map(|()| Vec::new())
            .map_err(Failure::from);
    }
    // Of many columns only the first two: others tell of times.
    let columns = if function == "doctor" {
        "x.\"check\""
    } else {
        "x::text"
    };
    let mut transaction = session.transaction().expect("a transaction can be started");
    transaction.run(&format!("SET LOCAL request.jwt.claims = '{CLAIMS}'"));
    let rows = transaction.query(&format!("SELECT {columns} FROM {call} AS x"), &[]);
    rows.map(|rows| rows.iter().map(|row| row.get(0)).collect())
        .map_err(Failure::from)
}

fn assert_becomes(session: &mut Client, row: &Row, argument: &str, value: &str, expected: Null) {
    let (function, usual, _) = row;
    let others: Vec<(&str, &str)> = usual
        .iter()
        .filter(|(name, _)| *name != argument)
        .copied()
        .collect();
    let with = [others.clone(), vec![(argument, value)]].concat();
    let found = outcome(session, function, &with);
    let what = format!("{function}({argument} => {value}): {found:?}");
    match expected {
        Nothing => {
            let rows = found.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            // A function that returns void and is not called gives NULL; that of one that is called is ''.
            assert!(rows.iter().all(Option::is_none), "{what}");
        }
        False => assert_eq!(found, Ok(vec![Some("false".to_owned())]), "{what}"),
        Verdict => assert!(
            found.is_ok_and(|rows| rows.len() == 1 && rows[0].is_some()),
            "{what}"
        ),
        LeftOut => {
            let without = outcome(session, function, &others);
            assert_eq!(found, without, "{what}");
        }
        Refused => {
            let error = found.expect_err(&what);
            assert_eq!(error.sqlstate, "22004", "{what}");
            assert!(error.message.contains(argument), "{what}");
            assert!(error.hint.is_some(), "{what}");
        }
    }
}

#[test]
fn null_means_what_the_manual_says() {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    owner.run(
        "SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '', authorized_parties => '{https://a.example}');
         CREATE FUNCTION public.handle(event jsonb) RETURNS void LANGUAGE sql AS ''",
    );
    let mut admitted = outcome(&mut owner, "has_role", &[("role", "'admin'")]);
    assert_eq!(admitted, Ok(vec![Some("true".to_owned())]), "the claims count");
    admitted = outcome(
        &mut owner,
        "has_reverification",
        &[("preset_or_level", "'strict'")],
    );
    assert_eq!(admitted, Ok(vec![Some("true".to_owned())]), "the claims count");
    for row in ROWS {
        for (argument, null, in_list) in row.2 {
            // Where the type would not be known.
            assert_becomes(&mut owner, row, argument, "NULL", *null);
            if let Some(expected) = in_list {
                assert_becomes(&mut owner, row, argument, "ARRAY['users', NULL]", *expected);
            }
        }
    }
}

/// The owner may alter a function, and then NULL reaches it although it is declared STRICT.
#[test]
fn a_function_whose_strictness_is_taken_away_does_nothing_for_null() {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    owner.run(
        "SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '');
         CREATE FUNCTION public.handle(event jsonb) RETURNS void LANGUAGE sql AS ''",
    );
    let altered: Vec<String> = owner.value(
        "SELECT array_agg(p.proname::text) FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
         WHERE p.pronamespace = 'clerk'::regnamespace AND p.proisstrict AND l.lanname = 'c'",
    );
    for name in &altered {
        owner.run(&format!("ALTER FUNCTION clerk.{name} CALLED ON NULL INPUT"));
    }
    let (mut tried, mut wrong) = (0, Vec::new());
    for row in ROWS.iter().filter(|row| altered.iter().any(|name| name == row.0)) {
        for (argument, _, _) in row.2.iter().filter(|(_, null, _)| matches!(null, Nothing)) {
            let (function, usual, _) = row;
            let others = usual.iter().filter(|(name, _)| name != argument).copied();
            let with: Vec<_> = others.chain([(*argument, "NULL")]).collect();
            let found = outcome(&mut owner, function, &with);
            // Of void '' is as good as NULL.
            let gave_nothing = |rows: &Vec<Option<String>>| rows.iter().flatten().all(String::is_empty);
            if !found.as_ref().is_ok_and(gave_nothing) {
                wrong.push(format!("{function}({argument}): {found:?}"));
            }
            tried += 1;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(tried > 10, "{altered:?}");
}

#[test]
fn every_argument_that_the_manual_names_is_in_the_table() {
    let mut owner = TestDb::shared().superuser();
    let described = |name: &str| {
        FUNCTIONS.contains(&format!("`{name}("))
            || FUNCTIONS.contains(&format!("`CALL {name}("))
            || FUNCTIONS.contains(&format!(", `{name}("))
            || FUNCTIONS.contains(&format!(" {name}("))
    };
    let arguments = owner
        .query(
            "SELECT p.proname::text, a.name, t.typname LIKE '\\_%'
             FROM pg_proc AS p, unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) AS a (name, type)
             JOIN pg_type AS t ON t.oid = a.type
             WHERE p.pronamespace = 'clerk'::regnamespace",
            &[],
        )
        .expect("the catalog can be read");
    let expected: BTreeSet<(String, String, bool)> = arguments
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .filter(|(name, _, _): &(String, String, bool)| described(name))
        .collect();
    let found: BTreeSet<(String, String, bool)> = ROWS
        .iter()
        .flat_map(|(function, _, arguments)| {
            arguments
                .iter()
                .map(|(name, _, in_list)| (function.to_string(), name.to_string(), in_list.is_some()))
        })
        .collect();
    assert_eq!(
        found.symmetric_difference(&expected).collect::<Vec<_>>(),
        Vec::<&_>::new()
    );
}
