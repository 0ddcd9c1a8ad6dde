//! What the owner of the extension can do to it: no superuser, and everything of it but two functions is theirs.

use clerk_tests::Dice;

use crate::catalog::{Catalog, Kind, Relation};
use crate::values::value;

const TYPES: &[&str] = &[
    "bigint",
    "text",
    "jsonb",
    "text[]",
    "bytea",
    "interval",
    "boolean",
    "timestamp with time zone",
    "smallint",
];

const FUNCTION_CHANGES: &[&str] = &[
    "STRICT",
    "CALLED ON NULL INPUT",
    "IMMUTABLE",
    "STABLE",
    "VOLATILE",
    "PARALLEL SAFE",
    "PARALLEL UNSAFE",
    "SECURITY DEFINER",
    "SECURITY INVOKER",
    "RESET ALL",
    "RESET search_path",
    "SET search_path = evil, pg_catalog",
    "SET search_path = ''",
    "SET statement_timeout = '1ms'",
    "SET transaction_read_only = on",
    "SET DateStyle = 'German'",
    "SET request.jwt.claims = '{}'",
    "SET clerk.jwt = 'x'",
    "SET role = none",
    "COST 1000000",
];

/// Statements of one change; any of them may fail.
pub fn tamper(dice: &mut Dice, catalog: &Catalog) -> Vec<String> {
    if dice.one_in(3) {
        return function(dice, catalog);
    }
    let tables: Vec<&Relation> = catalog
        .relations
        .iter()
        .filter(|relation| relation.is_table)
        .collect();
    // What every call reads more often than the rest.
    let trusted = [
        "clerk.settings",
        "clerk.instances",
        "clerk.jwks",
        "clerk.users",
        "clerk.webhook_events",
        "clerk.secrets",
    ];
    let favourite = dice.one_in(2).then(|| dice.pick(&trusted));
    let table = match favourite.and_then(|name| tables.iter().find(|table| table.name == name)) {
        Some(table) => table,
        None => tables[dice.below(tables.len())],
    };
    let name = &table.name;
    let mut statements = vec![format!(
        "INSERT INTO {name} DEFAULT VALUES ON CONFLICT DO NOTHING"
    )];
    // The row need not be possible.
    if !dice.one_in(4) {
        statements.clear();
    }
    statements.extend(match dice.below(5) {
        0 | 1 => column(dice, table),
        2 => replaced(dice, name),
        _ => vec![around(dice, catalog, table)],
    });
    statements
}

fn column(dice: &mut Dice, table: &Relation) -> Vec<String> {
    let name = &table.name;
    let (column, data_type) = &table.columns[dice.below(table.columns.len())];
    let other = dice.pick(TYPES);
    let nonsense = value(dice, data_type, column, 0);
    let unchecked = format!(
        "DO LANGUAGE plpgsql $block$ DECLARE c pg_catalog.name; BEGIN
         FOR c IN SELECT conname FROM pg_catalog.pg_constraint WHERE contype OPERATOR(pg_catalog.=) 'c' AND conrelid OPERATOR(pg_catalog.=) '{name}'::regclass LOOP
             EXECUTE pg_catalog.format('ALTER TABLE {name} DROP CONSTRAINT %I', c); END LOOP; END $block$"
    );
    // Postgres itself crashes when a function reads the table that is being rewritten, whose rows are not yet what its columns say.
    let rewritten =
        Some(value(dice, other, "", 0)).filter(|new| !new.contains("clerk.") && !new.contains("bait."));
    let rewritten = rewritten.unwrap_or_else(|| format!("NULL::{other}"));
    let nullable = format!("ALTER TABLE {name} ALTER COLUMN {column} DROP NOT NULL");
    match dice.below(7) {
        0 => vec![
            format!("ALTER TABLE {name} ALTER COLUMN {column} DROP DEFAULT"),
            unchecked,
            format!(
                "ALTER TABLE {name} ALTER COLUMN {column} TYPE {other} USING {}",
                rewritten
            ),
        ],
        1 => vec![format!("ALTER TABLE {name} DROP COLUMN {column} CASCADE")],
        2 => vec![
            format!("ALTER TABLE {name} DROP COLUMN {column} CASCADE"),
            format!(
                "ALTER TABLE {name} ADD COLUMN {column} {data_type} GENERATED ALWAYS AS ({nonsense}) STORED"
            ),
        ],
        3 => vec![nullable, unchecked, format!("UPDATE {name} SET {column} = NULL")],
        4 => vec![
            "CREATE DOMAIN evil.words AS pg_catalog.text".to_owned(),
            format!("ALTER TABLE {name} ALTER COLUMN {column} TYPE evil.words USING {column}::text"),
        ],
        _ => vec![unchecked, format!("UPDATE {name} SET {column} = {nonsense}")],
    }
}

