//! Takes out of tables and ledger what an administrator does not want there any more: excluded fields, or all of an instance.
//!
//! In the administrator's transaction, so that it is gone when the call returns. Rows are locked in the order in which deliveries lock
//! them.

use std::fmt::Write;

use clerk_core::mirror::{Event, Policy, Resource};
use pgrx::prelude::*;

use super::prepared::{Prepared, Row};
use crate::clock;
use crate::operations::sql;

/// The rows of an instance.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Clerk's id of it. None: the rows that name none.
    pub instance_id: Option<&'a str>,
    /// Whether there is no other instance: then rows that name none are its rows too, and if its id is not known, all are.
    pub is_only: bool,
}

/// The condition on rows `t`; the scope's members are the first two parameters.
const OF_SCOPE: &str =
    "(t.instance_id IS NOT DISTINCT FROM $1 OR $2 AND num_nonnulls(t.instance_id, $1) < 2)";

/// Takes out what the policy does not let in any more. A delivery that is being stored at the same moment may still bring it.
pub fn forget_fields(scope: Scope, policy: &Policy) {
    for &resource in Resource::ALL {
        let fields = left_out(policy, Some(resource));
        if !fields.is_empty() {
            sql::run(
                &without_fields(resource),
                &[scope.instance_id.into(), scope.is_only.into(), fields.into()],
            );
        }
    }
    forget_in_payloads(scope, policy);
}

