//! What a session can set that others' functions may not be ready for.

use clerk_tests::Dice;

use crate::texts::{BAIT, text};

/// Values that a session may set; several of a name so that one is the usual.
const SETTINGS: &[(&str, &[&str])] = &[
    (
        "search_path",
        &[
            "''",
            "evil, pg_catalog",
            "evil, clerk, pg_catalog, pg_temp",
            "pg_temp, evil, public",
            "clerk",
            "nowhere",
        ],
    ),
    // Not debug5: Postgres itself ends a session (FATAL, unexpected state SUBBEGIN) when a statement is cancelled in the message that
    // tells of a nested subtransaction.
    (
        "client_min_messages",
        &["debug4", "debug1", "notice", "warning", "error"],
    ),
    (
        "DateStyle",
        &["'SQL, DMY'", "'German'", "'Postgres, MDY'", "'ISO'"],
    ),
    ("IntervalStyle", &["iso_8601", "sql_standard", "postgres_verbose"]),
    ("TimeZone", &["'Asia/Kathmandu'", "'<+23>-23:59:59'", "'UTC'"]),
    ("standard_conforming_strings", &["off", "on"]),
    ("escape_string_warning", &["on", "off"]),
    ("array_nulls", &["off", "on"]),
    ("transform_null_equals", &["on", "off"]),
    ("quote_all_identifiers", &["on", "off"]),
    ("row_security", &["off", "on"]),
    ("bytea_output", &["escape", "hex"]),
    ("extra_float_digits", &["-15", "3"]),
    ("xmloption", &["document", "content"]),
    ("check_function_bodies", &["off", "on"]),
    ("plan_cache_mode", &["force_generic_plan", "force_custom_plan"]),
    ("work_mem", &["'64kB'", "'4MB'"]),
    ("temp_buffers", &["100"]),
    ("enable_indexscan", &["off", "on"]),
    ("enable_seqscan", &["off", "on"]),
    ("cursor_tuple_fraction", &["0", "1"]),
    ("default_transaction_read_only", &["on", "off"]),
    (
        "default_transaction_isolation",
        &["'serializable'", "'read committed'"],
    ),
    ("track_activities", &["off", "on"]),
    ("lock_timeout", &["'1ms'", "'200ms'"]),
    ("statement_timeout", &["'5ms'", "'300ms'"]),
    ("session_replication_role", &["replica", "origin"]),
    ("max_parallel_workers_per_gather", &["0", "8"]),
    ("constraint_exclusion", &["on"]),
    ("clerk.token_cache_size", &["0", "1", "256"]),
    ("clerk.jwks_cooldown", &["0", "30"]),
    ("clerk.http_timeout", &["1", "5000"]),
    ("clerk.no_such_setting", &["'x'"]),
];

/// A statement that sets something, for the transaction or for the session.
pub fn change(dice: &mut Dice) -> String {
    let scope = dice.pick(&["LOCAL", "LOCAL", "LOCAL", "SESSION"]);
    match dice.below(10) {
        0..4 => {
            let (name, values) = SETTINGS[dice.below(SETTINGS.len())];
            format!("SET {scope} {name} = {}", dice.pick(values))
        }
        4 => "RESET ALL".to_owned(),
        _ => format!("SELECT {}", identity(dice, scope == "LOCAL")),
    }
}

/// An expression that changes who is asking, or as what.
pub fn identity(dice: &mut Dice, local: bool) -> String {
    let nth = dice.below(BAIT);
    let (name, value) = match dice.below(6) {
        0 | 1 => ("request.jwt.claims", format!("bait.claims({nth})")),
        2 => ("clerk.jwt", format!("bait.token({nth})")),
        3 => ("request.headers", format!("bait.headers({nth})")),
        _ => {
            let name = dice.pick(&[
                "request.jwt.claims",
                "clerk.jwt",
                "request.headers",
                "request.method",
                "request.path",
            ]);
            (name, text(dice, "token", nth))
        }
    };
    // set_config takes no NULL for an ordinary value.
    format!("pg_catalog.set_config('{name}', coalesce({value}, ''), {local})")
}
