//! Expressions of each type that a parameter or a column of ours has, its extremes first.

use clerk_tests::Dice;
use serde_json::{Map, Value};

use crate::texts::{quoted, text};

const BIGINTS: &[&str] = &["0", "1", "-1", "9223372036854775807", "-9223372036854775808"];
const INTEGERS: &[&str] = &["0", "1", "-1", "60", "100", "2147483647", "-2147483648"];
const FLOATS: &[&str] = &[
    "0",
    "-0",
    "0.5",
    "1",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e308",
    "4.9e-324",
];
const NUMERICS: &[&str] = &["0", "NaN", "Infinity", "1e130000", "-1e-16000"];
const INTERVALS: &[&str] = &[
    "0",
    "1 hour",
    "10 days",
    "-1 day",
    "1 mon -1 day",
    "1 microsecond",
    "178000000 years",
    "-178000000 years",
    "2562047788:00:54.775807",
];
const TIMES: &[&str] = &[
    "now",
    "epoch",
    "infinity",
    "-infinity",
    "2100-01-01 00:00:00+00",
    "294276-12-31 23:59:59.999999+00",
    "4713-01-01 00:00:00+00 BC",
];
const ROLES: &[&str] = &["anon", "authenticated", "bystander", "installer", "postgres"];
const RELATIONS: &[&str] = &[
    "pg_catalog.pg_class",
    "pg_catalog.pg_authid",
    "clerk.users",
    "clerk.settings",
    "clerk.status",
    "clerk.users_pkey",
    "clerk.sync_runs_id_seq",
    "bait.rows",
];
const FUNCTIONS: &[&str] = &[
    "pg_catalog.now",
    "bait.handler",
    "bait.bad_handler",
    "clerk.maintain",
    "clerk.backfill",
    "clerk.trust_changed",
];
const ACLS: &[&str] = &["{}", "{=X/postgres}", "{anon=r*/installer,=U/postgres}"];

/// An expression of this type, as `format_type` writes it, for a parameter of this name.
///
/// # Panics
/// If there is no rule for the type: then it is time to add one.
pub fn value(dice: &mut Dice, data_type: &str, parameter: &str, nth: usize) -> String {
    if let Some(element) = data_type.strip_suffix("[]") {
        return array(dice, element, parameter, nth);
    }
    if dice.one_in(12) {
        return format!("NULL::{data_type}");
    }
    let literals = match data_type {
        "text" | "name" | "character varying" | "\"char\"" => {
            return format!("({})::{data_type}", text(dice, parameter, nth));
        }
        "jsonb" | "json" => return json(dice, data_type, parameter, nth),
        "boolean" => &["true", "false"],
        "bigint" if parameter.ends_with("id") && !dice.one_in(4) => {
            let kind = dice.pick(&["run", "handler"]);
            return format!("bait.known('{kind}', {nth})::bigint");
        }
        "bigint" => BIGINTS,
        "integer" => INTEGERS,
        "smallint" => &["0", "1", "-1", "32767", "-32768"],
        "double precision" | "real" => FLOATS,
        "numeric" => NUMERICS,
        "interval" => INTERVALS,
        "timestamp with time zone" => TIMES,
        "bytea" => &["", "\\x00ff", "\\xdeadbeef"],
        "regrole" => ROLES,
        "regclass" => RELATIONS,
        "regproc" => FUNCTIONS,
        "oid" if dice.one_in(2) => {
            return format!("{}::regclass::oid", quoted(dice.pick(RELATIONS)));
        }
        "oid" | "xid" => &["0", "1", "16384", "4294967295"],
        other => panic!("tests/random/values.rs has no values of type {other}"),
    };
    if data_type.starts_with("reg") && dice.one_in(6) {
        return format!("{}::oid::{data_type}", dice.pick(&["0", "1", "4294967295"]));
    }
    format!("{}::{data_type}", quoted(dice.pick(literals)))
}