/// The names of members that are not stored of this resource, or with None of any. Members that mean one thing go together.
fn left_out(policy: &Policy, resource: Option<Resource>) -> Vec<String> {
    let own = |field: &String| match field.split_once('.') {
        None => Some(field.clone()),
        Some((table, name)) => {
            let is_own = resource.is_none_or(|resource| resource.table() == table);
            is_own.then(|| name.to_owned())
        }
    };
    let private = (!policy.keep_private_metadata).then(|| "private_metadata".to_owned());
    let mut names: Vec<String> = policy
        .exclude_fields
        .iter()
        .filter_map(own)
        .chain(private)
        .collect();
    let resources = Resource::ALL
        .iter()
        .filter(|one| resource.is_none_or(|only| only == **one));
    for member in resources.flat_map(|resource| resource.members()) {
        if names
            .iter()
            .any(|name| name == member.member || name == member.name)
        {
            names.extend([member.member, member.name].map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Takes the members in `$3` out of `data`, and out of the columns that are worked out from them.
fn without_fields(resource: Resource) -> String {
    let table = resource.table();
    let mut sets = String::new();
    let mut beside = String::new();
    for column in columns(resource) {
        let members = resource
            .members()
            .iter()
            .filter(|member| member.columns.contains(&column));
        let names: Vec<&str> = members
            .filter_map(|member| member.name.split('.').next())
            .collect();
        let is_left_out = format!("$3 && '{{{}}}'::text[]", names.join(","));
        let _ = write!(
            sets,
            "{column} = CASE WHEN {is_left_out} THEN NULL ELSE t.{column} END, "
        );
        let _ = write!(beside, " OR t.{column} IS NOT NULL AND {is_left_out}");
    }
    format!(
        "UPDATE clerk.{table} AS t SET {sets}data = t.data - $3, synced_at = clock_timestamp()
         FROM (
             SELECT t.id FROM clerk.{table} AS t WHERE {OF_SCOPE} AND (t.data ?| $3{beside}) ORDER BY t.id FOR UPDATE
         ) AS chosen
         WHERE t.id = chosen.id"
    )
}

/// The columns that are worked out from members of Clerk's objects.
fn columns(resource: Resource) -> Vec<&'static str> {
    let typed = resource.columns().iter().map(|column| column.name);
    typed
        .chain(resource.side_fields().iter().map(|side| side.name))
        .collect()
}

static PAYLOADS: Prepared = Prepared::new(
    "SELECT t.svix_id, t.event_at, t.payload FROM clerk.webhook_events AS t
     WHERE (t.instance_id IS NOT DISTINCT FROM $1 OR $2 AND num_nonnulls(t.instance_id, $1) < 2)
       AND t.svix_id > $3 AND t.payload LIKE ANY ($4)
     ORDER BY t.svix_id LIMIT 500 FOR UPDATE",
    &[
        pg_sys::TEXTOID,
        pg_sys::BOOLOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTARRAYOID,
    ],
);

static SET_PAYLOAD: Prepared = Prepared::new(
    "UPDATE clerk.webhook_events AS e SET payload = $2 WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID],
);

/// Payloads are read and written as if they came now.
fn forget_in_payloads(scope: Scope, policy: &Policy) {
    let attributes = (!policy.keep_event_attributes).then(|| "event_attributes".to_owned());
    let names = left_out(policy, None).into_iter().chain(attributes);
    let patterns: Vec<String> = names.map(|name| format!("%\"{name}\"%")).collect();
    let read = |row: &Row| {
        let event_at = row.get::<TimestampWithTimeZone>(2);
        let event_at = event_at.map_or(0, |time| clock::unix_micros(time.into()));
        (row.required::<String>(1), event_at, row.required::<String>(3))
    };
    let mut last = String::new();
    loop {
        let arguments = [
            scope.instance_id.into_datum(),
            scope.is_only.into_datum(),
            last.as_str().into_datum(),
            patterns.clone().into_datum(),
        ];
        let batch = PAYLOADS.query(&arguments, read);
        for (svix_id, event_at, payload) in &batch {
            let cut = Event::parse(payload, *event_at).map(|event| event.payload(policy));
            if let Some(cut) = cut.ok().filter(|cut| cut != payload) {
                SET_PAYLOAD.run(&[svix_id.as_str().into_datum(), cut.into_datum()]);
            }
        }
        match batch.into_iter().next_back() {
            Some((svix_id, ..)) => last = svix_id,
            None => return,
        }
    }
}

/// What stays of a row: what it belongs to, so that it can be referred to.
const LINKS: [&str; 7] = [
    "user_id",
    "organization_id",
    "subscription_id",
    "payer_id",
    "payer_user_id",
    "payer_organization_id",
    "key",
];

/// Empties the rows of an instance and marks them as deleted. They stay, because application tables may refer to them. What it sent
/// is taken out of the ledger, and not tried again.
pub fn forget_instance(scope: Scope) {
    let of_rows = Resource::ALL.iter().map(|resource| without_anything(*resource));
    for statement in of_rows.chain([without_calls(), without_payloads()]) {
        sql::run(&statement, &[scope.instance_id.into(), scope.is_only.into()]);
    }
}

fn without_anything(resource: Resource) -> String {
    let table = resource.table();
    let emptied = columns(resource)
        .into_iter()
        .filter(|column| !LINKS.contains(column));
    let sets: String = emptied.map(|column| format!("{column} = NULL, ")).collect();
    // As the erasure of deleted people leaves them.
    let data = match resource.is_personal() {
        true => "jsonb_build_object('id', t.id, 'object', 'user', 'deleted', true)",
        false => "jsonb_build_object('id', t.id, 'erased', true)",
    };
    format!(
        "UPDATE clerk.{table} AS t
         SET {sets}data = {data}, deleted_at = GREATEST(clock_timestamp(), t.updated_at, t.deleted_at), synced_at = clock_timestamp()
         FROM (SELECT t.id FROM clerk.{table} AS t WHERE {OF_SCOPE} ORDER BY t.id FOR UPDATE) AS chosen
         WHERE t.id = chosen.id"
    )
}

fn without_calls() -> String {
    format!(
        "DELETE FROM clerk.handler_runs AS r
         WHERE r.svix_id IN (SELECT t.svix_id FROM clerk.webhook_events AS t WHERE {OF_SCOPE})"
    )
}

fn without_payloads() -> String {
    format!(
        "UPDATE clerk.webhook_events AS t
         SET payload = NULL, last_error = NULL, erased_at = clock_timestamp(), address_hash = NULL, subject_created_at = NULL,
             state = CASE WHEN t.state IN ('failed', 'quarantined') THEN 'ignored' ELSE t.state END,
             reason = CASE WHEN t.state IN ('failed', 'quarantined') THEN 'instance-removed' ELSE t.reason END,
             next_attempt_at = NULL
         FROM (
             SELECT t.svix_id FROM clerk.webhook_events AS t WHERE {OF_SCOPE} ORDER BY t.svix_id FOR UPDATE
         ) AS chosen
         WHERE t.svix_id = chosen.svix_id"
    )
}
