//! The query file for an exporter: every query runs as a role that has only what the file asks for, and gives the columns it names.

use std::collections::BTreeMap;

use clerk_tests::Sql;

use super::project::{OWNER, Project};

const QUERIES: &str = include_str!("../../../examples/monitoring/queries.yaml");

/// One query of the file.
#[derive(Debug, Default)]
struct Query {
    sql: String,
    /// Usage by column.
    columns: BTreeMap<String, String>,
}

/// Reads the file by its indentation: names at 0, keys at 2, what belongs to them deeper.
fn queries() -> BTreeMap<String, Query> {
    let mut queries = BTreeMap::<String, Query>::new();
    let (mut name, mut key, mut column) = (String::new(), String::new(), String::new());
    for line in QUERIES
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let text = line.trim();
        match line.len() - line.trim_start().len() {
            0 => name = text.trim_end_matches(':').to_owned(),
            2 => key = text.split(':').next().unwrap_or_default().to_owned(),
            _ if key == "query" => {
                let sql = &mut queries.entry(name.clone()).or_default().sql;
                *sql += text;
                *sql += "\n";
            }
            4 => column = text.trim_start_matches("- ").trim_end_matches(':').to_owned(),
            _ => {
                if let Some(usage) = text.strip_prefix("usage: ") {
                    let columns = &mut queries.entry(name.clone()).or_default().columns;
                    columns.insert(column.clone(), usage.trim_matches('"').to_owned());
                }
            }
        }
    }
    queries
}

#[test]
fn every_query_gives_the_columns_that_it_names() {
    let project = Project::start();
    project.superuser().run("CREATE ROLE exporter LOGIN");
    // The grants are those in the file's own words.
    for line in QUERIES.lines().filter_map(|line| line.strip_prefix("#   ")) {
        project.connect(OWNER).run(line);
    }
    project.superuser().run(
        "INSERT INTO clerk.token_problems SELECT issuer, 'azp-missing', 2, now() - interval '2 hours' FROM clerk.instances",
    );
    let mut exporter = project.connect("exporter");
    let queries = queries();
    assert_eq!(
        queries.keys().collect::<Vec<_>>(),
        ["clerk_sync", "clerk_sync_doctor", "clerk_sync_token_problems"]
    );
    for (name, query) in queries {
        let rows = exporter
            .query(&query.sql, &[])
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let first = rows.first().unwrap_or_else(|| panic!("{name} gives no row"));
        let mut given: Vec<_> = first
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        given.sort();
        assert_eq!(given, query.columns.keys().cloned().collect::<Vec<_>>(), "{name}");
        // An exporter reads a gauge as a number and a label as text.
        for column in first.columns() {
            let is_number = ["int4", "int8", "numeric", "float8"].contains(&column.type_().name());
            assert_eq!(
                is_number,
                query.columns[column.name()] == "GAUGE",
                "{name}: {column:?}"
            );
        }
    }
}

#[test]
fn status_is_one_row_of_what_is_true() {
    let project = Project::start();
    let mut helper = project.connect(super::project::ADMINISTRATOR);
    let true_of_status = |helper: &mut postgres::Client, condition: &str| {
        let holds: Option<bool> = helper.value(&format!("SELECT bool_and({condition}) FROM clerk.status"));
        assert_eq!(holds, Some(true), "{condition}");
    };
    assert_eq!(helper.value::<i64>("SELECT count(*) FROM clerk.status"), 1);
    for condition in [
        "instances = 1 AND keys = 1 AND signing_secrets = 1",
        "keys_age < '10 minutes' AND keys_error IS NULL",
        "last_delivery_at > now() - interval '10 minutes' AND last_rejection_at IS NULL",
        "failed = 0 AND quarantined = 0 AND oldest_unapplied_at IS NULL AND handler_calls = 0",
        "last_round_at > now() - interval '10 minutes' AND last_round_error IS NULL",
        "last_backfill_at < last_reconcile_at AND open_runs = 0 AND last_run_error IS NULL",
        "last_token_without_role_at IS NULL AND last_refused_token_at IS NULL AND token_problems = '{}'",
        "foreign_deliveries = 0",
    ] {
        true_of_status(&mut helper, condition);
    }
    project.deliver("msg_second");
    project.superuser().run(
        "UPDATE clerk.webhook_events SET state = 'quarantined', received_at = '2026-01-01 00:00+00' WHERE svix_id = 'msg_first';
         UPDATE clerk.webhook_events SET state = 'failed', next_attempt_at = now() + interval '1 day' WHERE svix_id = 'msg_second';
         INSERT INTO clerk.webhook_rejections VALUES ('webhook-signature-mismatch', '2026-01-02 00:00+00'), ('webhook-too-large', '2026-01-01 00:00+00');
         UPDATE clerk.jwks_fetches SET succeeded_at = now() - interval '1 hour', last_error = 'no route' WHERE true",
    );
    for condition in [
        "failed = 1 AND quarantined = 1 AND oldest_unapplied_at = '2026-01-01 00:00+00'",
        "last_rejection_at = '2026-01-02 00:00+00' AND last_rejection_reason = 'webhook-signature-mismatch'",
        "keys_age > '59 minutes' AND keys_error = 'no route'",
    ] {
        true_of_status(&mut helper, condition);
    }
    for role in ["anon", "authenticated", "service_role"] {
        assert_eq!(
            project.connect(role).failure("SELECT FROM clerk.status").sqlstate,
            "42501",
            "{role}"
        );
    }
}
