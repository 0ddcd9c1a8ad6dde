//! Tells handlers of changes that no webhook told of: objects that Clerk's Backend API lists, other than they are here.

use std::collections::HashMap;

use clerk_core::mirror::{Observation, Resource};
use pgrx::prelude::*;
use serde_json::json;

use crate::clock;
use crate::mirror::prepared::Prepared;
use crate::mirror::setup::Setup;
use crate::operations::sql;
use crate::workers::run_handlers;

/// The rows that handlers want to know about, as they were before the objects are written.
pub struct Repairs<'s> {
    setup: &'s Setup,
    tables: Vec<Table>,
}

struct Table {
    resource: Resource,
    ids: Vec<String>,
    before: HashMap<String, Row>,
}

struct Row {
    /// A hash of all that is not bookkeeping of ours.
    content: String,
    /// If a deleted person's data was taken out of it.
    is_erased: bool,
    updated_at: String,
    instance_id: Option<String>,
}

impl Row {
    /// Listing an erased row fills it again, until the next upkeep; that is nothing to tell of.
    fn differs_from(&self, before: &Row) -> bool {
        let is_only_filled = before.is_erased && before.updated_at == self.updated_at;
        before.content != self.content && !is_only_filled
    }
}

impl<'s> Repairs<'s> {
    /// Looks at the rows that the observations are about; at none unless a handler asked for repairs of their kind.
    pub fn watch(observations: &[Observation], setup: &'s Setup) -> Self {
        let mut ids: HashMap<Resource, Vec<String>> = HashMap::new();
        for observation in observations {
            let is_wanted = |resource| is_wanted(resource, setup);
            if !observation.is_placeholder() && is_wanted(observation.resource) {
                ids.entry(observation.resource)
                    .or_default()
                    .push(observation.id.clone());
            }
        }
        let tables = ids.into_iter().map(|(resource, ids)| Table {
            resource,
            before: rows(resource, &ids),
            ids,
        });
        Self {
            setup,
            tables: tables.collect(),
        }
    }

    /// Queues a call for each row that has come, changed or gone since.
    pub fn queue(self) {
        for table in &self.tables {
            let after = rows(table.resource, &table.ids);
            let mut gone: Vec<_> = table
                .before
                .iter()
                .filter(|(id, _)| !after.contains_key(*id))
                .collect();
            gone.sort_by(|one, other| one.0.cmp(other.0));
            for (id, row) in gone {
                self.call(&event_type(table.resource, "deleted"), id, row);
            }
            let mut after: Vec<_> = after.into_iter().collect();
            after.sort_by(|one, other| one.0.cmp(&other.0));
            for (id, row) in after {
                let verb = match table.before.get(&id) {
                    None => "created",
                    Some(before) if row.differs_from(before) => "updated",
                    Some(_) => continue,
                };
                self.call(&event_type(table.resource, verb), &id, &row);
            }
        }
    }

    fn call(&self, event_type: &str, id: &str, row: &Row) {
        let event = json!({
            "object": "event",
            "type": event_type,
            "repair": true,
            "timestamp": clock::now_micros() / 1_000,
            "instance_id": row.instance_id,
            "data": { "id": id },
        });
        let event = event.to_string();
        let handlers = self.setup.handlers.iter();
        for handler in handlers.filter(|handler| handler.include_repairs && handler.matches(event_type)) {
            QUEUE.run(&[handler.id.into_datum(), event.as_str().into_datum()]);
            run_handlers::start_at_commit();
        }
    }
}

static QUEUE: Prepared = Prepared::new(
    "INSERT INTO clerk.handler_runs (handler_id, event) VALUES ($1, $2::jsonb)",
    &[pg_sys::INT8OID, pg_sys::TEXTOID],
);

fn event_type(resource: Resource, verb: &str) -> String {
    format!("{}.{verb}", resource.event_prefix())
}

fn is_wanted(resource: Resource, setup: &Setup) -> bool {
    ["created", "updated", "deleted"].iter().any(|verb| {
        let event_type = event_type(resource, verb);
        let mut handlers = setup.handlers.iter();
        handlers.any(|handler| handler.include_repairs && handler.matches(&event_type))
    })
}

/// The live rows among these. Of a placeholder nothing is known, so it does not count.
fn rows(resource: Resource, ids: &[String]) -> HashMap<String, Row> {
    let bookkeeping = ["older", "observed_at", "last_seen_at", "synced_at"].map(str::to_owned);
    let select = format!(
        "SELECT t.id, md5((to_jsonb(t) - $2::text[])::text), t.data @> '{{\"erased\": true}}', t.updated_at::text, t.instance_id
         FROM clerk.{} AS t
         WHERE t.id = ANY ($1) AND NOT t.deleted AND t.updated_at > '-infinity'",
        resource.table()
    );
    let arguments = [ids.to_vec().into(), bookkeeping.to_vec().into()];
    // Not as a reading statement: that would not see what this function has written.
    let read = || {
        Spi::connect_mut(|client| {
            let mut found = HashMap::new();
            for row in client.update(&select, None, &arguments)? {
                let known = Row {
                    content: row.get(2)?.unwrap_or_default(),
                    is_erased: row.get(3)?.unwrap_or_default(),
                    updated_at: row.get(4)?.unwrap_or_default(),
                    instance_id: row.get(5)?,
                };
                found.insert(row.get(1)?.unwrap_or_default(), known);
            }
            Ok::<_, pgrx::spi::Error>(found)
        })
    };
    sql::query(read)
}
