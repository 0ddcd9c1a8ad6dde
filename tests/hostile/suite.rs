//! One change after the other, each in a database of its own; as many at the same time as the machine has processors.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clerk_tests::Sql;
use postgres::Client;

use crate::calls::{self, Calls, Session};
use crate::changes::{self, Change};
use crate::scene::{OWNER, Scene};
use crate::watch::{Watch, is_ordinary};

/// How long a sample is tried.
const SAMPLE: Duration = Duration::from_secs(60);

/// After each so many changes the launcher has a round in the changed database.
const ROUND_EVERY: usize = 20;

/// After each so many the doctor looks.
const DOCTOR_EVERY: usize = 10;

/// After each so many the number is printed: all of them take hours.
const PROGRESS_EVERY: usize = 500;

/// How many databases an attacker has.
const TURNS: usize = 4;

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
    let is_time_left = || limit.is_none_or(|limit| start.elapsed() < limit);
    let next = AtomicUsize::new(0);
    let take = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        wanted.get(number).map(|change| (number, change))
    };
    let attackers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let attack = |number| {
            let (scene, calls) = (&scene, &calls);
            scope.spawn(move || {
                let mut attacker = Attacker::new(scene, calls, number);
                while let Some((number, change)) = is_time_left().then(take).flatten() {
                    attacker.attack(number, change);
                }
                attacker.end()
            })
        };
        let running: Vec<_> = (0..attackers).map(attack).collect();
        let ended = running
            .into_iter()
            .map(|attacker| attacker.join().expect("an attacker reports"));
        ended.collect()
    });
    let mut tally = Tally::default();
    tallies.into_iter().for_each(|one| tally.add(one));
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

/// Tries changes in a database of its own.
struct Attacker<'s> {
    scene: &'s Scene,
    calls: &'s Calls,
    number: usize,
    /// Where the change is made.
    database: String,
    watch: Watch<'s>,
    neighbour: Neighbour,
    tally: Tally,
}

impl<'s> Attacker<'s> {
    fn new(scene: &'s Scene, calls: &'s Calls, number: usize) -> Self {
        Self {
            scene,
            calls,
            number,
            database: String::new(),
            watch: Watch::new(&scene.cluster),
            neighbour: Neighbour::of(scene),
            tally: Tally::default(),
        }
    }

    /// Makes a change in a fresh database, asks there what people ask, and looks whether anybody noticed.
    fn attack(&mut self, number: usize, change: &Change) {
        if number.is_multiple_of(PROGRESS_EVERY) {
            eprintln!("{number} changes tried");
        }
        let faults = self.tally.faults.len();
        self.try_change(
            change,
            number.is_multiple_of(DOCTOR_EVERY) || change.name.contains("doctor"),
        );
        if number.is_multiple_of(ROUND_EVERY) {
            self.tally.rounds += usize::from(self.had_round());
        }
        self.scene.vacate(&self.database);
        self.tally.faults.extend(self.watch.faults());
        self.tally.faults.extend(self.neighbour.notices());
        if self.tally.faults.len() > faults {
            let (tried, told) = (number + 1, self.tally.faults[faults..].join("\n  "));
            eprintln!("{tried}: {}\n  {}\n  {told}", change.name, change.statements);
            if self.neighbour.session.is_closed() {
                self.neighbour = Neighbour::of(self.scene);
            }
        }
    }

    fn end(mut self) -> Tally {
        self.tally.faults.extend(self.neighbour.rounds_that_failed());
        self.tally
    }

    fn try_change(&mut self, change: &Change, with_doctor: bool) {
        let (scene, calls) = (self.scene, self.calls);
        // In turn, so that what ran in one has ended when it is made anew.
        let turn = (self.tally.made + self.tally.refused) % TURNS;
        self.database = format!("victim_{}_{turn}", self.number);
        scene.restore(&self.database);
        let mut warm = calls.warm.open(scene, &self.database);
        calls.warm.warm_up(&mut warm);
        match scene
            .connect(&self.database, OWNER)
            .batch_execute(&change.statements)
        {
            Ok(()) => self.tally.made += 1,
            Err(error) => {
                self.tally.refused += 1;
                let told = error.as_db_error();
                let (sqlstate, message) = told.map_or(("", ""), |told| (told.code().code(), told.message()));
                if sqlstate.is_empty() || !is_ordinary(sqlstate, message) {
                    self.tally.faults.push(format!("the change itself: {error:?}"));
                }
                println!("refused: {}: {message}", change.name);
            }
        }
        calls.warm.ask(&mut warm, Some(change));
        self.tally.add_session(warm);
        let doctor = with_doctor.then_some(&calls.doctor);
        for part in calls.fresh.iter().chain(doctor) {
            let mut session = part.open(scene, &self.database);
            part.ask(&mut session, Some(change));
            self.tally.add_session(session);
        }
    }

    /// Has the launcher come to the changed database; true if it came before long, and its round has ended.
    fn had_round(&self) -> bool {
        let ring = "UPDATE tools.bell SET rung = rung + 1";
        // What the trigger calls may be gone or another's.
        if self
            .scene
            .connect(&self.database, OWNER)
            .batch_execute(ring)
            .is_err()
        {
            return false;
        }
        let mut observer = self.scene.connect("postgres", "postgres");
        let at_work =
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type LIKE 'clerk%')";
        let (deadline, mut came) = (Instant::now() + PATIENCE, false);
        while Instant::now() < deadline {
            match observer
                .query_one(at_work, &[&self.database])
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
}

impl Tally {
    fn add_session(&mut self, session: Session) {
        self.calls += session.calls;
        self.faults.extend(session.faults);
    }

    fn add(&mut self, other: Tally) {
        self.made += other.made;
        self.refused += other.refused;
        self.calls += other.calls;
        self.rounds += other.rounds;
        self.faults.extend(other.faults);
    }
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
