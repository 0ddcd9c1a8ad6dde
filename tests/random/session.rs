//! One session, which is what a seed makes it: it runs scenarios and judges what comes of them.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use crate::scenario::{Savepoint, Scenario, Step};
use crate::scene::{HOSTILE, Scene};
use crate::tally::Tally;

pub struct Session<'s> {
    scene: &'s Scene,
    database: String,
    role: String,
    client: Client,
    canceller: Canceller,
    /// The latest statements, for whoever has to find out.
    recent: VecDeque<String>,
    pid: i32,
    /// Private memory of the backend in KiB, after each scenario.
    memory: Vec<i64>,
}

/// What came of a statement.
enum Outcome {
    Done,
    Failed(String),
    /// The session is no more.
    Lost,
}

impl<'s> Session<'s> {
    pub fn open(scene: &'s Scene, database: &str, role: &str) -> Self {
        let mut client = scene.session(database, role);
        Self {
            scene,
            database: database.to_owned(),
            role: role.to_owned(),
            canceller: Canceller::of(&client),
            recent: VecDeque::new(),
            pid: pid(&mut client),
            memory: Vec::new(),
            client,
        }
    }

    pub fn run(&mut self, scenario: &Scenario, tally: &mut Tally) {
        if self.transaction(scenario, tally).is_none() {
            self.reopen();
        }
    }

    /// None if the session was lost.
    fn transaction(&mut self, scenario: &Scenario, tally: &mut Tally) -> Option<()> {
        if let Some(begin) = scenario.begin {
            self.plain(begin, tally)?;
        }
        let mut whole = true;
        for step in &scenario.steps {
            whole = self.step(step, tally)? || scenario.begin.is_none();
            if !whole {
                break;
            }
        }
        for end in scenario.end.iter().filter(|_| whole) {
            self.plain(end, tally)?;
        }
        self.tidy(scenario.discard, tally)
    }

    /// A late cancel may meet these as well.
    fn tidy(&mut self, discard: bool, tally: &mut Tally) -> Option<()> {
        let last = if discard { "DISCARD ALL" } else { "DEALLOCATE ALL" };
        for statement in [
            "ROLLBACK",
            "RESET statement_timeout",
            "RESET lock_timeout",
            "RESET default_transaction_read_only",
            "RESET session_replication_role",
            last,
        ] {
            self.plain(statement, tally)?;
        }
        self.memory.push(private_memory(self.pid));
        Some(())
    }

    fn plain(&mut self, statement: &str, tally: &mut Tally) -> Option<bool> {
        match self.execute(statement, "", tally) {
            Outcome::Done => Some(true),
            Outcome::Failed(_) => Some(false),
            Outcome::Lost => None,
        }
    }

    /// Whether the transaction can go on; None if the session was lost.
    fn step(&mut self, step: &Step, tally: &mut Tally) -> Option<bool> {
        if step.savepoint != Savepoint::None {
            self.plain("SAVEPOINT s", tally)?;
        }
        if let Some(delay) = step.cancel_after {
            self.canceller.after(delay);
        }
        let begin = Instant::now();
        let mut sqlstate = "00000".to_owned();
        let subject = step.subject.as_deref().unwrap_or_default();
        for statement in &step.statements {
            match self.execute(statement, subject, tally) {
                Outcome::Done => {}
                Outcome::Failed(failed) => {
                    sqlstate = failed;
                    break;
                }
                Outcome::Lost => {
                    tally.count(subject, "lost", begin.elapsed());
                    return None;
                }
            }
        }
        if step.cancel_after.is_some() {
            self.canceller.wait();
        }
        if step.subject.is_some() {
            tally.count(subject, &sqlstate, begin.elapsed());
        }
        let failed = sqlstate != "00000";
        match step.savepoint {
            Savepoint::None => Some(!failed),
            Savepoint::Released if !failed => self.plain("RELEASE s", tally),
            _ => self.plain("ROLLBACK TO s", tally),
        }
    }

