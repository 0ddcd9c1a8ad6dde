//! Takes out of tables and ledger what an administrator does not want there any more: excluded fields, or all of an instance.
//!
//! In the administrator's transaction, so that it is gone when the call returns. Rows are locked in the order in which deliveries lock
//! them.

use clerk_core::mirror::{Event, Observation, Policy, Resource};
use pgrx::prelude::*;

use super::prepared::{Prepared, Row};
use super::write::rewrite;
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
        change(resource, scope, Some(&fields), |row| row.leave_out(&fields));
    }
    forget_in_payloads(scope, policy);
}

/// Changes the rows of a table, or those that have one of the members in `data`, a batch at a time.
fn change(resource: Resource, scope: Scope, having: Option<&[String]>, change: impl Fn(&mut Observation)) {
    let text = format!(
        "SELECT t.id FROM clerk.{} AS t WHERE {OF_SCOPE} AND t.id > $3 AND ($4 IS NULL OR t.data ?| $4) ORDER BY t.id LIMIT 500 FOR UPDATE",
        resource.table()
    );
    let mut last = String::new();
    loop {
        let arguments = [
            scope.instance_id.into(),
            scope.is_only.into(),
            last.as_str().into(),
            having.map(<[String]>::to_vec).into(),
        ];
        let ids: Vec<String> = sql::query(|| {
            Spi::connect_mut(|client| {
                let rows = client.update(&text, None, &arguments)?;
                rows.map(|row| Ok(sql::required(row.get(1)?, "id"))).collect()
            })
        });
        if ids.is_empty() {
            return;
        }
        rewrite(resource, &ids, &change);
        last = ids.into_iter().next_back().unwrap_or_default();
    }
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

/// The columns of a row that stay: what it belongs to, so that it can be referred to.
const LINKS: &[&str] = &[
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
    let now = clock::now_micros();
    for &resource in Resource::ALL {
        change(resource, scope, None, |row| row.forget(LINKS, now));
    }
    for statement in [without_calls(), without_payloads()] {
        sql::run(&statement, &[scope.instance_id.into(), scope.is_only.into()]);
    }
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
