//! `start_backfill`, `start_reconcile`, `sync_user`, `sync_organization` and `cancel_run`.

use std::ffi::CStr;

use clerk_core::mirror::Resource;
use clerk_core::quote;
use pgrx::prelude::*;

use super::kind::Kind;
use super::{instance, plan, subject};
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;
use crate::mirror::prepared::Prepared;
use crate::operations::instances::Instance;
use crate::pg::writable::require_writable;
use crate::workers::run_syncs;

c_function!(clerk_start_backfill, start_backfill);
c_function!(clerk_start_reconcile, start_reconcile);
c_function!(clerk_sync_user, sync_user);
c_function!(clerk_sync_organization, sync_organization);
c_function!(clerk_cancel_run, cancel_run);

/// `start_backfill(resources text[], restart boolean, instance text)`.
fn start_backfill(call: &Call) -> Option<pg_sys::Datum> {
    let (names, restart) = (call.texts(0, "resources"), call.yes_or_no(1, "restart"));
    let instance = chosen(call.text(2));
    let named = names.map(|names| named_resources(&names, &instance).unwrap_or_else(|fault| fault.raise()));
    let is_whole = named.is_none();
    let resources = named.unwrap_or_else(|| plan::readable(&mirrored(&instance)));
    // It reads the same and more: `maintain` may have begun one the moment there was a secret key.
    let reconcile = || waiting_reconcile(&instance.issuer, true, false);
    if let Some(id) = (is_whole && !restart).then(reconcile).flatten() {
        run_syncs::start_at_commit(&instance.issuer, Kind::Reconcile.lane());
        return id.into_datum();
    }
    let unfinished = unfinished_backfill(&instance.issuer, &resources);
    let id = match unfinished {
        Some(id) if restart => {
            end(id);
            None
        }
        Some(id) => {
            revive(id);
            Some(id)
        }
        None => None,
    };
    let id = id.unwrap_or_else(|| {
        insert(&Request {
            resources: &resources,
            ..Request::of(Kind::Backfill, &instance.issuer)
        })
    });
    run_syncs::start_at_commit(&instance.issuer, Kind::Backfill.lane());
    id.into_datum()
}

/// `start_reconcile(full boolean, confirm_missing boolean, instance text)`.
fn start_reconcile(call: &Call) -> Option<pg_sys::Datum> {
    let (full_walk, confirm_missing) = (call.yes_or_no(0, "full"), call.yes_or_no(1, "confirm_missing"));
    let instance = chosen(call.text(2));
    if confirm_missing && !full_walk {
        Fault::argument(
            "confirm_missing means something for a full reconcile only",
            "Run SELECT clerk.start_reconcile(full => true, confirm_missing => true).",
        )
        .raise();
    }
    if full_walk && instance.instance_id.is_none() && crate::mirror::setup::current().sources.len() > 1 {
        Fault::prerequisite(
            format!("the id of instance {} is not known, so its rows cannot be told from others'", quote(&instance.issuer)),
            "Run SELECT * FROM clerk.configure(issuer => …, instance_id => 'ins_…'); the kid of the instance's keys is the same.",
        )
        .raise();
    }
    let id = waiting_reconcile(&instance.issuer, full_walk, confirm_missing)
        .unwrap_or_else(|| insert_reconcile(&instance, full_walk, confirm_missing, &role()));
    run_syncs::start_at_commit(&instance.issuer, Kind::Reconcile.lane());
    id.into_datum()
}

/// A new reconcile of everything that the instance mirrors.
pub fn insert_reconcile(
    instance: &Instance,
    full_walk: bool,
    confirm_missing: bool,
    requested_by: &str,
) -> i64 {
    insert(&Request {
        full_walk,
        confirm_missing,
        resources: &plan::readable(&mirrored(instance)),
        requested_by: requested_by.to_owned(),
        ..Request::of(Kind::Reconcile, &instance.issuer)
    })
}

fn sync_user(call: &Call) -> Option<pg_sys::Datum> {
    sync_subject(call, Kind::SyncUser, "user_")
}

fn sync_organization(call: &Call) -> Option<pg_sys::Datum> {
    sync_subject(call, Kind::SyncOrganization, "org_")
}