/// Another kind of relation under the name.
fn replaced(dice: &mut Dice, name: &str) -> Vec<String> {
    let away = format!("ALTER TABLE {name} RENAME TO moved");
    let instead = match dice.below(7) {
        0 => format!("CREATE VIEW {name} AS SELECT * FROM clerk.moved"),
        1 => format!("CREATE VIEW {name} AS SELECT 1 AS id, clerk.current_user_id() AS issuer"),
        2 => format!("CREATE TABLE {name} (LIKE clerk.moved) PARTITION BY RANGE ((true))"),
        3 => format!("CREATE MATERIALIZED VIEW {name} AS SELECT * FROM clerk.moved"),
        4 => format!("CREATE SEQUENCE {name}"),
        5 => format!("CREATE TYPE {name} AS (id text)"),
        _ => format!("CREATE TABLE {name} AS SELECT * FROM clerk.moved"),
    };
    let mut statements = vec![away, instead];
    if dice.one_in(2) {
        statements.push("ALTER EXTENSION clerk_sync DROP TABLE clerk.moved".to_owned());
        statements.push(format!("ALTER EXTENSION clerk_sync ADD TABLE {name}"));
    }
    statements
}

/// What hangs on a table, or is in it.
fn around(dice: &mut Dice, catalog: &Catalog, table: &Relation) -> String {
    let name = &table.name;
    let (column, _) = &table.columns[dice.below(table.columns.len())];
    match dice.below(12) {
        0 => format!("DELETE FROM {name}"),
        1 => format!("CREATE RULE evil AS ON INSERT TO {name} DO INSTEAD NOTHING"),
        2 => format!("CREATE RULE evil AS ON UPDATE TO {name} DO ALSO SELECT clerk.current_user_id()"),
        3 => format!(
            "DO LANGUAGE plpgsql $block$ BEGIN
             ALTER TABLE {name} ENABLE ROW LEVEL SECURITY; ALTER TABLE {name} FORCE ROW LEVEL SECURITY;
             CREATE POLICY evil ON {name} USING (clerk.current_user_id() IS NULL); END $block$"
        ),
        4 => format!("CREATE TABLE evil.child () INHERITS ({name})"),
        5 => format!("ALTER TABLE {name} SET SCHEMA evil"),
        6 => format!(
            "ALTER TABLE {name} DROP CONSTRAINT {}_pkey CASCADE",
            name.trim_start_matches("clerk.")
        ),
        7 => format!(
            "CREATE UNIQUE INDEX ON {name} ((clerk.library_version() OPERATOR(pg_catalog.||) {column}::text))"
        ),
        8 => format!("REVOKE ALL ON {name} FROM installer"),
        9 => format!(
            "ALTER SEQUENCE clerk.sync_runs_id_seq AS smallint MAXVALUE {} CYCLE",
            dice.below(3) + 1
        ),
        10 => {
            let functions = catalog
                .functions
                .iter()
                .filter(|function| function.kind == Kind::Trigger);
            let names: Vec<&str> = functions.map(|function| function.name.as_str()).collect();
            let (time, function) = (dice.pick(&["BEFORE", "AFTER"]), dice.pick(&names));
            format!(
                "CREATE TRIGGER wrong {time} INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION {function}()"
            )
        }
        _ => trigger(dice, name),
    }
}

/// Code of the owner's that runs in the middle of ours.
fn trigger(dice: &mut Dice, table: &str) -> String {
    let body = dice.pick(&[
        "RETURN NULL;",
        "RAISE EXCEPTION ''evil'';",
        "PERFORM pg_catalog.set_config(''request.jwt.claims'', bait.claims(1), false); RETURN NEW;",
        "PERFORM clerk.receive_webhook(bait.body(1), bait.headers(1)::jsonb); RETURN NEW;",
        "PERFORM clerk.configure(audiences => ARRAY[''evil'']); RETURN NEW;",
        "PERFORM clerk.whoami(), clerk.current_claims(); RETURN NEW;",
        "DELETE FROM clerk.instances; RETURN NEW;",
        "PERFORM pg_catalog.pg_sleep(0.1); RETURN NEW;",
    ]);
    let time = dice.pick(&["BEFORE", "AFTER"]);
    format!(
        "DO LANGUAGE plpgsql $block$ BEGIN
         EXECUTE 'CREATE OR REPLACE FUNCTION evil.trigger() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN {} END''';
         CREATE TRIGGER evil {time} INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION evil.trigger(); END $block$",
        body.replace("''", "''''")
    )
}

fn function(dice: &mut Dice, catalog: &Catalog) -> Vec<String> {
    let function = &catalog.functions[dice.below(catalog.functions.len())];
    let (name, signature) = (&function.name, &function.signature);
    let value = match function.kind {
        Kind::Set | Kind::Procedure => "RETURN;",
        _ => dice.pick(&["RETURN NULL;", "RAISE EXCEPTION 'evil';"]),
    };
    match dice.below(12) {
        0 => vec![format!("ALTER ROUTINE {signature} RENAME TO moved")],
        1 => vec![format!("ALTER ROUTINE {signature} SET SCHEMA evil")],
        2 => vec![format!("ALTER EXTENSION clerk_sync DROP ROUTINE {signature}"), format!("DROP ROUTINE {signature} CASCADE")],
        3 | 4 => vec![format!(
            "DO LANGUAGE plpgsql $block$ BEGIN
             EXECUTE pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.pg_get_functiondef('{name}'::regproc),
                 'LANGUAGE \\w+', 'LANGUAGE plpgsql'), E'\\n(AS|BEGIN ATOMIC|RETURN) .*$', $new$ AS $body$ BEGIN {value} END $body$ $new$);
             END $block$"
        )],
        _ => vec![format!("ALTER ROUTINE {signature} {}", dice.pick(FUNCTION_CHANGES))],
    }
}
