//! The ways in which a statement can call a function.

use clerk_tests::Dice;

use crate::catalog::{Call, Kind};
use crate::settings;

/// Statements that call it; if one fails, the rest is left out. `unique` makes names.
pub fn framed(dice: &mut Dice, call: &Call, unique: usize) -> Vec<String> {
    match call.function.kind {
        Kind::Procedure => procedure(dice, call),
        Kind::Trigger | Kind::EventTrigger => trigger(dice, call, unique),
        Kind::Function | Kind::Set => function(dice, call, unique),
    }
}

fn function(dice: &mut Dice, call: &Call, unique: usize) -> Vec<String> {
    let text = call.text();
    let select = format!("SELECT {text}");
    match dice.below(24) {
        0..5 => vec![select],
        5..8 => vec![format!("SELECT * FROM {text}")],
        8 => vec![format!("SELECT {text} FROM pg_catalog.generate_series(1, 3)")],
        9 => prepared(dice, call, unique),
        10 => cursor(dice, &text, unique),
        11 => vec![block(&format!("PERFORM {text};"))],
        12 => vec![exceptions(&format!("PERFORM {text};"))],
        13 => vec![variables(call)],
        14 | 15 => parallel(dice, &text),
        16 => {
            let wrapper = dice.pick(&["bait.as_administrator", "bait.as_bystander"]);
            vec![format!(
                "SELECT {wrapper}($statement$SELECT * FROM {text}$statement$)"
            )]
        }
        17 => table(dice, &text, unique),
        18 => vec![
            format!("CREATE TEMPORARY VIEW random_view{unique} AS SELECT ({text}) IS NULL AS answer"),
            format!("SELECT * FROM random_view{unique}"),
        ],
        19 => vec![format!(
            "EXPLAIN (ANALYZE, VERBOSE, COSTS off, TIMING off, SUMMARY off) {select}"
        )],
        // The identity changes in the middle of a query.
        20 => vec![format!(
            "SELECT {text}, {0}, {text}, {1}, {text} FROM pg_catalog.generate_series(1, 2)",
            settings::identity(dice, true),
            settings::identity(dice, true)
        )],
        21 => vec![block(&format!(
            "FOR turn IN 1..3 LOOP PERFORM {text}; {}; END LOOP;",
            dice.pick(&[
                "COMMIT",
                "ROLLBACK",
                "PERFORM pg_catalog.set_config('search_path', 'evil', true)"
            ])
        ))],
        22 => vec![format!(
            "SELECT n FROM bait.rows WHERE ({text}) IS NOT NULL ORDER BY ({text})::pg_catalog.text LIMIT 2"
        )],
        _ => vec![format!(
            "SELECT answer FROM bait.rows CROSS JOIN LATERAL (SELECT {text} AS answer OFFSET 0) AS a LIMIT 3"
        )],
    }
}

fn block(body: &str) -> String {
    format!("DO LANGUAGE plpgsql $block$ BEGIN {body} END $block$")
}

/// Each call in a subtransaction that may fail; but faults of the server are passed on.
fn exceptions(body: &str) -> String {
    block(&format!(
        "FOR turn IN 1..3 LOOP BEGIN {body} EXCEPTION WHEN OTHERS THEN
             IF pg_catalog.starts_with(SQLSTATE, 'XX') THEN RAISE; END IF; END; END LOOP;"
    ))
}

/// Arguments are variables, so that arrays are expanded ones, and one is changed between two calls.
fn variables(call: &Call) -> String {
    let (mut declared, mut names, mut changed) = (String::new(), Vec::new(), String::new());
    for (at, (value, data_type)) in call.arguments.iter().enumerate() {
        declared += &format!("a{at} {data_type} := {value}; ");
        if data_type.ends_with("[]") {
            changed += &format!("a{at}[7] := NULL; ");
        }
        names.push(format!("a{at}"));
    }
    let text = call.with(&names);
    format!(
        "DO LANGUAGE plpgsql $block$ DECLARE {declared} BEGIN PERFORM {text}; {changed} PERFORM {text}; END $block$"
    )
}

/// Often enough for a generic plan, with the identity changed in between.
fn prepared(dice: &mut Dice, call: &Call, unique: usize) -> Vec<String> {
    let name = format!("random_statement{unique}");
    let numbers: Vec<String> = (1..=call.arguments.len())
        .map(|number| format!("${number}"))
        .collect();
    let types: Vec<&str> = call
        .arguments
        .iter()
        .map(|(_, data_type)| data_type.as_str())
        .collect();
    let values: Vec<&str> = call.arguments.iter().map(|(value, _)| value.as_str()).collect();
    let list = |items: &[&str]| match items {
        [] => String::new(),
        _ => format!("({})", items.join(", ")),
    };
    let execute = format!("EXECUTE {name}{}", list(&values));
    let mut statements = vec![format!(
        "PREPARE {name}{} AS SELECT {}",
        list(&types),
        call.with(&numbers)
    )];
    for turn in 0..7 {
        if turn == 5 {
            statements.push(format!("SELECT {}", settings::identity(dice, false)));
        }
        statements.push(execute.clone());
    }
    statements
}

