//! The floor: the rows that an event leaves behind, written by plain inserts into tables of the same columns and indexes.

use std::collections::HashMap;

use clerk_sim::Event;
use postgres::types::ToSql;
use postgres::{Client, Statement};

use super::raw::Raw;

/// The tables that events of the bench end in, besides the ledger.
const TABLES: [(&str, &str); 3] = [
    ("user", "users"),
    ("organization", "organizations"),
    ("organizationMembership", "organization_memberships"),
];
const LEDGER: &str = "webhook_events";

/// Makes the tables.
pub fn prepare(client: &mut Client) {
    let mut tables = vec![LEDGER];
    tables.extend(TABLES.map(|(_, table)| table));
    let create = |table| format!("CREATE TABLE floor.{table} (LIKE clerk.{table} INCLUDING ALL);");
    let text: String = tables.into_iter().map(create).collect();
    client
        .batch_execute(&format!("CREATE SCHEMA floor; {text}"))
        .expect("the extension's tables are there");
}

/// How two rows are inserted.
#[derive(Clone, Copy)]
pub enum Way {
    /// `BEGIN; INSERT; INSERT; COMMIT`: four round trips.
    Transaction,
    /// Both in one statement, so in one round trip.
    Statement,
}

/// What one event left in the ledger and in its own table.
pub struct Rows {
    way: Way,
    table: &'static str,
    ledger: Vec<Raw>,
    own: Vec<Raw>,
}

/// Reads and writes such rows.
pub struct Session {
    pub client: Client,
    begin: Statement,
    commit: Statement,
    tables: HashMap<&'static str, Statements>,
}

struct Statements {
    read: Statement,
    insert: Statement,
    /// Inserts into the ledger and into the table.
    insert_both: Option<Statement>,
}

impl Session {
    pub fn new(mut client: Client) -> Self {
        let mut prepare = |text: &str| client.prepare(text).expect("the statement is valid");
        let begin = prepare("BEGIN");
        let commit = prepare("COMMIT");
        let ledger = columns(&mut client, LEDGER);
        let mut tables = HashMap::new();
        for table in std::iter::once(LEDGER).chain(TABLES.map(|(_, table)| table)) {
            let own = columns(&mut client, table);
            let key = &own[0];
            let list = own.join(", ");
            let both = format!(
                "WITH stored AS ({}) {}",
                insert(LEDGER, &ledger, 0),
                insert(table, &own, ledger.len())
            );
            let mut prepare = |text: &str| client.prepare(text).expect("the statement is valid");
            let statements = Statements {
                read: prepare(&format!("SELECT {list} FROM clerk.{table} WHERE {key} = $1")),
                insert: prepare(&insert(table, &own, 0)),
                insert_both: (table != LEDGER).then(|| prepare(&both)),
            };
            tables.insert(table, statements);
        }
        Self {
            client,
            begin,
            commit,
            tables,
        }
    }

    /// The rows of an event that has been received, with ids that are new to the tables of the floor.
    pub fn rows_of(&mut self, event: &Event, way: Way) -> Rows {
        let table = table_of(event);
        let envelope = event.envelope();
        let id = envelope["data"]["id"].as_str().expect("every event has an id");
        let (mut ledger, mut own) = (self.read(LEDGER, &event.svix_id), self.read(table, id));
        let new_id = match way {
            Way::Transaction => event.svix_id.clone(),
            Way::Statement => event.svix_id.replace("msg_", "one_"),
        };
        ledger[0] = Raw::text(&new_id);
        own[0] = Raw::text(&new_id);
        Rows {
            way,
            table,
            ledger,
            own,
        }
    }

    fn read(&mut self, table: &'static str, key: &str) -> Vec<Raw> {
        let row = self.client.query_one(&self.tables[table].read, &[&key]);
        let row = row.expect("the event has been received");
        (0..row.len()).map(|column| row.get(column)).collect()
    }

    /// Inserts both rows.
    pub fn insert(&mut self, rows: &Rows) {
        let own = &self.tables[rows.table];
        match rows.way {
            Way::Transaction => {
                let (ledger, own) = (self.tables[LEDGER].insert.clone(), own.insert.clone());
                let (begin, commit) = (self.begin.clone(), self.commit.clone());
                self.execute(&begin, &[]);
                self.execute(&ledger, &rows.ledger);
                self.execute(&own, &rows.own);
                self.execute(&commit, &[]);
            }
            Way::Statement => {
                let both = own
                    .insert_both
                    .clone()
                    .expect("every table but the ledger has it");
                self.execute(&both, &[rows.ledger.as_slice(), &rows.own].concat());
            }
        }
    }

    fn execute(&mut self, statement: &Statement, values: &[Raw]) {
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.client.execute(statement, &values).expect("the row is new");
    }
}

fn table_of(event: &Event) -> &'static str {
    let prefix = event.event_type.split('.').next();
    let known = TABLES.iter().find(|(own, _)| Some(*own) == prefix);
    known.expect("the stream has no others").1
}

fn insert(table: &str, columns: &[String], before: usize) -> String {
    let values: Vec<String> = (1..=columns.len())
        .map(|at| format!("${}", before + at))
        .collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    format!("INSERT INTO floor.{table} ({columns}) VALUES ({values})")
}

/// The columns that can be written, the key first.
pub fn columns(client: &mut Client, table: &str) -> Vec<String> {
    let rows = client.query(
        "SELECT quote_ident(attname) FROM pg_attribute
         WHERE attrelid = ('clerk.' || $1)::regclass AND attnum > 0 AND attgenerated = '' AND NOT attisdropped ORDER BY attnum",
        &[&table],
    );
    let rows = rows.expect("the catalogue can be read");
    rows.into_iter().map(|row| row.get(0)).collect()
}
