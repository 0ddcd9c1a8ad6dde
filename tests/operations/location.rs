//! Where an error comes from: the file and line that `\errverbose` shows.

use std::collections::BTreeSet;
use std::path::Path;

use clerk_tests::TestDb;

/// Statements that fail, the folder of the file that finds out, and that file: PostgreSQL reports no folders.
const ERRORS: &[(&str, &str, &str)] = &[
    ("SELECT clerk.configure()", "src/operations", "plan.rs"),
    (
        "SELECT clerk.configure(issuer => 'http://a.example')",
        "src/operations",
        "plan.rs",
    ),
    (
        "SELECT clerk.set_identity_source('nobody')",
        "src/operations",
        "trust_changes.rs",
    ),
    (
        "SELECT clerk.has_reverification('lax', 7)",
        "src/identity",
        "has.rs",
    ),
    ("SELECT clerk.verify_jwt('x')", "src/token", "verify.rs"),
    (
        "SELECT clerk.drop_event_handler(7)",
        "src/mirror/handlers",
        "register.rs",
    ),
    ("SELECT clerk.start_backfill()", "src/sync", "instance.rs"),
];

#[test]
fn an_error_names_the_line_that_found_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let db = TestDb::shared();
    let mut owner = db.superuser();
    let mut lines = BTreeSet::new();
    for (statement, folder, expected) in ERRORS {
        let error = owner.query(*statement, &[]).expect_err(statement);
        let error = error.as_db_error().expect("the server raises it");
        let (file, line) = (error.file().unwrap_or_default(), error.line().unwrap_or_default());
        assert_eq!(file, *expected, "{statement}: {error:?}");
        let text =
            std::fs::read_to_string(source.join(folder).join(file)).expect("it is a file of the repository");
        let at = text.lines().nth(line as usize - 1).unwrap_or_default();
        assert!(
            at.contains("Fault") || at.contains('?'),
            "{statement}: {error:?}: {at}"
        );
        assert!(lines.insert((file.to_owned(), line)), "{statement}: {error:?}");
    }
    // An error of PostgreSQL's own keeps its place, also if it passes through our code.
    let statement = "SELECT clerk.receive_webhook('{}', '{}') FROM (SELECT set_config('transaction_read_only', 'on', true)) AS s";
    let error = owner.query(statement, &[]).expect_err("it would write");
    let file = error.as_db_error().and_then(|error| error.file());
    assert_eq!(file, Some("utility.c"), "{error:?}");
}
