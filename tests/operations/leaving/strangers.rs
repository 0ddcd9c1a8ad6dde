//! What strangers put where pg_cron's and Realtime's objects would be, or into names and bodies, is not run by whoever asks.

use clerk_tests::{Sql, TestDb};

use super::scene::Scene;

/// Everything in it notes as whom it ran.
const PLANTED: &str = "
    CREATE SCHEMA _realtime; CREATE SCHEMA cron;
    CREATE TABLE cron.ran (who text, what text);
    CREATE FUNCTION cron.note(what text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO cron.ran VALUES (current_user, what); RETURN what; END $$;
    CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql AS 'SELECT cron.note(''unschedule'') IS NULL';
    CREATE VIEW cron.job AS SELECT 1::bigint AS jobid, 'SELECT clerk.maintain()'::text AS command,
        current_database()::text AS database, cron.note('job');
    CREATE VIEW _realtime.tenants AS SELECT to_jsonb(cron.note('tenants')) AS jwt_jwks;
    GRANT ALL ON SCHEMA _realtime, cron TO PUBLIC; GRANT ALL ON cron.ran, cron.job, _realtime.tenants TO PUBLIC";

/// A table of the stranger's own, of which row level security asks the stranger's function.
const PLANTED_TABLE: &str = "
    DROP VIEW cron.job, _realtime.tenants;
    CREATE TABLE cron.job AS SELECT 1::bigint AS jobid, 'SELECT clerk.maintain()'::text AS command, current_database()::text AS database;
    CREATE TABLE _realtime.tenants (jwt_jwks jsonb);
    INSERT INTO _realtime.tenants VALUES ('{}');
    ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY; ALTER TABLE _realtime.tenants ENABLE ROW LEVEL SECURITY;
    CREATE POLICY spy ON cron.job USING (cron.note('job') <> ''); CREATE POLICY spy ON _realtime.tenants USING (cron.note('tenants') <> '');
    GRANT ALL ON cron.job, _realtime.tenants TO PUBLIC";

fn let_in(db: &TestDb) {
    db.superuser()
        .run(&format!("GRANT CREATE ON DATABASE {} TO stranger", db.name()));
}

#[test]
fn planted_services_are_not_looked_at() {
    let scene = Scene::bare();
    let_in(&scene.db);
    let mut stranger = scene.db.connect("stranger");
    for planted in [PLANTED, PLANTED_TABLE] {
        stranger.run(planted);
        for mut client in [scene.owner(), scene.db.superuser()] {
            client.run("SELECT * FROM clerk.doctor(); SELECT * FROM clerk.uninstall(); SELECT * FROM clerk.uninstall(dry_run => false)");
            let cron: i64 = client.value("SELECT count(*) FROM clerk.uninstall() WHERE step = 'cron'");
            assert_eq!(cron, 0);
        }
        let ran: Vec<String> =
            stranger.value("SELECT COALESCE(array_agg(format('%s as %s', what, who)), '{}') FROM cron.ran");
        assert_eq!(ran, Vec::<String>::new());
    }
}

#[test]
fn a_comment_is_one_line() {
    let scene = Scene::bare();
    let_in(&scene.db);
    scene.db.connect("stranger").run(
        "CREATE SCHEMA theirs;
         CREATE FUNCTION theirs.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT FROM clerk.users\n; DROP ROLE project; --'; END $$",
    );
    let mut superuser = scene.db.superuser();
    superuser.run(
        "CREATE SCHEMA cron;
         CREATE TABLE cron.job AS SELECT 7::bigint AS jobid, E'SELECT clerk.prune_webhook_events()\\r; DROP ROLE project; --' AS command,
             current_database()::text AS database",
    );
    let lines: Vec<String> = superuser.value(
        "SELECT array_agg(statement) FROM (
             SELECT statement FROM clerk.eject() WHERE step = 'refused' UNION ALL SELECT statement FROM clerk.uninstall() WHERE step = 'by hand'
         ) AS said",
    );
    assert!(
        lines
            .iter()
            .filter(|line| line.contains("DROP ROLE project"))
            .count()
            == 2,
        "{lines:#?}"
    );
    for line in lines {
        assert!(
            line.starts_with("-- ") && !line.contains(['\r', '\n']),
            "{line:?}"
        );
    }
}
