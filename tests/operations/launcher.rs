//! With the library preloaded, the launcher sees to rounds of maintenance, whatever happens around it.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_sim::{Fault, Rotation, Simulator};
use clerk_tests::Sql;
use postgres::NoTls;

use crate::scene::{
    apply, break_users, configure_without_keys, events, last_round, launcher, maintain, preloaded, reload,
    starts, token_of, verified, wait_for_first_round, wait_for_round, wait_until,
};

/// Several times the interval of the servers here.
const A_WHILE: Duration = Duration::from_millis(3_500);

#[test]
fn a_rotated_key_is_live_with_nobody_connected() {
    let cluster = preloaded(&[]);
    let clerk = Simulator::start();
    let db = cluster.create_database();
    db.configure(&clerk);
    let old = token_of(&clerk, "user_old");
    assert_eq!(verified(&mut db.superuser(), &old), Ok("user_old".to_owned()));

    let started = Instant::now();
    let requests = clerk.jwks_requests();
    clerk.rotate(Rotation::New);
    // The next fetch but one begins when the keys of the next one are stored.
    wait_until("the keys were fetched twice", || {
        clerk.jwks_requests() >= requests + 2
    });
    println!("two rounds took {:?}, one every second", started.elapsed());
    // From now on no session can get keys for itself.
    clerk.fault(Fault::Down);
    let mut session = db.superuser();
    let new = token_of(&clerk, "user_new");
    assert_eq!(verified(&mut session, &new), Ok("user_new".to_owned()));
    assert_eq!(verified(&mut session, &old), Err("jwk-kid-mismatch".to_owned()));
}

#[test]
fn a_database_without_the_extension_is_looked_into_once_until_somebody_configures_it() {
    let cluster = preloaded(&[]);
    wait_until("the launcher has looked", || {
        starts(&cluster, "look for the extension") > 0
    });
    sleep(A_WHILE);
    // The only database that is no template.
    assert_eq!(starts(&cluster, "look for the extension"), 1, "{}", cluster.log());
    assert_eq!(starts(&cluster, "maintain"), 0);

    let mut owner = cluster.superuser();
    owner.run("CREATE EXTENSION clerk_sync");
    owner.run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '')");
    wait_for_round(&mut owner);
}

#[test]
fn tables_of_our_names_without_the_extension_are_nothing_to_us() {
    let cluster = preloaded(&[("clerk.maintain_interval", "0")]);
    cluster.superuser().run(
        "CREATE SCHEMA clerk; CREATE TABLE clerk.instances (issuer text);
         CREATE TABLE clerk.maintenance_rounds (id bigint GENERATED ALWAYS AS IDENTITY, caller text)",
    );
    reload(&cluster, &[("clerk.maintain_interval", "1s")]);
    sleep(A_WHILE);
    assert_eq!(starts(&cluster, "look for the extension"), 1);
    assert_eq!(starts(&cluster, "maintain"), 0);
}

/// Before 17 a worker cannot connect as such a role.
#[test]
fn an_owner_who_may_not_log_in_is_served_or_named_once() {
    let cluster = preloaded(&[]);
    let mut superuser = cluster.superuser();
    superuser.run("CREATE ROLE keeper NOLOGIN; GRANT CREATE ON DATABASE postgres TO keeper; SET ROLE keeper");
    superuser.run("CREATE EXTENSION clerk_sync");
    superuser.run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => ''); RESET ROLE");
    if superuser.value::<bool>("SELECT current_setting('server_version_num')::int >= 170000") {
        wait_for_round(&mut superuser);
        return;
    }
    sleep(A_WHILE);
    assert_eq!(last_round(&mut superuser, "launcher"), 0);
    let said = "the owner of extension clerk_sync may not log in";
    assert_eq!(cluster.log().matches(said).count(), 1);
    superuser.run("ALTER ROLE keeper LOGIN");
    wait_for_round(&mut superuser);
}

#[test]
fn every_database_that_people_use_is_served() {
    let cluster = preloaded(&[]);
    let served = [cluster.create_database(), cluster.create_database()];
    let (template, closed) = (cluster.create_database(), cluster.create_database());
    for db in served.iter().chain([&template, &closed]) {
        configure_without_keys(db);
        wait_for_round(&mut db.superuser());
    }
    let mut superuser = cluster.superuser();
    let mut watcher = template.superuser();
    superuser.run(&format!("ALTER DATABASE {} IS_TEMPLATE true", template.name()));
    let mut inside = closed.superuser();
    superuser.run(&format!(
        "ALTER DATABASE {} ALLOW_CONNECTIONS false",
        closed.name()
    ));
    // A round may have been under way.
    sleep(Duration::from_secs(2));
    let before = [
        last_round(&mut watcher, "launcher"),
        last_round(&mut inside, "launcher"),
    ];
    for db in &served {
        let mut session = db.superuser();
        wait_for_round(&mut session);
        wait_for_round(&mut session);
    }
    let after = [
        last_round(&mut watcher, "launcher"),
        last_round(&mut inside, "launcher"),
    ];
    assert_eq!(before, after);
}

