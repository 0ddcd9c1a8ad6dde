//! One change after the other, each in a database of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clerk_tests::Sql;
use postgres::Client;

use crate::calls::{self, Part};
use crate::changes::{self, Change};
use crate::scene::{OWNER, Scene};
use crate::watch::Watch;

const DATABASE: &str = "victim";

/// How long a sample is tried.
const SAMPLE: Duration = Duration::from_secs(200);

/// After each so many changes the launcher has a round in the changed database.
const ROUND_EVERY: usize = 20;

/// How long the launcher may take to come, and its round to end.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Tally {
    made: usize,
    refused: usize,
    calls: usize,
    rounds: usize,
    faults: Vec<String>,
}

#[test]
fn no_change_of_the_owner_s_crashes_anything() {
    let chosen = std::env::var("CLERK_SYNC_HOSTILE").ok();
    let seed = std::env::var("CLERK_SYNC_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs())
    });
    let scene = Scene::start(&[
        ("shared_preload_libraries", "clerk_sync"),
        ("clerk.maintain_interval", "1h"),
        ("log_error_verbosity", "terse"),
        ("log_min_error_statement", "panic"),
    ]);
    let all = changes::all(&scene, seed);
    let (known, parts) = (all.len(), calls::parts(&scene));
    let wanted: Vec<Change> = match chosen.as_deref() {
        None | Some("all") => all,
        Some(part) => all
            .into_iter()
            .filter(|change| change.name.contains(part))
            .collect(),
    };
    let (start, limit) = (Instant::now(), chosen.is_none().then_some(SAMPLE));
    let mut tally = Tally::default();
    let mut watch = Watch::new(&scene.cluster);
    let mut neighbour = Neighbour::of(&scene);
    for (number, change) in wanted.iter().enumerate() {
        if limit.is_some_and(|limit| start.elapsed() > limit) {
            break;
        }
        let faults = tally.faults.len();
        try_change(&scene, change, &parts, &mut tally);
        if number % ROUND_EVERY == 0 {
            tally.rounds += usize::from(neighbour.wake_launcher());
        }
        tally.faults.extend(watch.faults());
        tally.faults.extend(neighbour.notices());
        if tally.faults.len() > faults {
            let (tried, told) = (number + 1, tally.faults[faults..].join("\n  "));
            eprintln!("{tried}: {}\n  {}\n  {told}", change.name, change.statements);
            if neighbour.session.is_closed() {
                neighbour = Neighbour::of(&scene);
            }
        }
    }
    tally.faults.extend(neighbour.rounds_that_failed());
    println!(
        "Hostile owner: {} of {known} changes made and {} refused, {} calls, {} rounds of the launcher, seed {seed}",
        tally.made, tally.refused, tally.calls, tally.rounds
    );
    assert!(
        tally.made > 10 * tally.refused || chosen.is_some_and(|chosen| chosen != "all"),
        "most changes can be made"
    );
    assert_eq!(tally.faults, Vec::<String>::new(), "seed {seed}");
}

/// Makes the change in a fresh database, and asks there what people ask.
fn try_change(scene: &Scene, change: &Change, parts: &[Part], tally: &mut Tally) {
    scene.restore(DATABASE);
    let mut faults = Vec::new();
    // This session has its caches and plans from before.
    let mut warm = parts[0].open(scene, DATABASE);
    parts[0].ask(&mut warm, None);
    let changed = scene.connect(DATABASE, OWNER).batch_execute(&change.statements);
    match changed {
        Ok(()) => tally.made += 1,
        Err(error) => {
            tally.refused += 1;
            if error
                .as_db_error()
                .is_none_or(|told| told.code().code().starts_with("XX"))
            {
                faults.push(format!("the change itself: {error:?}"));
            } else if std::env::var("CLERK_SYNC_HOSTILE").is_ok() {
                println!(
                    "refused: {}: {}",
                    change.name,
                    error.as_db_error().map_or("", |told| told.message())
                );
            }
        }
    }
    parts[0].ask(&mut warm, Some(change));
    let mut sessions = vec![warm];
    for part in &parts[1..] {
        let mut session = part.open(scene, DATABASE);
        part.ask(&mut session, Some(change));
        sessions.push(session);
    }
    for session in sessions {
        tally.calls += session.calls;
        faults.extend(session.faults);
    }
    tally.faults.extend(faults);
}

/// The database of somebody else on the same server.
struct Neighbour {
    session: Client,
}

impl Neighbour {
    fn of(scene: &Scene) -> Self {
        let mut session = scene.neighbour();
        session
            .execute(
                "SELECT set_config('request.jwt.claims', $1, false)",
                &[&scene.claims("authenticated")],
            )
            .expect("somebody can be signed in");
        Self { session }
    }

    /// A session that is open all the time still knows who asks.
    fn notices(&mut self) -> Option<String> {
        let answer = self.session.query_one("SELECT clerk.current_user_id()", &[]);
        match answer.map(|row| row.get::<_, Option<String>>(0)) {
            Ok(Some(user)) if user == crate::scene::USER => None,
            other => Some(format!("the neighbour noticed: {other:?}")),
        }
    }

    /// Has the launcher look for work everywhere; true if it had a round in the changed database before long.
    fn wake_launcher(&mut self) -> bool {
        let wake = "UPDATE clerk.instances SET updated_at = clock_timestamp()";
        if self.session.batch_execute(wake).is_err() {
            return false;
        }
        let at_work =
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type LIKE 'clerk%')";
        let (deadline, mut came) = (Instant::now() + PATIENCE, false);
        while Instant::now() < deadline {
            match self
                .session
                .query_one(at_work, &[&DATABASE])
                .map(|row| row.get(0))
            {
                Ok(true) => came = true,
                Ok(false) if !came => {}
                _ => break,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        came
    }

    fn rounds_that_failed(&mut self) -> Option<String> {
        let failed: i64 = self
            .session
            .value("SELECT count(*) FROM clerk.maintenance_rounds WHERE error IS NOT NULL");
        (failed > 0).then(|| format!("{failed} of the neighbour's rounds failed"))
    }
}
