//! `follow_run`: tells in NOTICEs how far a run is, for people who wait for it.

use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use super::kind::Kind;
use super::run::note_not_started;
use super::start::no_such_run;
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;
use crate::mirror::prepared::{Prepared, Row};
use crate::pg::backend_local::BackendLocal;
use crate::pg::non_atomic::may_commit;
use crate::workers::one_shot::pause;
use crate::workers::{Failure, run_syncs};

c_function!(clerk_follow_run, follow_run);
c_function!(clerk_require_no_transaction, require_no_transaction);

/// How long one call waits.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two attempts to have a worker take the run; the first is a second.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How often progress within one table is told.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// What was told already, of the run that was followed last.
struct Told {
    run: i64,
    /// Tables whose lists were read.
    listed: Vec<String>,
    /// Tables that are done.
    finished: Vec<String>,
    progress: String,
    progress_at: Instant,
    waiting: String,
    /// How often in a row no worker took the run, and when that is tried again.
    failures: u32,
    try_again_at: Instant,
}

static TOLD: BackendLocal<Option<Told>> = BackendLocal::new(None);

/// `require_no_transaction(started_by text)`, strict: for the procedures, which commit between looks at the run.
fn require_no_transaction(call: &Call) -> Option<pg_sys::Datum> {
    let started_by = call.text(0)?;
    if !may_commit() {
        Fault::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "this procedure waits for a run and cannot be called in a transaction block or by a function",
            format!(
                "Run SELECT {started_by}, which starts the same run when the transaction commits; clerk.sync_progress shows how far it \
                 is. Or CALL the procedure by itself, outside BEGIN and with autocommit on."
            ),
        )
        .raise();
    }
    // The function returns void, whose value is nothing.
    Some(pg_sys::Datum::null())
}

/// `follow_run(id bigint)`, strict.
fn follow_run(call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: the argument is declared as bigint and is not NULL.
    let id = unsafe { i64::from_datum(call.argument(0)?, false) }?;
    let seen = Seen::of(id).unwrap_or_else(|| no_such_run(id).raise());
    let mut told = TOLD
        .with(Option::take)
        .filter(|told| told.run == id)
        .unwrap_or_else(|| begin(&seen));
    for step in steps(id) {
        tell(&step, &mut told);
    }
    match seen.state.as_str() {
        "done" => return true.into_datum(),
        "failed" => failed(&seen).raise(),
        "cancelled" => cancelled(id).raise(),
        _ => {}
    }
    let failure = if seen.is_due && Instant::now() >= told.try_again_at {
        have_it_taken(&seen, &mut told)
    } else {
        pause(PAUSE);
        None
    };
    if failure.is_none()
        && let Some(waits) = seen.waits()
    {
        tell_once(&mut told.waiting, waits);
    }
    TOLD.with(|kept| *kept = Some(told));
    // At the end, because it locks the run.
    if let Some(fault) = failure
        && !is_read_only()
    {
        note_not_started(&seen.issuer, seen.kind.lane(), &fault);
    }
    false.into_datum()
}

/// Starts a worker unless one has the run, and waits for a while. Gives why no worker took it.
fn have_it_taken(seen: &Seen, told: &mut Told) -> Option<Fault> {
    let until = Instant::now() + PAUSE;
    let failure = match run_syncs::start_now(&seen.issuer, seen.kind.lane()) {
        Ok(None) => None,
        Err(failure) => Some(failure),
        Ok(Some(worker)) => {
            let begun = worker.wait_until_begun(PAUSE);
            // It may still end because it can take nothing.
            worker.wait(until.saturating_duration_since(Instant::now()));
            match begun {
                Err(Failure::NotBegun(_)) | Ok(()) => worker.failure(),
                Err(failure) => Some(failure),
            }
        }
    };
    let Some(failure) = failure else {
        told.failures = 0;
        pause(until.saturating_duration_since(Instant::now()));
        return None;
    };
    let fault = failure.fault(&run_syncs::TASK);
    tell_once(
        &mut told.waiting,
        format!("waits for a worker: {}", fault.message()),
    );
    let rest = PAUSE.saturating_mul(1 << told.failures.min(6)).min(LONGEST_REST);
    told.failures += 1;
    told.try_again_at = Instant::now() + rest;
    pause(until.saturating_duration_since(Instant::now()));
    Some(fault)
}

/// Whether the transaction may not write, so that nothing can be noted.
fn is_read_only() -> bool {
    // SAFETY: reads variables of the backend.
    unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() }
}

/// A run as it is now.
struct Seen {
    id: i64,
    issuer: String,
    kind: Kind,
    state: String,
    last_error: Option<String>,
    last_hint: Option<String>,
    trace_id: Option<String>,
    next_attempt_at: Option<String>,
    /// Whether a worker should have it.
    is_due: bool,
    /// Kind and number of the run that it comes after.
    comes_after: Option<String>,
}

impl Seen {
    fn of(id: i64) -> Option<Self> {
        static READ: Prepared = Prepared::new(
            "SELECT r.issuer, r.kind, r.state, r.last_error, r.last_hint, r.trace_id, to_char(r.next_attempt_at, 'HH24:MI:SS'),
                    r.state = 'running' OR (r.state = 'queued' AND COALESCE(r.next_attempt_at <= clock_timestamp(), true)),
                    (SELECT o.kind || ' ' || o.id FROM clerk.sync_runs AS o
                     WHERE r.state = 'queued' AND o.state = 'running' AND o.issuer = r.issuer
                       AND (o.subject_id IS NULL) = (r.subject_id IS NULL) LIMIT 1)
             FROM clerk.sync_runs AS r WHERE r.id = $1",
            &[pg_sys::INT8OID],
        );
        let read = |row: &Row| {
            Some(Self {
                id,
                issuer: row.required(1),
                kind: Kind::parse(&row.required::<String>(2))?,
                state: row.required(3),
                last_error: row.get(4),
                last_hint: row.get(5),
                trace_id: row.get(6),
                next_attempt_at: row.get(7),
                is_due: row.required(8),
                comes_after: row.get(9),
            })
        };
        READ.query(&[id.into_datum()], read).pop().flatten()
    }