/// `sync_…(id text, instance text)`.
fn sync_subject(call: &Call, kind: Kind, prefix: &str) -> Option<pg_sys::Datum> {
    let subject_id = call.text(0)?;
    let rest = subject_id.strip_prefix(prefix).unwrap_or_default();
    let is_id = !rest.is_empty()
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_id || subject_id.len() > 256 {
        Fault::argument(
            format!("{} is no id that Clerk gives", quote(&subject_id)),
            format!("It looks like {prefix}…"),
        )
        .raise();
    }
    let instance = chosen(call.text(1));
    let mirror = mirrored(&instance);
    let resources: Vec<Resource> = subject::resources(kind)
        .iter()
        .copied()
        .filter(|resource| mirror.contains(resource))
        .collect();
    let id = waiting_subject(&instance.issuer, kind, &subject_id).unwrap_or_else(|| {
        insert(&Request {
            subject_id: Some(&subject_id),
            resources: &resources,
            ..Request::of(kind, &instance.issuer)
        })
    });
    run_syncs::start_at_commit(&instance.issuer, kind.lane());
    id.into_datum()
}

/// `cancel_run(id bigint)`, strict.
fn cancel_run(call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: the argument is declared as bigint and is not NULL.
    let id = unsafe { i64::from_datum(call.argument(0)?, false) }?;
    if !exists(id) {
        no_such_run(id).raise();
    }
    end(id).into_datum()
}

/// There is no run with that number.
pub fn no_such_run(id: i64) -> Fault {
    Fault::missing(
        format!("there is no run {id}"),
        "SELECT id, kind, state FROM clerk.sync_runs lists them.",
    )
}

fn chosen(name: Option<String>) -> Instance {
    require_writable(c"runs of clerk_sync");
    if let Err(fault) = crate::workers::one_shot::owner() {
        fault.raise();
    }
    instance::chosen(name.as_deref())
}

/// What the instance mirrors.
pub fn mirrored(instance: &Instance) -> Vec<Resource> {
    let tables = instance.mirror.iter();
    tables.filter_map(|table| Resource::from_table(table)).collect()
}

fn named_resources(names: &[String], instance: &Instance) -> Result<Vec<Resource>, Fault> {
    let mirror = mirrored(instance);
    let mut named = Vec::new();
    for name in names {
        let resource = Resource::from_table(name).filter(|resource| mirror.contains(resource));
        let Some(resource) = resource else {
            return Err(Fault::argument(
                format!("{} is no table that the instance mirrors", quote(name)),
                format!(
                    "It mirrors {}; clerk.configure(mirror => …) changes that.",
                    instance.mirror.join(", ")
                ),
            ));
        };
        match resource {
            Resource::Sessions => {
                return Err(Fault::argument(
                    format!("{name} cannot be read from Clerk, which lists them person by person only"),
                    "They come with webhooks and with clerk.sync_user(); leave them out of resources.",
                ));
            }
            // They come together.
            Resource::SubscriptionItems => named.push(Resource::Subscriptions),
            other => named.push(other),
        }
    }
    if named.is_empty() {
        return Err(Fault::argument(
            "resources is empty",
            "Name tables of the mirror, or leave it out for all.",
        ));
    }
    Ok(plan::readable(&named))
}

/// A run to be.
struct Request<'a> {
    kind: Kind,
    issuer: &'a str,
    full_walk: bool,
    confirm_missing: bool,
    subject_id: Option<&'a str>,
    resources: &'a [Resource],
    requested_by: String,
}

impl<'a> Request<'a> {
    fn of(kind: Kind, issuer: &'a str) -> Self {
        Self {
            kind,
            issuer,
            full_walk: false,
            confirm_missing: false,
            subject_id: None,
            resources: &[],
            requested_by: role(),
        }
    }
}

fn insert(request: &Request) -> i64 {
    static INSERT: Prepared = Prepared::new(
        "INSERT INTO clerk.sync_runs (kind, issuer, full_walk, confirm_missing, subject_id, resources, requested_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        &[
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::BOOLOID,
            pg_sys::BOOLOID,
            pg_sys::TEXTOID,
            pg_sys::TEXTARRAYOID,
            pg_sys::TEXTOID,
        ],
    );
    let ids = INSERT.query(
        &[
            request.kind.as_str().into_datum(),
            request.issuer.into_datum(),
            request.full_walk.into_datum(),
            request.confirm_missing.into_datum(),
            request.subject_id.into_datum(),
            tables(request.resources).into_datum(),
            request.requested_by.as_str().into_datum(),
        ],
        |row| row.get::<i64>(1),
    );
    ids.into_iter().flatten().next().unwrap_or_default()
}

