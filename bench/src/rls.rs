//! Row level security over a million rows, with and without `(SELECT …)` around the function.
//!
//! The rows are as narrow as can be, an id and its owner's: the less a row costs by itself, the less of the functions'
//! cost it hides.

use std::time::Duration;

use clerk_sim::Simulator;
use postgres::Client;

use crate::page::{Goal, Page, times};
use crate::rounds::{self, ratio, time};
use crate::server::Server;
use crate::signer::{self, ORG, PERMISSION, USER};

const ROWS: i64 = 1_000_000;
const ROUNDS: usize = 15;
/// A policy that parses JSON per row takes seconds; it runs in each fifth round.
const SLOW: usize = 5;

/// How the function stands in the policy.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Unwrapped,
    Wrapped,
}

/// A table of documents.
#[derive(Clone, Copy)]
struct Table {
    name: &'static str,
    /// The column with the owner's id.
    owner: &'static str,
    /// The owner of document `n`, in SQL.
    owner_of: fn() -> String,
    /// How many rows the caller may see.
    visible: i64,
}

/// Documents of a thousand people.
const OF_USERS: Table = Table {
    name: "documents_of_users",
    owner: "user_id",
    owner_of: || {
        format!("CASE WHEN n % 1000 = 0 THEN '{USER}' ELSE 'user_' || left(md5((n % 1000)::text), 27) END")
    },
    visible: ROWS / 1000,
};

/// Documents of one organization.
const OF_ORG: Table = Table {
    name: "documents_of_org",
    owner: "org_id",
    owner_of: || format!("'{ORG}'::text"),
    visible: ROWS,
};

/// A policy, and what it is compared with.
struct Policy {
    table: Table,
    /// Whether the owner's id is compared with what the function gives, or the function itself decides.
    compares: bool,
    function: String,
    /// Which of the policies lets the same rows through by a literal.
    literal: usize,
    parses_per_row: bool,
}

impl Policy {
    fn on(table: Table, function: impl Into<String>, literal: usize) -> Self {
        Self {
            table,
            compares: true,
            function: function.into(),
            literal,
            parses_per_row: false,
        }
    }

    fn deciding(mut self) -> Self {
        self.compares = false;
        self
    }

    fn parsing_per_row(mut self) -> Self {
        self.parses_per_row = true;
        self
    }

    fn expression(&self, form: Form) -> String {
        let function = match form {
            Form::Unwrapped => self.function.clone(),
            Form::Wrapped => format!("(SELECT {})", self.function),
        };
        if self.compares {
            format!("{} = {function}", self.table.owner)
        } else {
            function
        }
    }

    /// As the page shows it: ids are long and say nothing.
    fn shown(&self) -> String {
        let expression = self.expression(Form::Unwrapped);
        expression.replace(USER, "user_…").replace(ORG, "org_…")
    }
}

const USER_LITERAL: usize = 0;
const CURRENT_USER_ID: usize = 1;
const ORG_LITERAL: usize = 2;
const HAS_PERMISSION: usize = 4;
const AUTH_JWT: usize = 5;

fn policies() -> Vec<Policy> {
    let in_place = "current_setting('request.jwt.claims', true)::jsonb ->> 'sub'";
    vec![
        Policy::on(OF_USERS, format!("'{USER}'"), USER_LITERAL),
        Policy::on(OF_USERS, "clerk.current_user_id()", USER_LITERAL),
        Policy::on(OF_ORG, format!("'{ORG}'"), ORG_LITERAL),
        Policy::on(OF_ORG, "clerk.current_org_id()", ORG_LITERAL),
        Policy::on(
            OF_ORG,
            format!("clerk.has_permission('{PERMISSION}')"),
            ORG_LITERAL,
        )
        .deciding(),
        Policy::on(OF_USERS, "auth.jwt() ->> 'sub'", USER_LITERAL).parsing_per_row(),
        Policy::on(OF_USERS, in_place, USER_LITERAL).parsing_per_row(),
    ]
}

/// A policy in one of its forms, one after the other in each round.
struct Case<'p> {
    policy: &'p Policy,
    form: Form,
}