/// Empty, of one dimension or of two, with other bounds, with NULL in it, or large.
fn array(dice: &mut Dice, element: &str, parameter: &str, nth: usize) -> String {
    if element == "aclitem" {
        return format!("{}::aclitem[]", quoted(dice.pick(ACLS)));
    }
    let mut some = || value(dice, element, parameter, nth);
    let (one, two) = (some(), some());
    let list = match dice.below(10) {
        0 => format!("NULL::{element}[]"),
        1 => format!("'{{}}'::{element}[]"),
        2 => format!("ARRAY[[{one}, {two}], [{two}, {one}]]"),
        3 => format!("ARRAY[{one}, NULL]"),
        4 => format!("pg_catalog.array_fill({one}, ARRAY[2], ARRAY[0])"),
        5 => format!("pg_catalog.array_fill({one}, ARRAY[1,1,1,1,1,1], ARRAY[-2147483648,0,1,2,3,4])"),
        6 if !one.contains("repeat") && !one.contains("bait.") => {
            format!("pg_catalog.array_fill({one}, ARRAY[20000])")
        }
        7 => format!("(ARRAY[{one}, {two}])[2:1]"),
        8 => format!("ARRAY[{one}]"),
        _ => format!("ARRAY[{one}, {two}]"),
    };
    format!("({list})::{element}[]")
}

fn json(dice: &mut Dice, data_type: &str, parameter: &str, nth: usize) -> String {
    let looked_up = match parameter {
        "headers" => "bait.headers({n})",
        "event" => "bait.body({n})",
        "events" => "pg_catalog.jsonb_build_array(bait.body({n})::jsonb, bait.body(1)::jsonb)",
        "objects" => "pg_catalog.jsonb_build_array(bait.body({n})::jsonb OPERATOR(pg_catalog.->) 'data')",
        "jwks" => "bait.known('jwks', {n})",
        _ => "bait.claims({n})",
    };
    let looked_up = looked_up.replace("{n}", &nth.to_string());
    let expression = match dice.below(10) {
        0..4 => looked_up,
        4 => format!(
            "(({looked_up})::jsonb OPERATOR(pg_catalog.||) {}::jsonb)",
            quoted(&document(dice, 2).to_string())
        ),
        5 => format!(
            "pg_catalog.jsonb_set(({looked_up})::jsonb, {}, pg_catalog.to_jsonb(({})::text))",
            dice.pick(&[
                "'{type}'",
                "'{data,id}'",
                "'{data,updated_at}'",
                "'{svix-id}'",
                "'{keys,0,kid}'",
                "'{timestamp}'"
            ]),
            text(dice, parameter, nth)
        ),
        6 => {
            "(pg_catalog.repeat('[', 10000) OPERATOR(pg_catalog.||) pg_catalog.repeat(']', 10000))".to_owned()
        }
        7 => format!(
            "('[' OPERATOR(pg_catalog.||) pg_catalog.repeat({}, 5000) OPERATOR(pg_catalog.||) 'null]')",
            quoted(&format!("{},", document(dice, 1)))
        ),
        _ => quoted(&document(dice, 4).to_string()),
    };
    format!("({expression})::{data_type}")
}

/// Any JSON, so many levels deep.
fn document(dice: &mut Dice, levels: usize) -> Value {
    const NAMES: &[&str] = &[
        "id",
        "type",
        "data",
        "object",
        "keys",
        "kid",
        "n",
        "e",
        "svix-id",
        "updated_at",
        "deleted",
        "event",
        "",
    ];
    match dice.below(if levels == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => dice.one_in(2).into(),
        2 => [0.0, -1.5, 1e300, 1_750_000_000_000.0][dice.below(4)].into(),
        3 => [i64::MIN, 0, 1_750_000_000_000, i64::MAX][dice.below(4)].into(),
        4 => dice
            .pick(&[
                "",
                "user_1",
                "user.created",
                "ins_sim",
                "\u{1}",
                "users",
                "RSA",
                "AQAB",
            ])
            .into(),
        5 => (0..dice.below(4))
            .map(|_| document(dice, levels - 1))
            .collect::<Vec<_>>()
            .into(),
        _ => {
            let members = (0..dice.below(5))
                .map(|_| (dice.pick(NAMES).to_owned(), document(dice, levels - 1)))
                .collect::<Map<_, _>>();
            members.into()
        }
    }
}