/// The names of their tables.
pub fn tables(resources: &[Resource]) -> Vec<String> {
    resources
        .iter()
        .map(|resource| resource.table().to_owned())
        .collect()
}

/// The last backfill of these tables, if it is not done.
fn unfinished_backfill(issuer: &str, resources: &[Resource]) -> Option<i64> {
    static FIND: Prepared = Prepared::new(
        "SELECT latest.id FROM (
             SELECT r.id, r.state FROM clerk.sync_runs AS r
             WHERE r.issuer = $1 AND r.kind = 'backfill' AND r.resources = $2
             ORDER BY r.id DESC LIMIT 1 FOR UPDATE
         ) AS latest WHERE latest.state <> 'done'",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    );
    one(&FIND, &[issuer.into_datum(), tables(resources).into_datum()])
}

fn waiting_reconcile(issuer: &str, full_walk: bool, confirm_missing: bool) -> Option<i64> {
    static FIND: Prepared = Prepared::new(
        "SELECT r.id FROM clerk.sync_runs AS r
         WHERE r.issuer = $1 AND r.kind = 'reconcile' AND r.full_walk = $2 AND r.confirm_missing = $3
           AND r.state IN ('queued', 'running') ORDER BY r.id LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::BOOLOID, pg_sys::BOOLOID],
    );
    one(
        &FIND,
        &[
            issuer.into_datum(),
            full_walk.into_datum(),
            confirm_missing.into_datum(),
        ],
    )
}

/// One that has begun may have asked before what is wanted now came about.
fn waiting_subject(issuer: &str, kind: Kind, subject_id: &str) -> Option<i64> {
    static FIND: Prepared = Prepared::new(
        "SELECT r.id FROM clerk.sync_runs AS r
         WHERE r.issuer = $1 AND r.kind = $2 AND r.subject_id = $3 AND r.state = 'queued' ORDER BY r.id LIMIT 1",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
    );
    one(
        &FIND,
        &[
            issuer.into_datum(),
            kind.as_str().into_datum(),
            subject_id.into_datum(),
        ],
    )
}

fn exists(id: i64) -> bool {
    static FIND: Prepared = Prepared::new(
        "SELECT r.id FROM clerk.sync_runs AS r WHERE r.id = $1",
        &[pg_sys::INT8OID],
    );
    one(&FIND, &[id.into_datum()]).is_some()
}

fn one(statement: &Prepared, arguments: &[Option<pg_sys::Datum>]) -> Option<i64> {
    let ids = statement.query(arguments, |row| row.get::<i64>(1));
    ids.into_iter().flatten().next()
}

/// Lets a backfill that was cancelled or failed go on, and one that was put off at once. Steps that Clerk refused are tried again.
fn revive(id: i64) {
    static REVIVE: Prepared = Prepared::new(
        "UPDATE clerk.sync_runs AS r
         SET state = CASE WHEN r.state = 'running' THEN 'running' ELSE 'queued' END, finished_at = NULL, next_attempt_at = NULL,
             attempts = 0
         WHERE r.id = $1",
        &[pg_sys::INT8OID],
    );
    REVIVE.run(&[id.into_datum()]);
}

/// Ends a run that is not over. Its worker is told when the transaction commits.
fn end(id: i64) -> bool {
    static END: Prepared = Prepared::new(
        "UPDATE clerk.sync_runs AS r SET state = 'cancelled', finished_at = clock_timestamp(), next_attempt_at = NULL
         WHERE r.id = $1 AND r.state IN ('queued', 'running')
         RETURNING (SELECT a.pid FROM pg_stat_activity AS a, clerk.sync_runs AS before
                    WHERE before.id = r.id AND before.state = 'running' AND a.pid = before.worker_pid AND a.datname = current_database()
                      AND a.backend_type = 'clerk_sync worker')",
        &[pg_sys::INT8OID],
    );
    let ended = END.query(&[id.into_datum()], |row| row.get::<i32>(1));
    if let Some(Some(pid)) = ended.first() {
        run_syncs::cancel_at_commit(*pid);
    }
    !ended.is_empty()
}

/// The role that called, whatever role our function runs as.
fn role() -> String {
    // SAFETY: the outer role exists; the name is copied.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetOuterUserId(), false);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