#[test]
fn a_round_runs_as_the_extensions_owner_and_can_be_seen() {
    let cluster = preloaded(&[]);
    let mut superuser = cluster.superuser();
    superuser.run("CREATE ROLE keeper LOGIN");
    superuser.run("CREATE DATABASE kept OWNER keeper");
    let mut keeper = cluster.connect_to("kept", "keeper");
    keeper.run("CREATE EXTENSION clerk_sync");
    // A trigger of the owner's runs in the round.
    keeper.run(
        "CREATE TABLE public.seen (session_role text, active_role text, application_name text, backend_type text);
         CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.seen SELECT session_user, current_user, a.application_name, a.backend_type
             FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid();
             RETURN NULL;
         END $$;
         CREATE TRIGGER see AFTER UPDATE ON clerk.maintenance_rounds FOR EACH ROW EXECUTE FUNCTION public.see();
         SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '')",
    );
    wait_for_round(&mut keeper);
    let row = keeper
        .query_one(
            "SELECT DISTINCT session_role, active_role, application_name, backend_type FROM public.seen",
            &[],
        )
        .expect("every round was the same");
    let seen: [String; 4] = std::array::from_fn(|column| row.get(column));
    assert_eq!(
        seen,
        ["keeper", "keeper", "clerk_sync: maintain", "clerk_sync worker"]
    );

    let launcher = "SELECT application_name || ', ' || backend_type FROM pg_stat_activity
         WHERE backend_type = 'clerk_sync launcher' AND datid IS NULL";
    assert_eq!(
        superuser.value::<String>(launcher),
        "clerk_sync: launcher, clerk_sync launcher"
    );
}

