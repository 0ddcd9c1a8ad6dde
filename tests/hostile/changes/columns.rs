//! What can become of a column.

use postgres::Client;

use super::{Change, rows};

/// Looks like an address to whoever takes the column for one of a type that is passed by reference.
const ADDRESS: &str = "140737488355328";

/// Other types for a column of this type, with a value for each.
fn other_types(column_type: &str) -> Vec<(&'static str, String)> {
    let address = || ("bigint", ADDRESS.to_owned());
    let text = || ("text", "repeat('x', 3000)".to_owned());
    match column_type {
        "text" => vec![
            address(),
            ("text[]", "ARRAY[repeat('x', 3000)]".to_owned()),
            ("bytea", r"'\xff00fe'".to_owned()),
            ("public.lookalike", "'x'".to_owned()),
            ("public.pair", "ROW(1, 'x')".to_owned()),
            ("boolean", "true".to_owned()),
        ],
        "text[]" => vec![
            address(),
            text(),
            ("bigint[]", format!("ARRAY[{ADDRESS}]")),
            ("public.pair[]", "ARRAY[ROW(1, 'x')::public.pair]".to_owned()),
        ],
        "jsonb" => vec![address(), text(), ("json", "'{}'".to_owned())],
        "boolean" | "integer" => vec![text(), address()],
        _ => vec![
            text(),
            ("smallint", "1".to_owned()),
            ("text[]", "'{a,b}'".to_owned()),
        ],
    }
}

/// Values that the column's type allows and no CHECK of ours would.
fn nonsense(column_type: &str) -> Vec<&'static str> {
    match column_type {
        "text" => vec!["''", "repeat('nonsense ', 100000)", "'*'"],
        "text[]" => vec!["'{NULL}'", "'{{a,b},{c,d}}'", "'[-3:-2]={a,b}'"],
        "jsonb" => vec!["'null'", "'[1, \"a\"]'", "'{\"erased\": 1, \"id\": {}}'"],
        "boolean" => vec!["true", "false"],
        "integer" => vec!["2147483647", "-2147483648"],
        "bigint" => vec!["9223372036854775807", "-9223372036854775808"],
        "double precision" => vec!["'NaN'", "'-Infinity'"],
        "interval" => vec!["'-178000000 years'", "'178000000 years'"],
        "timestamp with time zone" => vec![
            "'infinity'",
            "'-infinity'",
            "'294276-12-31 23:59:59+00'",
            "'4713-01-01 00:00:00+00 BC'",
        ],
        _ => vec![],
    }
}

pub fn changes(owner: &mut Client) -> Vec<Change> {
    let columns = rows::<3>(
        owner,
        "SELECT c.oid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
         FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
         JOIN pg_depend AS d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.deptype = 'e'
         JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'clerk_sync'
         WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum",
    );
    let mut changes = Vec::new();
    for [table, column, column_type] in columns {
        let change =
            |what: String, statement: String| Change::new(format!("{table}.{column}: {what}"), statement);
        for (other, value) in other_types(&column_type) {
            changes.push(change(
                format!("type {other}"),
                format!(
                    "SELECT tools.change_type('{table}', '{column}', '{other}', $x$({value})::{other}$x$)"
                ),
            ));
        }
        for value in nonsense(&column_type).into_iter().chain(["NULL"]) {
            changes.push(change(
                format!("value {}", &value[..value.len().min(40)]),
                format!("SELECT tools.put('{table}', '{column}', $x${value}$x$)"),
            ));
        }
        changes.push(change(
            "dropped".to_owned(),
            format!("SELECT tools.drop_column('{table}', '{column}')"),
        ));
        let other = other_types(&column_type).remove(0);
        for (what, definition) in [
            ("added again", column_type.clone()),
            (
                "generated",
                format!("{column_type} GENERATED ALWAYS AS (NULL::{column_type}) STORED"),
            ),
            (
                "generated of another type",
                format!("{0} GENERATED ALWAYS AS (({1})::{0}) STORED", other.0, other.1),
            ),
            (
                "added again with a default of another type",
                format!("{} DEFAULT {}", other.0, other.1),
            ),
        ] {
            changes.push(change(
                what.to_owned(),
                format!("SELECT tools.add_again('{table}', '{column}', $x${definition}$x$)"),
            ));
        }
    }
    changes
}
