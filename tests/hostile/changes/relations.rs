//! What can become of a whole table, view, sequence or index, and of the schema.

use postgres::Client;

use super::{Change, rows};

const FAKES: [&str; 13] = [
    "nothing",
    "view",
    "materialized view",
    "partitioned table",
    "foreign table",
    "sequence",
    "type",
    "index",
    "table",
    "empty table",
    "table of numbers",
    "child",
    "unlogged table",
];

const INDEXES: [&str; 12] = [
    "none",
    "hash",
    "expression",
    "partial",
    "pattern",
    "another table's",
    "another collation",
    "renamed",
    "deferrable",
    "with more",
    "of a number",
    "of two",
];

pub fn changes(owner: &mut Client) -> Vec<Change> {
    let members = rows::<2>(
        owner,
        "SELECT c.oid::regclass::text, c.relkind::text FROM pg_class AS c
         WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v', 'S') ORDER BY c.relname",
    );
    let mut changes = schema();
    for [name, kind] in members {
        match kind.as_str() {
            "r" => changes.extend(of_table(&name)),
            "v" => changes.extend(of_view(&name)),
            _ => changes.extend(of_sequence(&name)),
        }
    }
    changes
}

fn of_table(name: &str) -> Vec<Change> {
    let change = |what: String, statements: String| Change::new(format!("{name}: {what}"), statements);
    let mut changes = Vec::new();
    for fake in FAKES {
        for is_member in [false, true] {
            // Neither can be a member.
            if is_member && matches!(fake, "nothing" | "index") {
                continue;
            }
            let what = if is_member { " as a member" } else { "" };
            changes.push(change(
                format!("replaced by {fake}{what}"),
                format!("SELECT tools.replace('{name}', '{fake}', {is_member})"),
            ));
        }
    }
    for index in INDEXES {
        changes.push(change(
            format!("index {index}"),
            format!("SELECT tools.change_index('{name}', $x${index}$x$)"),
        ));
    }
    for trigger in [
        "BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION tools.mine()",
        "AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT EXECUTE FUNCTION tools.mine()",
        "BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed()",
        "BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT EXECUTE FUNCTION clerk.trust_changed()",
        "BEFORE TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION clerk.trust_changed()",
        "AFTER UPDATE ON {} REFERENCING OLD TABLE AS former NEW TABLE AS later FOR EACH STATEMENT EXECUTE FUNCTION clerk.keep_former_addresses()",
        "AFTER UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION clerk.keep_former_addresses()",
        "BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION clerk.keep_former_addresses()",
    ] {
        changes.push(change(
            format!("trigger {}", trigger.replace(" ON {}", "")),
            format!("CREATE TRIGGER mine {}", trigger.replace("{}", name)),
        ));
    }
    for (what, statements) in [
        ("emptied", "SELECT tools.multiply('{}', 0)"),
        ("doubled", "SELECT tools.multiply('{}', 2)"),
        ("no member", "ALTER EXTENSION clerk_sync DROP TABLE {}"),
        (
            "hidden rows",
            "ALTER TABLE {} ENABLE ROW LEVEL SECURITY; ALTER TABLE {} FORCE ROW LEVEL SECURITY",
        ),
        ("a rule", "CREATE RULE mine AS ON UPDATE TO {} DO INSTEAD NOTHING"),
        (
            "a rule that makes it a view",
            "SELECT tools.replace('{}', 'empty table', true); CREATE RULE \"_RETURN\" AS ON SELECT TO {} DO INSTEAD SELECT * FROM {former}",
        ),
        ("no triggers", "ALTER TABLE {} DISABLE TRIGGER USER"),
        (
            "given away",
            "GRANT ALL ON {} TO anon; ALTER TABLE {} SET SCHEMA public",
        ),
    ] {
        let former = format!("clerk.\"former {}\"", name.trim_start_matches("clerk."));
        let statements = statements.replace("{}", name).replace("{former}", &former);
        changes.push(change(what.to_owned(), statements));
    }
    changes
}

fn of_view(name: &str) -> Vec<Change> {
    let short = name.trim_start_matches("clerk.");
    let away = format!("ALTER EXTENSION clerk_sync DROP VIEW {name}; ALTER VIEW {name} RENAME TO former");
    [
        ("dropped", away.clone()),
        (
            "a table",
            format!("{away}; CREATE TABLE {name} AS SELECT * FROM clerk.former"),
        ),
        (
            "a materialized view",
            format!("{away}; CREATE MATERIALIZED VIEW {name} AS SELECT * FROM clerk.former"),
        ),
        (
            "numbers",
            format!("{away}; CREATE VIEW {name} AS SELECT 140737488355328 AS id, 140737488355328 AS name"),
        ),
        (
            "raises",
            format!("{away}; CREATE VIEW {name} AS SELECT f.*, 1 / 0 AS mine FROM clerk.former AS f"),
        ),
        ("a sequence", format!("{away}; CREATE SEQUENCE {name}")),
    ]
    .map(|(what, statements)| Change::new(format!("clerk.{short}: {what}"), statements))
    .to_vec()
}

fn of_sequence(name: &str) -> Vec<Change> {
    [
        ("exhausted", format!("ALTER SEQUENCE {name} MAXVALUE 1000 RESTART WITH 1000; SELECT nextval('{name}')")),
        ("backwards", format!("ALTER SEQUENCE {name} INCREMENT -1 MINVALUE -9223372036854775808 RESTART WITH -9223372036854775807")),
        ("small", format!("ALTER SEQUENCE {name} AS smallint")),
    ]
    .map(|(what, statements)| Change::new(format!("{name}: {what}"), statements))
    .to_vec()
}

/// The whole schema is put aside, or there is another one.
fn schema() -> Vec<Change> {
    let views = "DO $x$
        DECLARE one record;
        BEGIN
            FOR one IN SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'former'::regnamespace AND c.relkind = 'r' LOOP
                EXECUTE format('CREATE VIEW clerk.%I AS SELECT * FROM former.%1$I', one.relname);
            END LOOP;
        END $x$";
    [
        ("put aside", "ALTER SCHEMA clerk RENAME TO former".to_owned()),
        ("replaced", format!("ALTER SCHEMA clerk RENAME TO former; CREATE SCHEMA clerk; GRANT USAGE ON SCHEMA clerk TO PUBLIC; {views}")),
        ("closed", "REVOKE ALL ON SCHEMA clerk FROM PUBLIC, tenant".to_owned()),
        ("extension dropped", "DROP EXTENSION clerk_sync CASCADE".to_owned()),
    ]
    .map(|(what, statements)| Change::new(format!("schema clerk: {what}"), statements))
    .to_vec()
}