#[test]
fn two_rounds_never_run_at_once() {
    let cluster = preloaded(&[]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut session = db.superuser();
    wait_for_round(&mut session);

    // The launcher's round may be under way just now.
    let mut transaction = None;
    let mut holder = db.superuser();
    wait_until("our round has begun", || {
        holder.run("BEGIN");
        if maintain(&mut holder)["skipped"].is_null() {
            transaction = Some(());
            return true;
        }
        holder.run("ROLLBACK");
        false
    });
    assert_eq!(maintain(&mut session)["skipped"], "another round is running");
    let (tried, done) = (starts(&cluster, "maintain"), last_round(&mut session, "launcher"));
    wait_until("the launcher tried", || starts(&cluster, "maintain") >= tried + 3);
    assert_eq!(last_round(&mut session, "launcher"), done);

    holder.run("COMMIT");
    wait_for_round(&mut session);
}

#[test]
fn a_dropped_extension_and_a_dropped_database_stop_nothing_else() {
    let cluster = preloaded(&[]);
    let (first, second) = (cluster.create_database(), cluster.create_database());
    configure_without_keys(&first);
    configure_without_keys(&second);
    let mut session = first.superuser();
    wait_for_round(&mut session);
    wait_for_round(&mut second.superuser());

    for _ in 0..3 {
        session.run("DROP EXTENSION clerk_sync");
        wait_for_round(&mut second.superuser());
        session.run("CREATE EXTENSION clerk_sync");
        configure_without_keys(&first);
        wait_for_round(&mut session);
    }
    drop(session);
    let name = first.name().to_owned();
    cluster.superuser().run(&format!("DROP DATABASE {name}"));
    wait_for_round(&mut second.superuser());
    wait_for_round(&mut second.superuser());
    assert!(launcher(&mut second.superuser()).is_some());
    cluster.assert_no_crash();
    let complaint = cluster.log();
    let complaint = complaint
        .lines()
        .find(|line| line.contains("PANIC") || line.contains("clerk_sync launcher\" (PID"));
    assert_eq!(complaint, None, "the launcher has never ended");
}

#[test]
fn the_launcher_comes_back() {
    let cluster = preloaded(&[("synchronous_commit", "on")]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut session = db.superuser();
    wait_for_round(&mut session);

    let first = launcher(&mut session).expect("there is a launcher");
    session.run(&format!("SELECT pg_terminate_backend({first})"));
    wait_until("another launcher is there", || {
        launcher(&mut session).is_some_and(|pid| pid != first)
    });
    wait_for_round(&mut session);
    cluster.assert_no_crash();

    let second = launcher(&mut session).expect("there is a launcher");
    let killed = Command::new("kill").arg("-9").arg(second.to_string()).status();
    assert!(killed.expect("kill can be run").success());
    // The server takes that for a crash, ends every session and recovers.
    wait_until("the server is back", || {
        let session = cluster.session(db.name(), "postgres").connect(NoTls);
        session.is_ok_and(|mut session| {
            session.simple_query("SELECT 1").is_ok() && launcher(&mut session) != Some(second)
        })
    });
    wait_for_round(&mut db.superuser());
    // It would look for a crash, and there was one.
    std::mem::forget(db);
}

#[test]
fn rounds_that_hang_leave_the_others_theirs() {
    let cluster = preloaded(&[("clerk.maintain_timeout", "2s")]);
    let hanging: Vec<_> = (0..3).map(|_| cluster.create_database()).collect();
    for db in &hanging {
        db.superuser().run(
            "CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1000); RETURN new; END';
             CREATE TRIGGER hang BEFORE INSERT ON clerk.maintenance_rounds FOR EACH ROW EXECUTE FUNCTION public.hang()",
        );
        configure_without_keys(db);
    }
    let mut superuser = cluster.superuser();
    wait_until("all that may be at once hang", || {
        superuser.value::<i64>("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clerk_sync: maintain' AND wait_event = 'PgSleep'") == 3
    });
    let db = cluster.create_database();
    configure_without_keys(&db);
    wait_for_first_round(&mut db.superuser());
    wait_for_round(&mut db.superuser());
    assert!(cluster.log().contains("took longer than 2 s and is ended"));
    cluster.assert_no_crash();
}

#[test]
fn an_interval_of_zero_turns_it_off() {
    let cluster = preloaded(&[("clerk.maintain_interval", "0")]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut session = db.superuser();
    assert!(launcher(&mut session).is_some());
    sleep(A_WHILE);
    assert_eq!(last_round(&mut session, "launcher"), 0);

    reload(&cluster, &[("clerk.maintain_interval", "1s")]);
    wait_for_round(&mut session);
    wait_for_round(&mut session);

    reload(&cluster, &[("clerk.maintain_interval", "0")]);
    sleep(Duration::from_secs(2));
    let before = last_round(&mut session, "launcher");
    sleep(A_WHILE);
    assert_eq!(last_round(&mut session, "launcher"), before);
}

#[test]
fn that_no_worker_can_be_had_is_said_once() {
    // The server's own launcher of logical replication and ours.
    let cluster = preloaded(&[("max_worker_processes", "2")]);
    wait_until("there is a launcher", || {
        launcher(&mut cluster.superuser()).is_some()
    });
    sleep(A_WHILE);
    let said = "no background worker is free for clerk_sync's maintenance";
    assert_eq!(cluster.log().matches(said).count(), 1);
}

#[test]
fn a_standby_does_nothing_until_it_is_promoted() {
    let primary = preloaded(&[("synchronous_commit", "on")]);
    let db = primary.create_database();
    configure_without_keys(&db);
    db.superuser()
        .run("SELECT clerk.set_secret_key('sk_live_abcdefghijklmnopqrstuvwxyz0123456789ABCD')");
    wait_for_round(&mut db.superuser());
    let standby = primary.standby();
    let mut session = standby.connect_to(db.name(), "postgres");
    wait_until("the standby has what the primary had", || {
        last_round(&mut session, "launcher") > 0
    });
    sleep(A_WHILE);
    assert_eq!(launcher(&mut session), None);
    assert_eq!(starts(&standby, "maintain"), 0);
    assert_eq!(session.failure("SELECT clerk.maintain()").sqlstate, "25006");
    // Its worker would start with the promotion only.
    assert_eq!(
        session.failure("SELECT clerk.webhook_portal_url()").sqlstate,
        "25006"
    );

    assert!(session.value::<bool>("SELECT pg_promote()"));
    wait_for_round(&mut session);
    assert!(launcher(&mut session).is_some());
    standby.assert_no_crash();
}

#[test]
fn a_failed_delivery_does_not_wait_for_the_interval() {
    let cluster = preloaded(&[("clerk.maintain_interval", "1h")]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut owner = db.superuser();
    wait_for_first_round(&mut owner);
    break_users(&mut owner, true);
    assert_eq!(apply(&mut owner, "user_ada"), "failed");
    // The first retry, after some five seconds, fails too; the second is some ten seconds later.
    wait_until("it was tried again", || {
        owner.value::<bool>("SELECT attempts = 2 FROM clerk.webhook_events")
    });
    break_users(&mut owner, false);
    wait_until("it was applied", || events(&mut owner, "applied") == 1);
}
