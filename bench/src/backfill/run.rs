//! Whole backfills: how fast, where the time goes, and whether the worker grows.

use std::fs;
use std::thread;
use std::time::Duration;

use clerk_core::mirror::{Policy, Resource, observe_objects};
use clerk_sim::Simulator;
use postgres::Client;

use super::crowd::{self, PAGE, Pages};
use super::script;
use crate::mirror::cpu;
use crate::page::Page;
use crate::rounds::time;
use crate::server::Server;

const SIZES: [u64; 2] = [100_000, 1_000_000];
/// Pages that are read and parsed alone.
const SAMPLE: usize = 40;
/// Users that the script brings in; it has one speed, however many there are.
const SCRIPTED: u64 = 10_000;

/// What a run came to.
struct Run {
    users: u64,
    took: Duration,
    /// Processor time of the worker, and its own memory in kB when a tenth was done and at the end.
    cpu: Duration,
    memory: [u64; 2],
}

/// Adds the section to the page.
pub fn measure(server: &Server, page: &mut Page) {
    let runs = SIZES.map(|users| backfill(server, users));
    let clerk = crowd::start(SCRIPTED);
    let (http, parse) = alone(&clerk);
    let scripted = script::run(server, &clerk);

    page.heading("Backfill");
    page.text(
        "`start_backfill(array['users'])` of users of 3 KB from the stand-in for Clerk on the same machine, which renders them when \
         asked and shares its two cores; rate limit as for a production instance. `bench/node/seed.js` is the way people seed: a \
         script pages the same API and upserts one user at a time, into a table with nothing but a key."
    );
    let per_second = |users: u64, took: Duration| format!("{:.0}", users as f64 / took.as_secs_f64());
    let mut rows: Vec<[String; 5]> = runs
        .iter()
        .map(|run| {
            [
                format!("backfill of {} users", run.users),
                format!("{:.1}", run.took.as_secs_f64()),
                per_second(run.users, run.took),
                format!("{:.1}", run.cpu.as_secs_f64() * 1e6 / run.users as f64),
                format!("{} → {}", run.memory[0] / 1024, run.memory[1] / 1024),
            ]
        })
        .collect();
    rows.push([
        format!("script, {SCRIPTED} users"),
        format!("{:.1}", scripted.as_secs_f64()),
        per_second(SCRIPTED, scripted),
        String::new(),
        String::new(),
    ]);
    page.table(
        [
            "",
            "s",
            "users per second",
            "µs of the worker's CPU per user",
            "MiB of the worker's own, at a tenth → at the end",
        ],
        rows,
    );

    let [_, run] = &runs;
    let per_user = |duration: Duration, users: u64| duration.as_secs_f64() * 1e6 / users as f64;
    let (total, http, parse) = (
        per_user(run.took, run.users),
        per_user(http, (SAMPLE * PAGE) as u64),
        per_user(parse, (SAMPLE * PAGE) as u64),
    );
    page.text(&format!(
        "Where the time of the larger one goes, per user: {total:.0} µs in all. Reading the same pages alone, with a plain HTTP \
         client, takes {http:.1} µs (the stand-in's rendering included); parsing and cutting them alone {parse:.1} µs; what is left, \
         {:.1} µs, is joining the rows, their indexes, and the commits.",
        total - http - parse
    ));
}

fn backfill(server: &Server, users: u64) -> Run {
    let clerk = crowd::start(users);
    let mut client = crowd::prepare(server, &format!("backfill_{users}"), &clerk);
    let run: i64 = client
        .query_one("SELECT clerk.start_backfill(ARRAY['users'])", &[])
        .expect("it can be started")
        .get(0);
    let (mut early, mut late, mut cpu) = (None, 0, Duration::ZERO);
    loop {
        thread::sleep(Duration::from_millis(100));
        let progress = Progress::of(&mut client, run);
        if progress.is_over {
            let took = Duration::from_secs_f64(progress.seconds);
            return Run {
                users,
                took,
                cpu,
                memory: [early.unwrap_or(late), late],
            };
        }
        // It may end at any moment.
        let Some((memory, used)) = progress
            .worker
            .and_then(|pid| Some((own_memory(pid)?, cpu::used(pid))))
        else {
            continue;
        };
        (late, cpu) = (memory, used);
        if progress.done >= users as i64 / 10 {
            early.get_or_insert(memory);
        }
    }
}

struct Progress {
    worker: Option<u32>,
    done: i64,
    is_over: bool,
    seconds: f64,
}

impl Progress {
    fn of(client: &mut Client, run: i64) -> Self {
        let row = client
            .query_one(
                "SELECT r.worker_pid, r.state, r.last_error, coalesce(s.done, 0),
                        extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - coalesce(r.started_at, r.requested_at))::float8
                 FROM clerk.sync_runs AS r LEFT JOIN clerk.sync_steps AS s ON s.run_id = r.id WHERE r.id = $1",
                &[&run],
            )
            .expect("the run is there");
        let (worker, state): (Option<i32>, String) = (row.get(0), row.get(1));
        let error: Option<String> = row.get(2);
        assert!(
            ["queued", "running", "done"].contains(&state.as_str()),
            "{state}: {error:?}"
        );
        Self {
            worker: worker.map(i32::unsigned_abs),
            is_over: state == "done",
            done: row.get(3),
            seconds: row.get(4),
        }
    }
}

/// Memory of a process that it shares with nobody, in kB.
fn own_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Reading pages, and parsing them, each alone.
fn alone(clerk: &Simulator) -> (Duration, Duration) {
    let mut pages = Pages::of(clerk);
    let (mut http, mut parse) = (Duration::ZERO, Duration::ZERO);
    let policy = Policy {
        mirror: Resource::ALL.to_vec(),
        ..Policy::default()
    };
    for page in 0..SAMPLE {
        let mut text = String::new();
        http += time(|| text = pages.next());
        parse += time(|| {
            let observations = observe_objects(Resource::Users, &text, 0, Some("ins_sim"), &policy, i64::MAX);
            assert!(observations.is_ok_and(|list| list.len() >= PAGE));
        });
        // The crowd is as long as the script needs; it is read again from the start.
        if (page + 1) % (SCRIPTED as usize / PAGE) == 0 {
            pages = Pages::of(clerk);
        } else {
            pages.go_on_after(&crowd::ids(&text));
        }
    }
    (http, parse)
}