fn cursor(dice: &mut Dice, text: &str, unique: usize) -> Vec<String> {
    let hold = dice.pick(&["", "WITH HOLD"]);
    vec![
        format!("DECLARE random_cursor{unique} SCROLL CURSOR {hold} FOR SELECT * FROM {text}"),
        format!("FETCH 1 FROM random_cursor{unique}"),
        format!("SELECT {}", settings::identity(dice, true)),
        format!("FETCH ALL FROM random_cursor{unique}"),
        format!("MOVE BACKWARD ALL FROM random_cursor{unique}"),
    ]
}

fn parallel(dice: &mut Dice, text: &str) -> Vec<String> {
    let query = match dice.below(3) {
        0 => format!("SELECT pg_catalog.count({text}) FROM bait.rows"),
        1 => format!("SELECT n FROM bait.rows WHERE ({text}) IS NOT NULL"),
        _ => format!("SELECT n FROM bait.rows, {text} AS answer"),
    };
    let forced = format!(
        "SELECT pg_catalog.set_config(name, '{}', true) FROM pg_catalog.pg_settings
         WHERE name OPERATOR(pg_catalog.=) ANY ('{{force_parallel_mode,debug_parallel_query}}')",
        dice.pick(&["on", "regress", "off"])
    );
    [
        "SET LOCAL parallel_setup_cost = 0",
        "SET LOCAL parallel_tuple_cost = 0",
        "SET LOCAL min_parallel_table_scan_size = 0",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([forced, query])
    .collect()
}

/// Where a table has an expression.
fn table(dice: &mut Dice, text: &str, unique: usize) -> Vec<String> {
    // By turns a name that a table of ours has.
    let table = match dice.below(3) {
        0 => "pg_temp.users".to_owned(),
        1 => "pg_temp.settings".to_owned(),
        _ => format!("pg_temp.random_table{unique}"),
    };
    let column = match dice.below(4) {
        0 => format!("t pg_catalog.text DEFAULT ({text})::pg_catalog.text"),
        1 => format!("t pg_catalog.text CHECK (({text}) IS NOT NULL)"),
        2 => format!("t pg_catalog.text GENERATED ALWAYS AS (({text})::pg_catalog.text) STORED"),
        _ => "t pg_catalog.text".to_owned(),
    };
    vec![
        format!("DROP TABLE IF EXISTS {table}"),
        format!("CREATE TABLE {table} (id pg_catalog.int4, {column})"),
        format!("INSERT INTO {table} (id) VALUES (1), (2)"),
        format!("CREATE INDEX ON {table} ((({text})::pg_catalog.text))"),
        format!("UPDATE {table} SET id = 3 WHERE ({text}) IS NULL"),
    ]
}

/// Called as what it is not, and on a table that it is not made for.
fn trigger(dice: &mut Dice, call: &Call, unique: usize) -> Vec<String> {
    let function = &call.function.name;
    if dice.one_in(3) {
        return vec![format!("SELECT {function}()")];
    }
    let event = dice.pick(&["INSERT", "UPDATE", "DELETE", "TRUNCATE"]);
    let time = dice.pick(&["BEFORE", "AFTER"]);
    let level = if event == "TRUNCATE" {
        "STATEMENT"
    } else {
        dice.pick(&["ROW", "STATEMENT"])
    };
    let columns = dice.pick(&[
        "id pg_catalog.int4",
        "id pg_catalog.text, issuer pg_catalog.text, address pg_catalog.int4",
        "data pg_catalog.jsonb",
    ]);
    let table = format!("pg_temp.random_table{unique}");
    vec![
        format!("CREATE TABLE {table} ({columns})"),
        format!(
            "CREATE TRIGGER t {time} {event} ON {table} FOR EACH {level} EXECUTE FUNCTION {function}('x')"
        ),
        format!("INSERT INTO {table} DEFAULT VALUES"),
        format!(
            "UPDATE {table} SET {} = NULL",
            columns.split(' ').next().unwrap_or("id")
        ),
        format!("DELETE FROM {table}"),
        format!("TRUNCATE {table}"),
    ]
}

fn procedure(dice: &mut Dice, call: &Call) -> Vec<String> {
    let statement = format!("CALL {}", call.text());
    vec![match dice.below(4) {
        0 => block(&format!("{statement};")),
        1 => exceptions(&format!("{statement};")),
        _ => statement,
    }]
}