    fn waits(&self) -> Option<String> {
        if let Some(other) = &self.comes_after {
            return Some(format!("waits for {other}, which is under way"));
        }
        let until = self.next_attempt_at.as_ref()?;
        let error = self.last_error.as_deref().unwrap_or_default();
        Some(format!("goes on at {until}; {error}"))
    }
}

fn begin(seen: &Seen) -> Told {
    pgrx::notice!(
        "{kind} {id} is under way; cancelling this call does not end it, clerk.cancel_run({id}) does",
        kind = seen.kind.as_str(),
        id = seen.id,
    );
    Told {
        run: seen.id,
        listed: Vec::new(),
        finished: Vec::new(),
        progress: String::new(),
        progress_at: Instant::now(),
        waiting: String::new(),
        failures: 0,
        try_again_at: Instant::now(),
    }
}

fn tell_once(told: &mut String, text: String) {
    if *told != text {
        pgrx::notice!("{text}");
        *told = text;
    }
}

/// A step as it is now.
struct Shown {
    table: String,
    done: i64,
    total: Option<i64>,
    seconds: f64,
    inserted: i64,
    changed: i64,
    missing: i64,
    failed: i64,
    note: Option<String>,
    is_listed: bool,
    is_finished: bool,
}

/// The steps that have begun.
fn steps(run: i64) -> Vec<Shown> {
    static READ: Prepared = Prepared::new(
        "SELECT s.resource, s.done, s.total, extract(epoch FROM s.time_spent)::float8, s.inserted, s.changed, s.missing, s.failed,
                s.note, s.listed_at IS NOT NULL OR s.finished_at IS NOT NULL, s.finished_at IS NOT NULL
         FROM clerk.sync_steps AS s WHERE s.run_id = $1 AND s.started_at IS NOT NULL ORDER BY s.ordinal",
        &[pg_sys::INT8OID],
    );
    let number = |row: &Row, column| row.required::<i64>(column);
    READ.query(&[run.into_datum()], |row| Shown {
        table: row.required(1),
        done: number(row, 2),
        total: row.get(3),
        seconds: row.required(4),
        inserted: number(row, 5),
        changed: number(row, 6),
        missing: number(row, 7),
        failed: number(row, 8),
        note: row.get(9),
        is_listed: row.get(10).unwrap_or(false),
        is_finished: row.get(11).unwrap_or(false),
    })
}

fn tell(step: &Shown, told: &mut Told) {
    if !step.is_listed {
        let progress = step.progress();
        if told.progress != progress && told.progress_at.elapsed() >= TELL_EVERY {
            pgrx::notice!("{progress}");
            told.progress = progress;
            told.progress_at = Instant::now();
        }
        return;
    }
    if !told.listed.contains(&step.table) {
        pgrx::notice!("{}", step.result());
        told.listed.push(step.table.clone());
        told.progress_at = Instant::now();
    }
    if step.is_finished && !told.finished.contains(&step.table) {
        if step.missing > 0 {
            pgrx::notice!("{}: {} gone", step.table, grouped(step.missing));
        }
        told.finished.push(step.table.clone());
    }
}

impl Shown {
    fn per_second(&self) -> f64 {
        self.done as f64 / self.seconds.max(0.001)
    }

    /// `users: 12,000 of 100,000, 9,800 per second, 9 s left`
    fn progress(&self) -> String {
        let (table, done) = (&self.table, grouped(self.done));
        let pace = grouped(self.per_second() as i64);
        match self.total.filter(|total| *total >= self.done && self.done > 0) {
            Some(total) => {
                let left = (total - self.done) as f64 / self.per_second().max(0.001);
                format!(
                    "{table}: {done} of {total}, {pace} per second, {left} left",
                    total = grouped(total),
                    left = duration(left)
                )
            }
            None => format!("{table}: {done}, {pace} per second"),
        }
    }

    /// `users: 100,000 in 10 s: 99,000 new, 20 changed`
    fn result(&self) -> String {
        let mut text = format!(
            "{}: {} in {}: {} new, {} changed",
            self.table,
            grouped(self.done),
            duration(self.seconds),
            grouped(self.inserted),
            grouped(self.changed),
        );
        if self.failed > 0 {
            text.push_str(&format!(", {} could not be applied", grouped(self.failed)));
        }
        if let Some(note) = &self.note {
            text.push_str(&format!(" ({note})"));
        }
        text
    }
}

fn failed(seen: &Seen) -> Fault {
    let mut message = format!(
        "{} {} failed: {}",
        seen.kind.as_str(),
        seen.id,
        seen.last_error.as_deref().unwrap_or("for an unknown reason")
    );
    if let Some(trace_id) = &seen.trace_id {
        message.push_str(&format!(" (Clerk's trace id is {trace_id})"));
    }
    Fault::prerequisite(message, seen.last_hint.clone().unwrap_or_default())
}

fn cancelled(id: i64) -> Fault {
    Fault::new(
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        format!("run {id} was cancelled"),
        "What it had read stays. A backfill goes on with SELECT clerk.start_backfill().",
    )
}

/// `12,345`
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `9 s`, `3 min 20 s`, `2 h 5 min`
fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod unit {
    use super::{duration, grouped};

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-1_000), "-1,000");
    }

    #[test]
    fn times_for_people() {
        assert_eq!(duration(0.2), "0 s");
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 5 min");
    }
}