    fn execute(&mut self, statement: &str, subject: &str, tally: &mut Tally) -> Outcome {
        if self.recent.len() == 20 {
            self.recent.pop_front();
        }
        self.recent.push_back(statement.to_owned());
        let Err(error) = self.client.batch_execute(statement) else {
            return Outcome::Done;
        };
        let Some(error) = error.as_db_error().filter(|_| !self.client.is_closed()) else {
            // Whether the server crashed is in its log, with the statement that did it. Sessions beside it are ended with 57P02.
            let told = error.as_db_error().map(|error| error.code().code().to_owned());
            if told.as_deref() != Some("57P02") {
                let kind = format!("lost {subject}");
                tally.find(kind, || {
                    self.finding(subject, &format!("the session is lost: {error:?}"))
                });
            }
            return Outcome::Lost;
        };
        let sqlstate = error.code().code();
        if !self.is_ordinary(sqlstate, error.message()) {
            let letters = |text: &str| {
                text.chars()
                    .filter(|letter| !letter.is_ascii_digit())
                    .collect::<String>()
            };
            let kind = format!("{sqlstate} {subject} {}", letters(error.message()));
            let said = format!(
                "{sqlstate}: {} ({:?}, {:?})",
                error.message(),
                error.detail(),
                error.where_()
            );
            tally.find(kind, || self.finding(subject, &said));
        }
        Outcome::Failed(sqlstate.to_owned())
    }

    /// What a caller may be told. Class XX is a fault of the server or ours, except where Postgres says so of two sessions that change
    /// the same object; and nothing of ours looks names up on the caller's search path, unless its owner has made it so.
    fn is_ordinary(&self, sqlstate: &str, message: &str) -> bool {
        const OF_POSTGRES: &[&str] = &["tuple concurrently updated", "tuple concurrently deleted"];
        let is_fault = sqlstate.starts_with("XX") && !OF_POSTGRES.contains(&message);
        let is_shadowed = sqlstate == "EV1L0" && self.database != HOSTILE;
        !is_fault && !is_shadowed
    }

    fn finding(&self, subject: &str, said: &str) -> String {
        let recent: Vec<&str> = self.recent.iter().map(String::as_str).collect();
        format!(
            "{} in {}, {subject}: {said}\n  after:\n    {}",
            self.role,
            self.database,
            recent.join(";\n    ")
        )
    }

    /// The most that the backend took in its first half, and what it takes now, in KiB. Deep and large arguments leave a heap behind
    /// that is not given back; it is used again.
    pub fn memory(&self) -> Option<(i64, i64)> {
        let first_half = self.memory[..self.memory.len() / 2].iter().max();
        Some((*first_half?, *self.memory.last()?))
    }

    fn reopen(&mut self) {
        self.client = self.scene.session(&self.database, &self.role);
        self.canceller = Canceller::of(&self.client);
        self.memory.clear();
        self.pid = pid(&mut self.client);
    }
}

fn pid(client: &mut Client) -> i32 {
    let row = client.query_one("SELECT pg_backend_pid()", &[]);
    row.map_or(0, |row| row.get(0))
}

/// Private memory of a backend in KiB; 0 if it is no more.
fn private_memory(pid: i32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Cancels from beside.
struct Canceller {
    orders: Sender<Duration>,
    done: Receiver<()>,
}

impl Canceller {
    fn of(client: &Client) -> Self {
        let (orders, received) = channel::<Duration>();
        let (tell, done) = channel();
        let token = client.cancel_token();
        thread::spawn(move || {
            for delay in received {
                thread::sleep(delay);
                // It fails when the server has crashed, which is found out otherwise.
                let _ = token.cancel_query(NoTls);
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
        Self { orders, done }
    }

    fn after(&self, delay: Duration) {
        self.orders.send(delay).expect("the canceller waits for orders");
    }

    fn wait(&self) {
        self.done.recv().expect("the canceller answers");
    }
}
