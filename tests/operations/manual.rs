//! The manual says of functions and grants what the catalog does.

use std::collections::{BTreeMap, BTreeSet};

use clerk_tests::{Sql, TestDb};

const FUNCTIONS: &str = include_str!("../../docs/functions.md");
const SECURITY: &str = include_str!("../../SECURITY.md");

/// Who the columns of the matrix are about.
const COLUMNS: [&str; 4] = ["stranger", "reader", "service", "admin"];

/// For each of [`COLUMNS`], whether it may call a function or read a relation.
type Grants = [bool; COLUMNS.len()];

/// What each column may do with every function and every table and view.
fn catalog(db: &TestDb) -> BTreeMap<String, Grants> {
    let mut owner = db.superuser();
    let role = |column: &str| format!("{}_{column}", db.name());
    for column in COLUMNS {
        owner.run(&format!("CREATE ROLE {}", role(column)));
    }
    for column in &COLUMNS[1..] {
        owner.run(&format!("SELECT clerk.grant_{column}('{}')", role(column)));
    }
    let mut grants = BTreeMap::new();
    for (at, column) in COLUMNS.iter().enumerate() {
        let rows = owner.query(
            "SELECT p.proname::text, has_function_privilege($1, p.oid, 'EXECUTE')
             FROM pg_proc AS p WHERE p.pronamespace = 'clerk'::regnamespace
             UNION ALL
             SELECT c.relname::text, has_any_column_privilege($1, c.oid, 'SELECT')
             FROM pg_class AS c WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v')",
            &[&role(column)],
        );
        for row in rows.expect("the catalog can be read") {
            grants.entry(row.get(0)).or_insert([false; COLUMNS.len()])[at] = row.get(1);
        }
        let writable: Vec<String> = owner.value_of(
            "SELECT COALESCE(array_agg(c.relname::text), '{}') FROM pg_class AS c
             WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v')
               AND (has_table_privilege($1, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                    OR has_any_column_privilege($1, c.oid, 'INSERT, UPDATE, REFERENCES'))",
            &[&role(column)],
        );
        assert_eq!(writable, Vec::<String>::new(), "{column}");
    }
    grants
}

/// What a cell has in backquotes.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_matrix_of_grants_is_the_catalogs() {
    let catalog = catalog(&TestDb::shared());
    let (_, section) = SECURITY
        .split_once("\n## Grants\n")
        .expect("there is the section");
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let (mut stated, mut by_owner_only) = (BTreeMap::new(), false);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let granted: Grants = std::array::from_fn(|column| !cells[column + 1].is_empty());
        if cells[0] == "everything else" {
            assert_eq!(granted, [false; COLUMNS.len()]);
            by_owner_only = true;
            continue;
        }
        for name in code(cells[0]) {
            // `prefix_…`
            let is_meant = |other: &str| match name.strip_suffix('…') {
                Some(prefix) => other.starts_with(prefix),
                None => other == name,
            };
            let meant: Vec<&String> = catalog.keys().filter(|other| is_meant(other)).collect();
            assert!(!meant.is_empty(), "there is no {name}");
            for name in meant {
                assert_eq!(stated.insert(name.as_str(), granted), None, "{name} comes twice");
            }
        }
    }
    assert!(by_owner_only);
    for (name, granted) in &catalog {
        let stated = stated.get(name.as_str()).copied().unwrap_or_default();
        assert_eq!(stated, *granted, "{name}, for {COLUMNS:?}");
    }
}

#[test]
fn every_function_that_others_may_call_is_described_once() {
    let db = TestDb::shared();
    let grants = catalog(&db);
    let functions: Vec<String> = db.superuser().value(
        "SELECT array_agg(p.proname::text) FROM pg_proc AS p WHERE p.pronamespace = 'clerk'::regnamespace",
    );
    let functions: BTreeSet<&str> = functions.iter().map(String::as_str).collect();
    let mut described = BTreeSet::new();
    for line in FUNCTIONS.lines() {
        let signatures: Vec<&str> = match line.strip_prefix("### ") {
            Some(heading) if !heading.contains(' ') => vec![heading],
            _ => {
                let cell = line.strip_prefix("| ").and_then(|row| row.split(" | ").next());
                code(cell.unwrap_or_default())
                    .filter(|code| code.contains('('))
                    .collect()
            }
        };
        for signature in signatures {
            let name = signature.split('(').next().unwrap_or_default();
            let name = name.trim_start_matches("CALL ");
            assert!(functions.contains(name), "there is no function {name}");
            assert!(described.insert(name), "{name} comes twice");
        }
    }
    for name in functions {
        let is_granted = grants[name] != Grants::default();
        assert!(!is_granted || described.contains(name), "{name} is not described");
    }
}
