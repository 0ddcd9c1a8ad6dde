//! Breakages that need more than SQL to make or to mend.

use clerk_tests::{Cluster, Sql};

use super::project::{Finding, OWNER, Project, findings};

/// The first finding of this check that needs mending.
fn complaint(project: &Project, area: &str, check: &str) -> Finding {
    let complaints = project.complaints();
    let found = complaints
        .iter()
        .find(|finding| (finding.area.as_str(), finding.check.as_str()) == (area, check));
    found
        .cloned()
        .unwrap_or_else(|| panic!("no complaint of {area}: {check} in {complaints:#?}"))
}

fn assert_healthy(project: &Project) {
    assert_eq!(project.complaints(), []);
}

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

/// A request as PostgREST makes it, in a session of its own. No policy and no helper is asked.
fn request(project: &Project, role: &str, issuer: &str) {
    let mut pooled = project.connect("authenticator");
    let mut transaction = pooled
        .build_transaction()
        .read_only(true)
        .start()
        .expect("it begins");
    let claims = format!(r#"{{"iss":"{issuer}","role":"{role}","sid":"sess_1","sub":"user_ada"}}"#);
    transaction
        .execute(
            "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
            &[&role, &claims],
        )
        .expect("they can be set");
    transaction.run("SELECT 1");
    transaction.commit().expect("it commits");
}

#[test]
fn a_token_without_a_role_claim_is_noticed() {
    let project = Project::start();
    let mut superuser = project.superuser();
    request(&project, "authenticated", project.clerk.issuer());
    request(&project, "anon", "https://gotrue.example");
    // A worker writes, a moment later: the one that is to be noticed comes last.
    request(&project, "anon", project.clerk.issuer());
    let noticed = (0..3000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        superuser.value::<bool>(
            "SELECT EXISTS (SELECT FROM clerk.token_problems) AND NOT EXISTS (
                 SELECT FROM pg_stat_activity WHERE application_name = 'clerk_sync: note problems of tokens')",
        )
    });
    assert!(noticed);
    let noted: Vec<String> =
        superuser.value("SELECT array_agg(concat_ws(' ', issuer, reason, seen)) FROM clerk.token_problems");
    assert_eq!(
        noted,
        [format!("{} role-claim-missing 1", project.clerk.issuer())]
    );
    let finding = complaint(&project, "tokens", "role claim");
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    assert!(finding.found.contains(project.clerk.issuer()), "{finding:?}");
    superuser.run("UPDATE clerk.token_problems SET last_seen_at = now() - interval '61 minutes' WHERE true");
    assert_healthy(&project);
    project.cluster.assert_no_crash();
}

/// Storage passes the claims as the token has them, so what it runs as is told by the session alone.
#[test]
fn a_token_without_a_role_claim_is_noticed_in_what_storage_passes_too() {
    let project = Project::start();
    let claims = format!(
        r#"{{"azp":"https://app.example","iss":"{}","metadata":{{"role":"admin"}},"sid":"sess_1","sub":"user_ada","v":2}}"#,
        project.clerk.issuer()
    );
    // As somebody who is signed in they are nothing to complain of: that is an application's own doing.
    for (role, is_noticed) in [("authenticated", false), ("anon", true)] {
        let mut storage = project.connect("authenticator");
        let mut request = storage.transaction().expect("it begins");
        request
            .execute(
                "SELECT set_config('role', $1, true), set_config('request.jwt', 'the token', true), set_config('request.jwt.claims', $2, true)",
                &[&role, &claims],
            )
            .expect("they can be set");
        request.run("SELECT 1");
        request.commit().expect("it commits");
        let is_told = || {
            project
                .complaints()
                .iter()
                .any(|finding| finding.check == "role claim")
        };
        let noticed = is_noticed
            && (0..300).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                is_told()
            });
        assert_eq!(noticed || is_told(), is_noticed, "{role}");
    }
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
fn deliveries_of_another_instance_alone_are_noticed() {
    let project = Project::start();
    let mut owner = project.owner();
    let mut deliver = |svix_id: &str| {
        owner.run(&format!(
            "SELECT clerk.apply_event(jsonb_build_object('type', 'user.created', 'object', 'event', 'instance_id', 'ins_live',
                 'timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000), 'data', jsonb_build_object('id', 'user_1', 'object', 'user')), '{svix_id}')"
        ));
    };
    // The dashboard's examples name another instance too.
    deliver("msg_foreign1");
    deliver("msg_foreign2");
    assert_healthy(&project);
    deliver("msg_foreign3");
    let finding = complaint(&project, "webhooks", "own instance");
    assert_eq!(finding.status, "warning");
    assert!(
        finding.found.contains("ins_live") && finding.found.contains("ins_sim"),
        "{finding:?}"
    );
    assert!(finding.mend.is_some_and(|mend| mend.ends_with(&format!(
        "SELECT * FROM clerk.configure(issuer => '{}', instance_id => 'ins_live');",
        project.clerk.issuer()
    ))));
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    let foreign: i64 = project
        .connect(super::project::ADMINISTRATOR)
        .value("SELECT foreign_deliveries FROM clerk.status");
    assert_eq!(foreign, 3);
    // The id was wrong, and is made right.
    let mut superuser = project.superuser();
    superuser.run("UPDATE clerk.instances SET instance_id = 'ins_live' WHERE true");
    assert_healthy(&project);
    superuser.run("UPDATE clerk.instances SET instance_id = 'ins_sim' WHERE true");
    assert_ne!(project.complaints(), []);
    project.deliver("msg_own");
    assert_healthy(&project);
}

