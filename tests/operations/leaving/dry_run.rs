//! Without being told to, nothing changes.

use clerk_tests::Sql;
use postgres::Client;

use super::scene::Scene;

/// Every row of every catalog of this database, with the transaction that wrote it and its place; without what autovacuum counts.
fn catalogs(superuser: &mut Client) -> String {
    superuser.value(
        "SELECT md5(string_agg(rows.digest, ' ' ORDER BY rows.catalog)) FROM (
             SELECT c.relname, (xpath('/row/d/text()', query_to_xml(format(
                 'SELECT md5(string_agg(concat(t.xmin, t.ctid, to_jsonb(t) - ''{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}''::text[]),
                     '','' ORDER BY t.ctid)) AS d FROM pg_catalog.%I AS t', c.relname), true, true, '')))[1]::text
             FROM pg_class AS c
             WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared
               AND c.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data')
         ) AS rows (catalog, digest)",
    )
}

#[test]
fn a_dry_run_changes_nothing_and_says_all() {
    let scene = Scene::new();
    let (mut owner, mut superuser) = (scene.owner(), scene.db.superuser());
    owner.run("SELECT clerk.expose_api()");
    superuser.run(&format!(
        "ALTER DATABASE {} SET clerk.http_timeout = '5s'",
        scene.db.name()
    ));
    let before = catalogs(&mut superuser);
    let planned: Vec<String> = owner.value("SELECT array_agg(statement) FROM clerk.eject()");
    owner.run("SELECT clerk.eject(dry_run => NULL); SELECT clerk.uninstall(); SELECT clerk.uninstall(NULL)");
    assert_eq!(catalogs(&mut superuser), before);
    let settings: i64 = superuser.value(
        "SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    assert_eq!(settings, 1, "the setting that uninstall() would take back");

    // And it is what is then done.
    let done: Vec<String> = owner.value("SELECT array_agg(statement) FROM clerk.eject(dry_run => false)");
    assert_eq!(done, planned);
    assert_ne!(catalogs(&mut superuser), before, "a change would be seen");
}

#[test]
fn the_last_row_is_how_to_drop_it() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    let rows = owner
        .query("SELECT step, statement FROM clerk.uninstall()", &[])
        .expect("it answers");
    let last = rows.last().expect("there are rows");
    assert_eq!(last.get::<_, &str>("step"), "last");
    assert_eq!(
        last.get::<_, &str>("statement"),
        "DROP EXTENSION clerk_sync; DROP SCHEMA clerk"
    );
    let in_the_way = |owner: &mut Client| -> i64 {
        owner.value("SELECT count(*) FROM clerk.uninstall() WHERE step = 'in the way'")
    };
    assert_eq!(
        in_the_way(&mut owner),
        2 + 1 + 3 + 6 + 2 + 3 + 1,
        "keys, check, defaults, policies, views, functions, trigger"
    );
    owner.run("SELECT clerk.eject(dry_run => false)");
    assert_eq!(in_the_way(&mut owner), 0);
    owner.run(last.get("statement"));
}

#[test]
fn a_failure_on_the_way_changes_nothing() {
    let scene = Scene::new();
    let mut superuser = scene.db.superuser();
    // Nothing that could be known beforehand.
    superuser.run(
        r#"CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
               IF tg_tag = 'ALTER POLICY' THEN RAISE 'not today'; END IF;
           END $$;
           CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION public.refuse()"#,
    );
    let failure = scene.owner().failure("SELECT clerk.eject(dry_run => false)");
    assert_eq!(failure.message, "not today");
    assert!(
        !superuser.value::<bool>("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'clerk_data')")
    );
    let policies: i64 = superuser.value("SELECT count(*) FROM pg_policies WHERE qual ~ 'clerk_data'");
    assert_eq!(policies, 0);
}
