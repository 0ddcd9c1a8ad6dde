//! Where an error comes from: the file and line that `\errverbose` shows.

use std::path::Path;

use clerk_tests::TestDb;

/// Statements that fail, and the file that finds out.
const ERRORS: &[(&str, &str)] = &[
    ("SELECT clerk.configure()", "src/operations/plan.rs"),
    (
        "SELECT clerk.configure(issuer => 'http://a.example')",
        "src/operations/plan.rs",
    ),
    (
        "SELECT clerk.set_identity_source('nobody')",
        "src/operations/trust_changes.rs",
    ),
    ("SELECT clerk.has_reverification('lax', 7)", "src/identity/has.rs"),
    ("SELECT clerk.verify_jwt('x')", "src/token/"),
    ("SELECT clerk.drop_event_handler(7)", "src/mirror/handlers/"),
    ("SELECT clerk.start_backfill()", "src/sync/"),
];

#[test]
fn an_error_names_the_line_that_found_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let db = TestDb::shared();
    let mut owner = db.superuser();
    let mut lines = std::collections::BTreeSet::new();
    for (statement, expected) in ERRORS {
        let error = owner.query(*statement, &[]).expect_err(statement);
        let error = error.as_db_error().expect("the server raises it");
        let (file, line) = (error.file().unwrap_or_default(), error.line().unwrap_or_default());
        assert!(file.starts_with(expected), "{statement}: {error:?}");
        let text = std::fs::read_to_string(source.join(file)).expect("it is a file of the repository");
        let at = text.lines().nth(line as usize - 1).unwrap_or_default();
        assert!(!at.trim().is_empty(), "{statement}: {error:?}");
        assert!(lines.insert((file.to_owned(), line)), "{statement}: {error:?}");
    }
    // Postgres' own errors keep theirs.
    let error = owner
        .query("SELECT clerk.claim(VARIADIC '{a}'::text[]) || 1 / 0", &[])
        .expect_err("no division by zero");
    assert_eq!(error.as_db_error().and_then(|error| error.file()), Some("int.c"));
}