/// Adds the section to the page.
pub fn measure(server: &Server, clerk: &Simulator, page: &mut Page) {
    let mut superuser = server.connect("postgres");
    for table in [OF_USERS, OF_ORG] {
        make(&mut superuser, table);
    }
    let claims = signer::claims(&signer::mint(clerk));
    let mut reader = signed_in(server, &claims);

    let policies = policies();
    let cases: Vec<Case> = policies
        .iter()
        .flat_map(|policy| [Form::Unwrapped, Form::Wrapped].map(|form| Case { policy, form }))
        .collect();
    let medians = rounds::medians(ROUNDS, &cases, runs_every, |case| {
        let table = case.policy.table;
        let alter = format!(
            "ALTER POLICY reading ON {} USING ({})",
            table.name,
            case.policy.expression(case.form)
        );
        superuser.batch_execute(&alter).expect("the policy is valid");
        time(|| assert_eq!(count(&mut reader, table), table.visible))
    });
    // Two forms of each policy stand side by side.
    let results: Vec<(Duration, Duration)> = medians.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    report(page, &policies, &results, claims.len());
}

fn runs_every(case: &Case) -> usize {
    if case.policy.parses_per_row && case.form == Form::Unwrapped {
        SLOW
    } else {
        1
    }
}

fn make(superuser: &mut Client, table: Table) {
    let Table { name, owner, .. } = table;
    let make = format!(
        "CREATE TABLE {name} (id bigint, {owner} text);
         INSERT INTO {name} SELECT n, {} FROM generate_series(1, {ROWS}) AS n;
         ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
         CREATE POLICY reading ON {name} FOR SELECT TO authenticated USING (false);
         GRANT SELECT ON {name} TO authenticated",
        (table.owner_of)()
    );
    for command in [make, format!("VACUUM (FREEZE, ANALYZE) {name}")] {
        superuser.batch_execute(&command).expect("the table can be made");
    }
}

/// A session as PostgREST has it inside a request.
fn signed_in(server: &Server, claims: &str) -> Client {
    let mut reader = server.connect("preloading");
    reader
        .batch_execute("SET ROLE authenticated")
        .expect("the role is granted");
    reader
        .execute("SELECT set_config('request.jwt.claims', $1, false)", &[&claims])
        .expect("a setting may be set");
    reader
}

fn count(reader: &mut Client, table: Table) -> i64 {
    reader
        .query_one(&format!("SELECT count(*) FROM {}", table.name), &[])
        .expect("the table may be read")
        .get(0)
}

fn report(page: &mut Page, policies: &[Policy], results: &[(Duration, Duration)], claims_length: usize) {
    let against_literal = |index: usize| ratio(results[index].0, results[policies[index].literal].0);
    page.goal(Goal::at_most(
        "unwrapped `current_user_id()` against a literal",
        against_literal(CURRENT_USER_ID),
        1.25,
        "×",
    ));
    page.goal(Goal::at_most(
        "unwrapped `has_permission()` against a literal",
        against_literal(HAS_PERMISSION),
        1.5,
        "×",
    ));
    page.goal(Goal::at_least(
        "unwrapped `current_user_id()` faster than `auth.jwt() ->> 'sub'`",
        ratio(results[AUTH_JWT].0, results[CURRENT_USER_ID].0),
        50.0,
        "×",
    ));

    page.heading("Row level security");
    page.text(&format!(
        "`SELECT count(*)` over a million rows of an id and its owner's, as `authenticated`: a sequential scan in memory \
         without parallel workers, claims of {claims_length} bytes (version 2, with an organization). Each ratio is to the \
         literal that lets the same rows through: the user owns one row in a thousand of a table, the organization every \
         row of another. Medians of {ROUNDS} rounds, of {} for what parses JSON per row.",
        ROUNDS / SLOW
    ));
    let rows = policies
        .iter()
        .zip(results)
        .map(|(policy, (unwrapped, wrapped))| {
            let (literal, literal_wrapped) = results[policy.literal];
            [
                format!("`{}`", policy.shown()),
                milliseconds(*unwrapped),
                times(ratio(*unwrapped, literal)),
                milliseconds(*wrapped),
                times(ratio(*wrapped, literal_wrapped)),
            ]
        });
    page.table(
        ["`USING (…)`", "ms", "ratio", "ms with `(SELECT …)`", "ratio"],
        rows,
    );
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}