#[test]
fn a_postgrest_that_was_started_after_it_was_told_is_noticed() {
    let mut project = Project::start();
    project.listen();
    let finding = complaint(&project, "postgrest", "told");
    assert!(finding.found.contains("began to listen"), "{finding:?}");
    finding.mend(&project);
    assert_healthy(&project);
    // So does a round of maintenance.
    project.listen();
    assert_ne!(project.complaints(), []);
    project.owner().run("SELECT clerk.maintain()");
    assert_healthy(&project);
}

#[test]
fn a_postgrest_that_does_not_listen_is_noticed() {
    let mut project = Project::start();
    project.stop_listening();
    let finding = complaint(&project, "postgrest", "listens");
    assert!(
        finding
            .mend
            .is_some_and(|mend| mend.contains("PGRST_DB_PRE_CONFIG") && mend.contains("SIGUSR2"))
    );
    // Where that cannot be seen it is not claimed, but said.
    project
        .superuser()
        .run("ALTER ROLE authenticator SET track_activities = off");
    project.listen();
    assert_healthy(&project);
    let notes = project.doctor();
    let note = notes.iter().find(|finding| finding.check == "listens");
    assert!(note.is_some_and(|note| note.status == "note" && note.found.contains("track_activities")));
}

#[test]
fn a_secret_that_never_verified_anything_is_suspicious() {
    let project = Project::start();
    project.superuser().run(
        "DELETE FROM clerk.secret_uses WHERE true; UPDATE clerk.secrets SET created_at = now() - interval '2 hours' WHERE true",
    );
    let finding = complaint(&project, "webhooks", "used");
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    // The step in the dashboard: an example is sent.
    assert_eq!(project.deliver("msg_example")["status"], "applied");
    assert_healthy(&project);
}

#[test]
fn a_clock_that_is_behind_shows_in_the_deliveries() {
    let project = Project::start();
    for number in 0..5 {
        project.deliver(&format!("msg_clock{number}"));
    }
    assert_healthy(&project);
    // Clerk's clock is the right one, so the events come from the future.
    project
        .superuser()
        .run("UPDATE clerk.webhook_events SET event_at = received_at + interval '40 seconds' WHERE true");
    let finding = complaint(&project, "webhooks", "clock");
    assert!(
        finding.found.contains("came 40 s before it happened"),
        "{finding:?}"
    );
    assert!(finding.mend.is_some_and(|mend| mend.contains("ntp")));
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

#[test]
fn an_endpoint_that_looks_disabled_shows_in_what_reconciles_find() {
    let project = Project::start();
    project.superuser().run(
        "UPDATE clerk.secret_uses SET last_used_at = now() - interval '3 hours' WHERE kind = 'webhook_signing';
         UPDATE clerk.sync_steps SET changed = 100, inserted = 4, missing = 3, repaired = 107 WHERE resource = 'users' AND run_id = (SELECT max(id) FROM clerk.sync_runs WHERE kind = 'reconcile')",
    );
    let finding = complaint(&project, "sync", "endpoint");
    assert!(
        finding
            .found
            .contains("looks disabled: reconciles found 7 rows that came or went"),
        "{finding:?}"
    );
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    // The step in the dashboard.
    project.deliver("msg_enabled_again");
    assert_healthy(&project);
}

#[test]
fn realtime_has_to_have_the_keys_too() {
    let project = Project::start();
    project.superuser().run(
        "CREATE SCHEMA _realtime;
         CREATE TABLE _realtime.tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), external_id text, jwt_secret text, jwt_jwks jsonb);
         INSERT INTO _realtime.tenants (external_id) VALUES ('realtime-dev')"
    );
    let finding = complaint(&project, "realtime", "keys");
    assert_eq!(
        (finding.status.as_str(), finding.found.as_str()),
        ("warning", "not kept up to date")
    );
    finding.mend(&project);
    assert_healthy(&project);
    // Realtime started anew. Whether the owner can see that is for the superuser to say.
    project
        .superuser()
        .run("UPDATE _realtime.tenants SET jwt_jwks = NULL WHERE true");
    assert_healthy(&project);
    project.superuser().run(&format!(
        "GRANT USAGE ON SCHEMA _realtime TO {OWNER}; GRANT SELECT ON _realtime.tenants TO {OWNER}"
    ));
    let finding = complaint(&project, "realtime", "keys");
    assert!(
        finding.found.starts_with("1 tenants lack Clerk's keys"),
        "{finding:?}"
    );
    finding.mend(&project);
    assert_healthy(&project);
}

#[test]
fn services_get_their_exact_lines() {
    let project = Project::start();
    let notes: Vec<_> = project
        .doctor()
        .into_iter()
        .filter(|finding| finding.area == "services")
        .collect();
    let storage = notes
        .iter()
        .find(|note| note.found.starts_with("Storage "))
        .expect("Storage is named");
    assert_eq!(storage.status, "note");
    let line = storage.mend.as_deref().expect("a line");
    assert!(
        line.starts_with("JWT_JWKS='{\"keys\": [") && line.contains("ins_sim"),
        "{line}"
    );
    assert!(
        storage
            .mend_as
            .as_deref()
            .is_some_and(|place| place.starts_with("Storage, "))
    );
    // PostgREST has its keys from the database.
    assert!(
        !notes.iter().any(|note| note.found.starts_with("PostgREST ")),
        "{notes:#?}"
    );
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
