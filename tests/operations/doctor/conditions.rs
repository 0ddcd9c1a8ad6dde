//! Breakages that need more than SQL to make or to mend.

use clerk_tests::{Cluster, Sql};

use super::project::{Finding, OWNER, Project, assert_healthy, complaint, findings};

#[test]
fn nothing_is_configured_after_installing() {
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let found = findings(&mut db.superuser(), false);
    let configured = found
        .iter()
        .find(|one| one.check == "configured")
        .expect("it is checked");
    assert_eq!(configured.status, "failed");
    assert!(
        configured
            .mend
            .as_deref()
            .is_some_and(|mend| mend.contains("clerk.configure(publishable_key"))
    );
}

#[test]
fn times_and_spans_are_told_in_units_that_fit() {
    let project = Project::start();
    let mut owner = project.owner();
    for (call, told) in [
        ("clerk.span(0)", "0 s"),
        ("clerk.span(119.9)", "119 s"),
        ("clerk.span(120)", "2 min"),
        ("clerk.span(7199)", "119 min"),
        ("clerk.span(7200)", "2 h"),
        ("clerk.span(172800)", "2 days"),
        ("clerk.when_and_age(NULL)", "never"),
        ("clerk.when_and_age('-infinity')", "never"),
        (
            "right(clerk.when_and_age(now() - interval '3 hours 10 minutes'), 14)",
            " UTC (3 h ago)",
        ),
        (
            "right(clerk.when_and_age(now() + interval '3 hours 10 minutes'), 13)",
            " UTC (in 3 h)",
        ),
        (
            "right(clerk.when_and_age(now() + interval '50 days 10 minutes'), 17)",
            " UTC (in 50 days)",
        ),
    ] {
        assert_eq!(owner.value::<String>(&format!("SELECT {call}")), told, "{call}");
    }
    let reconcile = project
        .doctor()
        .into_iter()
        .find(|one| one.check == "last reconcile");
    assert!(reconcile.is_some_and(|one| one.expected.starts_with("within 3 h, 3 times reconcile_every")));
}

#[test]
fn without_a_free_slot_for_workers_it_says_how_many_to_have() {
    // The launcher of logical replication takes the only one.
    let mut project = Project::start_with(&[("max_worker_processes", "16")]);
    assert_healthy(&project);
    project.cluster.configure(&[("max_worker_processes", "1")]);
    project.restart();
    let finding = complaint(&project, "workers", "free slots");
    assert_eq!(
        (finding.status.as_str(), finding.found.as_str()),
        ("failed", "1 of 1 slots for background workers are taken")
    );
    finding.mend(&project);
    project.restart();
    assert_healthy(&project);
}

#[test]
fn what_the_owner_may_not_see_is_a_note_that_says_whom_to_ask() {
    let project = Project::start();
    project.superuser().run(&format!(
        "REVOKE pg_monitor FROM {OWNER}; ALTER ROLE authenticator RESET session_preload_libraries"
    ));
    let notes: Vec<_> = project
        .doctor()
        .into_iter()
        .filter(|finding| finding.found.contains("not to be seen"))
        .collect();
    let checks: Vec<_> = notes
        .iter()
        .map(|note| (note.check.as_str(), note.status.as_str()))
        .collect();
    assert_eq!(checks, [("preloaded", "note"), ("free slots", "note")]);
    notes[0].mend(&project);
    complaint(&project, "library", "preloaded").mend(&project);
    assert_healthy(&project);
    assert!(
        !project
            .doctor()
            .iter()
            .any(|finding| finding.found.contains("not to be seen"))
    );
    // And it is true.
    let defined: bool = project
        .connect("authenticator")
        .value("SELECT EXISTS (SELECT FROM pg_settings WHERE name = 'clerk.http_timeout')");
    assert!(defined);
}

