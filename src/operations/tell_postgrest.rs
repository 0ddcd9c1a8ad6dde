//! Telling PostgREST to read its configuration, and telling it again when it may not have done so.
//!
//! PostgREST reads its configuration once when it starts and does not know our function then: it learns its name by that reading, and
//! calls it at the next one. A reading that fails makes it forget the name. Nothing shows which readings succeeded, so it is told again
//! whenever a session of its listener is newer than the last telling, once after each telling of ours, and after some minutes.

use pgrx::prelude::*;

use crate::c_function;
use crate::call::Call;
use crate::mirror::prepared::Prepared;
use crate::pg::backend_status;

c_function!(clerk_tell_postgrest_to_read, tell_postgrest_to_read);
c_function!(clerk_postgrest_listener, postgrest_listener);

/// How often PostgREST is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readings {
    /// For a PostgREST that most likely has the keys.
    One,
    /// The first one may only make it learn the name of a function, or forget one. The second one is that of loading the schema cache,
    /// which goes on until PostgREST reaches the database. A session of its pool that was cut makes two queries fail.
    Two,
}

/// `tell_postgrest_to_read(repeat boolean)`.
fn tell_postgrest_to_read(call: &Call) -> Option<pg_sys::Datum> {
    tell(Readings::Two, call.yes_or_no(0, "repeat"));
    Some(pg_sys::Datum::null())
}

/// Tells PostgREST, when the transaction commits, to read its configuration. `repeat` says whether the next round of maintenance is to
/// tell it again.
///
/// Where the transaction has DDL this comes before it. A watcher of DDL notifies `reload schema`, which PostgREST does beside what it
/// is told next: after it, `reload config` would only do the same a second time. Of equal notifications of one transaction the first
/// counts, and they arrive in their order.
pub fn tell(readings: Readings, repeat: bool) {
    static TELL: Prepared = Prepared::new(
        "WITH told AS (
             UPDATE clerk.postgrest_keys AS p SET told_at = clock_timestamp(), repeat_due = $2 WHERE p.only_row
         )
         SELECT pg_notify('pgrst', 'reload config'), CASE WHEN $1 THEN pg_notify('pgrst', 'reload schema') END",
        &[pg_sys::BOOLOID, pg_sys::BOOLOID],
    );
    TELL.run(&[(readings == Readings::Two).into_datum(), repeat.into_datum()]);
}

/// What a round of maintenance does: tells PostgREST again if it may not have the keys, and gives the reason. Needless tellings would
/// do harm, because a reading can fail.
pub fn tell_again() -> Option<&'static str> {
    // A row that somebody has locked is being written because PostgREST is being told.
    static REASON: Prepared = Prepared::new(
        "SELECT CASE r.number WHEN 1 THEN 'listener' WHEN 2 THEN 'repeat' ELSE 'time' END
         FROM clerk.postgrest_keys AS p,
             LATERAL (SELECT EXISTS (
                 SELECT FROM clerk.authenticator_settings() AS s
                 WHERE s.name = 'pgrst.db_pre_config' AND s.value = 'clerk.postgrest_config'
             )) AS is_connected (yes),
             LATERAL (SELECT CASE
                 WHEN is_connected.yes AND $1 > COALESCE(p.told_at, '-infinity') AND $1 <= clock_timestamp() THEN 1
                 WHEN p.repeat_due THEN 2
                 WHEN is_connected.yes AND COALESCE(
                     p.told_at NOT BETWEEN clock_timestamp() - interval '3 minutes 30 seconds' AND clock_timestamp(), true) THEN 3
             END) AS r (number)
         WHERE r.number IS NOT NULL
         FOR NO KEY UPDATE OF p SKIP LOCKED",
        &[pg_sys::TIMESTAMPTZOID],
    );
    let listener = listener().map(pg_sys::Datum::from);
    let reason = REASON
        .query(&[listener], |row| row.get::<String>(1))
        .pop()
        .flatten()?;
    match reason.as_str() {
        "listener" => {
            tell(Readings::Two, true);
            Some("PostgREST began to listen after it was last told")
        }
        "repeat" => {
            tell(Readings::Two, false);
            Some("the last telling is repeated once")
        }
        _ => {
            tell(Readings::One, false);
            Some("the last telling is minutes ago")
        }
    }
}

/// `postgrest_listener()`: since when PostgREST listens; NULL if it is not seen to.
fn postgrest_listener(_call: &Call) -> Option<pg_sys::Datum> {
    listener().map(pg_sys::Datum::from)
}

/// When the newest session of role authenticator in this database began to listen. None if none does, if PostgREST's channel has
/// another name, or if `track_activities` is off.
fn listener() -> Option<pg_sys::TimestampTz> {
    // SAFETY: looks up a name, which may be missing.
    let role = unsafe { pg_sys::get_role_oid(c"authenticator".as_ptr(), true) };
    // PostgREST quotes the name of the channel.
    backend_status::latest_start(role, &[c"LISTEN \"pgrst\"", c"LISTEN pgrst"])
}
