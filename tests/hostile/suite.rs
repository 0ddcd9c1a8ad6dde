//! One change after the other, each in a database of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clerk_tests::Sql;
use postgres::Client;

use crate::calls::{self, Calls, Session};
use crate::changes::{self, Change};
use crate::scene::{OWNER, Scene};
use crate::watch::{Watch, is_ordinary};

const DATABASE: &str = "victim";

/// How long a sample is tried.
const SAMPLE: Duration = Duration::from_secs(120);

/// After each so many changes the launcher has a round in the changed database.
const ROUND_EVERY: usize = 20;

/// After each so many the doctor looks.
const DOCTOR_EVERY: usize = 5;

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
    let (known, calls) = (all.len(), calls::all(&scene));
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
        let with_doctor = number % DOCTOR_EVERY == 0 || change.name.contains("doctor");
        try_change(&scene, change, &calls, with_doctor, &mut tally);
        if number % ROUND_EVERY == 0 {
            tally.rounds += usize::from(had_round(&scene));
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

/// Makes the change in a fresh database, and asks there what people ask; the doctor too if `with_doctor`.
fn try_change(scene: &Scene, change: &Change, calls: &Calls, with_doctor: bool, tally: &mut Tally) {
    scene.restore(DATABASE);
    let mut warm = calls.warm.open(scene, DATABASE);
    calls.warm.warm_up(&mut warm);
    match scene.connect(DATABASE, OWNER).batch_execute(&change.statements) {
        Ok(()) => tally.made += 1,
        Err(error) => {
            tally.refused += 1;
            let told = error.as_db_error();
            let (sqlstate, message) = told.map_or(("", ""), |told| (told.code().code(), told.message()));
            if sqlstate.is_empty() || !is_ordinary(sqlstate, message) {
                tally.faults.push(format!("the change itself: {error:?}"));
            }
            println!("refused: {}: {message}", change.name);
        }
    }
    calls.warm.ask(&mut warm, Some(change));
    tally.add(warm);
    let doctor = with_doctor.then_some(&calls.doctor);
    for part in calls.fresh.iter().chain(doctor) {
        let mut session = part.open(scene, DATABASE);
        part.ask(&mut session, Some(change));
        tally.add(session);
    }
}

impl Tally {
    fn add(&mut self, session: Session) {
        self.calls += session.calls;
        self.faults.extend(session.faults);
    }
}

/// Has the launcher come to the changed database; true if it came before long, and its round has ended.
fn had_round(scene: &Scene) -> bool {
    let ring = "UPDATE tools.bell SET rung = rung + 1";
    // What the trigger calls may be gone or another's.
    if scene.connect(DATABASE, OWNER).batch_execute(ring).is_err() {
        return false;
    }
    let mut observer = scene.connect("postgres", "postgres");
    let at_work =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type LIKE 'clerk%')";
    let (deadline, mut came) = (Instant::now() + PATIENCE, false);
    while Instant::now() < deadline {
        match observer.query_one(at_work, &[&DATABASE]).map(|row| row.get(0)) {
            Ok(true) => came = true,
            Ok(false) if !came => {}
            _ => break,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    came
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

    fn rounds_that_failed(&mut self) -> Option<String> {
        let failed: i64 = self
            .session
            .value("SELECT count(*) FROM clerk.maintenance_rounds WHERE error IS NOT NULL");
        (failed > 0).then(|| format!("{failed} of the neighbour's rounds failed"))
    }
}