#[test]
fn a_missing_library_fails_what_needs_it_and_nothing_else() {
    let project = Project::start();
    let mut owner = project.owner();
    // What a session finds whose library has gone.
    project.superuser().run(
        "CREATE OR REPLACE FUNCTION clerk.library_version() RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
         AS $$ BEGIN RAISE 'could not access file \"clerk_sync\": No such file or directory' USING ERRCODE = '58P01'; END $$",
    );
    let found = findings(&mut owner, false);
    let failed: Vec<_> = found.iter().filter(|one| one.is_bad()).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(
        (failed[0].check.as_str(), failed[0].status.as_str()),
        ("loads", "failed")
    );
    assert!(failed[0].found.contains("could not access file"));
}

#[test]
fn sql_of_another_version_than_the_library_is_named() {
    let project = Project::start();
    project
        .superuser()
        .run("UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'clerk_sync'");
    let finding = complaint(&project, "library", "versions");
    assert_eq!(finding.status, "failed");
    assert!(finding.found.starts_with("SQL 0.0.1, library "), "{finding:?}");
    assert_eq!(
        finding.mend.as_deref(),
        Some("ALTER EXTENSION clerk_sync UPDATE;")
    );
    assert_eq!(finding.mend_as, Some(format!("SQL as {OWNER}")));
}

#[test]
fn before_postgresql_17_the_owner_must_be_able_to_log_in() {
    let project = Project::start();
    let mut superuser = project.superuser();
    superuser.run(&format!("ALTER ROLE {OWNER} NOLOGIN"));
    let found = findings(&mut superuser, false);
    let login = found
        .iter()
        .find(|one| one.check == "worker login")
        .expect("it is checked");
    if superuser.value::<i32>("SELECT current_setting('server_version_num')::int / 10000") >= 17 {
        assert_eq!(login.status, "ok");
    } else {
        assert_eq!(login.status, "failed");
        login.mend(&project);
        assert_healthy(&project);
    }
}

#[test]
fn a_check_that_cannot_be_made_fails_alone() {
    let project = Project::start();
    let mut superuser = project.superuser();
    let mut holder = superuser.transaction().expect("it begins");
    holder.run("LOCK TABLE clerk.handler_runs IN ACCESS EXCLUSIVE MODE");
    let complaints = project.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert_eq!(
        (complaints[0].area.as_str(), complaints[0].status.as_str()),
        ("webhooks", "failed")
    );
    assert!(complaints[0].found.starts_with("55P03: "), "{complaints:?}");
    holder.rollback().expect("it ends");
    complaints[0].mend(&project);
    assert_healthy(&project);
}

#[test]
fn a_standby_can_be_asked_and_nothing_is_written() {
    let project = Project::start();
    let standby = project.cluster.standby();
    let mut session = standby.connect_to("project", OWNER);
    let bad: Vec<_> = findings(&mut session, false)
        .into_iter()
        .filter(Finding::is_bad)
        .collect();
    assert_eq!(bad, []);
    let mut owner = project.owner();
    owner.run("SET default_transaction_read_only = on");
    assert_eq!(
        findings(&mut owner, false)
            .iter()
            .filter(|one| one.is_bad())
            .count(),
        0
    );
    standby.assert_no_crash();
}

#[test]
fn where_nothing_keeps_things_going_it_says_how_to_have_it() {
    let project = Project::start();
    project
        .superuser()
        .run("UPDATE clerk.maintenance_rounds SET finished_at = now() - interval '11 minutes' WHERE true");
    let finding = complaint(&project, "maintenance", "rounds");
    assert_eq!(finding.status, "failed");
    assert!(
        finding
            .mend
            .is_some_and(|mend| mend.contains("shared_preload_libraries"))
    );
    // With pg_cron there is a line to run; here a stand-in that runs nothing.
    project.superuser().run(
        "CREATE SCHEMA cron;
         CREATE TABLE cron.job (jobid bigserial, schedule text, command text, database text DEFAULT current_database(),
             username text DEFAULT current_user, active boolean DEFAULT true, jobname text UNIQUE);
         CREATE TABLE cron.job_run_details (jobid bigint, runid bigserial, status text, return_message text,
             start_time timestamptz DEFAULT now(), end_time timestamptz);
         CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql AS
             'INSERT INTO cron.job (jobname, schedule, command) VALUES ($1, $2, $3)
              ON CONFLICT (jobname) DO UPDATE SET schedule = excluded.schedule RETURNING jobid';
         CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void LANGUAGE sql AS
             'UPDATE cron.job AS j SET schedule = COALESCE($2, j.schedule), active = COALESCE($3, j.active) WHERE jobid = $1';
         GRANT USAGE ON SCHEMA cron TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA cron TO PUBLIC;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA cron TO PUBLIC",
    );
    complaint(&project, "maintenance", "rounds").mend(&project);
    // What keeps a scheduled job from running is told, and not to schedule it again.
    for (change, found, mend, mend_as) in [
        (
            "",
            "job 1 of pg_cron has not run yet",
            "Wait for the next full minute",
            "the server's configuration",
        ),
        (
            "INSERT INTO cron.job_run_details (jobid, status, return_message) VALUES (1, 'failed', 'connection failed')",
            "job 1 of pg_cron, as role project, failed",
            "Set cron.use_background_workers = on",
            "the server's configuration",
        ),
        (
            "INSERT INTO cron.job_run_details (jobid, status, return_message)
             VALUES (1, 'failed', E'ERROR:  permission denied for function maintain\n')",
            "ERROR:  permission denied for function maintain",
            "SELECT clerk.maintain();",
            "SQL as project",
        ),
        (
            "UPDATE cron.job SET schedule = '0 * * * *';
             INSERT INTO cron.job_run_details (jobid, status, end_time) VALUES (1, 'succeeded', now() - interval '11 minutes')",
            "job 1 of pg_cron runs at 0 * * * *, last ",
            "SELECT cron.alter_job(1, schedule => '* * * * *');",
            "SQL as project",
        ),
        (
            "UPDATE cron.job SET active = false",
            "job 1 of pg_cron is not active",
            "SELECT cron.alter_job(1, active => true);",
            "SQL as project",
        ),
    ] {
        project.superuser().run(change);
        let finding = complaint(&project, "maintenance", "rounds");
        assert!(finding.found.contains(found), "{finding:?}");
        assert!(
            finding.mend.as_deref().is_some_and(|told| told.starts_with(mend)),
            "{finding:?}"
        );
        assert_eq!(finding.mend_as.as_deref(), Some(mend_as), "{finding:?}");
    }
    complaint(&project, "maintenance", "rounds").mend(&project);
    complaint(&project, "maintenance", "rounds").mend(&project);
    let command: String = project
        .superuser()
        .value("SELECT command FROM cron.job WHERE schedule = '* * * * *' AND active");
    project.owner().run(&command);
    project.settle();
    assert_healthy(&project);
}

/// Its content is to be kept, so the mend is a step; it is also why a dump cannot be restored.
#[test]
fn a_column_that_was_added_is_named() {
    let project = Project::start();
    let mut owner = project.owner();
    owner.run("ALTER TABLE clerk.users ADD COLUMN \"Note\" text; CREATE VIEW clerk.more AS SELECT 1 AS one");
    let found = complaint(&project, "schema", "nothing added to its tables");
    assert_eq!(found.found, "column \"Note\" of clerk.users");
    let mend = found.mend.expect("it can be mended");
    assert!(
        mend.contains("a table of your own")
            && mend.ends_with("ALTER TABLE clerk.users DROP COLUMN \"Note\";"),
        "{mend}"
    );
    owner.run("ALTER TABLE clerk.users DROP COLUMN \"Note\"; DROP VIEW clerk.more");
    assert_healthy(&project);
}
