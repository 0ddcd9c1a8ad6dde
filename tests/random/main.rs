//! Random calls of everything that the extension has, with arguments that nobody means well, as every role there is.
//!
//! `CLERK_SYNC_RANDOM_CALLS` and `CLERK_SYNC_RANDOM_SEED` say how many and which; `scripts/random-calls` sets them. A seed gives each
//! session one sequence of statements; `CLERK_SYNC_RANDOM_ONLY` names the one role to run alone, of which `installer` is the hostile
//! owner. What sessions do to each other is left to time.

mod catalog;
mod frames;
mod owner;
mod scenario;
mod scene;
mod session;
mod settings;
mod tally;
mod texts;
mod values;

use std::thread;

use clerk_tests::Dice;

use crate::catalog::Catalog;
use crate::scenario::Scenario;
use crate::scene::{CALM, HOSTILE, Scene};
use crate::session::Session;
use crate::tally::Tally;

/// A sample of half a minute.
const SAMPLE: usize = 2_000;

/// What the second half of a session may add in KiB to the most that the first took: plans, caches and fragments, and nothing for
/// each call.
const NOISE: i64 = 16 * 1024;

/// Fewest calls of one caller of which the memory is judged: among fewer, the largest arguments may all come in the second half.
const ENOUGH_FOR_MEMORY: usize = 5_000;

/// Who calls in the calm database, a session each.
const CALLERS: [&str; 4] = ["anon", "authenticated", "service_role", "administrator"];

#[test]
fn no_call_crashes_the_server_or_meets_a_fault_of_ours() {
    let calls = number("CLERK_SYNC_RANDOM_CALLS").unwrap_or(SAMPLE);
    let seed = number("CLERK_SYNC_RANDOM_SEED").unwrap_or(1) as u64;
    let scene = Scene::start(seed);
    scene.make_database(CALM);
    scene.make_database(HOSTILE);
    let only = std::env::var("CLERK_SYNC_RANDOM_ONLY").ok();
    let wanted = |who: &str| only.as_deref().is_none_or(|only| only == who);
    let share = calls / 5;
    let tallies: Vec<(String, Tally)> = thread::scope(|scope| {
        let scene = &scene;
        let callers = CALLERS.into_iter().filter(|role| wanted(role));
        let mut sessions: Vec<_> = callers
            .map(|role| scope.spawn(move || vec![caller(scene, role, seed, share)]))
            .collect();
        if wanted("installer") {
            sessions.push(scope.spawn(move || owner(scene, seed, share)));
        }
        let ended = sessions
            .into_iter()
            .map(|session| session.join().expect("a session does not panic"));
        ended.flatten().collect()
    });
    report(seed, &tallies, &scene.cluster.log());
}

fn number(name: &str) -> Option<usize> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {value}")),
    )
}

fn caller(scene: &Scene, role: &str, seed: u64, calls: usize) -> (String, Tally) {
    let salt = role
        .bytes()
        .fold(0, |salt: u64, byte| salt << 5 ^ u64::from(byte));
    let mut dice = Dice::new(seed ^ salt);
    let catalog = Catalog::read(&mut scene.session(CALM, "postgres"), role);
    let (mut tally, mut session) = (Tally::default(), Session::open(scene, CALM, role));
    let (mut unique, mut armed) = (0, 0);
    while tally.calls < calls {
        session.run(&Scenario::random(&mut dice, &catalog, false, unique), &mut tally);
        unique += 100;
        // Administrators take away what others are to find.
        if role == "administrator" && tally.calls > armed + 200 {
            armed = tally.calls;
            scene.disturb(&mut dice);
            scene.arm(CALM);
        }
    }
    tally.memory = session.memory();
    (role.to_owned(), tally)
}

/// The owner, who changes the extension between calls, and those who call it then; in a database that is made anew after some changes.
fn owner(scene: &Scene, seed: u64, calls: usize) -> Vec<(String, Tally)> {
    let mut dice = Dice::new(seed ^ 0x6f77_6e65_7200);
    let mut tallies = ["installer", "anon", "postgres"].map(|role| {
        let catalog = Catalog::read(&mut scene.session(HOSTILE, "postgres"), role);
        (role, catalog, Tally::default())
    });
    let mut unique = 0;
    while tallies.iter().map(|(_, _, tally)| tally.calls).sum::<usize>() < calls {
        let mut sessions = tallies
            .each_ref()
            .map(|(role, _, _)| Session::open(scene, HOSTILE, role));
        let mut changes = 0;
        while changes < 3 {
            for ((role, catalog, tally), session) in tallies.iter_mut().zip(&mut sessions) {
                // The others only now and then.
                if *role == "installer" || dice.one_in(8) {
                    let scenario = Scenario::random(&mut dice, catalog, *role == "installer", unique);
                    session.run(&scenario, tally);
                    changes += usize::from(scenario.changes());
                    unique += 100;
                }
            }
        }
        drop(sessions);
        scene.make_database(HOSTILE);
    }
    tallies
        .map(|(role, _, tally)| (format!("{role}, the owner being hostile"), tally))
        .into()
}

fn report(seed: u64, tallies: &[(String, Tally)], log: &str) {
    let calls: usize = tallies.iter().map(|(_, tally)| tally.calls).sum();
    println!("{calls} random calls, seed {seed}");
    for (who, tally) in tallies {
        println!("  {}", tally.line(who));
    }
    let mut slowest: Vec<_> = tallies
        .iter()
        .flat_map(|(who, tally)| {
            tally
                .slowest()
                .into_iter()
                .map(move |(took, name)| (took, name, who))
        })
        .collect();
    slowest.sort_by(|one, other| other.cmp(one));
    for (took, name, who) in slowest.iter().take(3) {
        println!("  slowest: {name} {} ms as {who}", took.as_millis());
    }

    let mut findings: Vec<String> = tallies
        .iter()
        .flat_map(|(_, tally)| tally.findings.clone())
        .collect();
    for (who, tally) in tallies {
        let grown = tally.memory.map_or(0, |(begin, end)| end - begin);
        if grown > NOISE && tally.calls >= ENOUGH_FOR_MEMORY {
            findings.push(format!("{who}: a backend grew by {grown} KiB"));
        }
    }
    let of_the_log = of_the_log(log);
    if of_the_log
        .iter()
        .any(|finding| finding.contains("terminated by signal"))
    {
        // Sessions are lost then, and it is not theirs that did it.
        findings.retain(|finding| !finding.contains("the session is lost"));
    }
    findings.extend(of_the_log);
    assert!(findings.is_empty(), "seed {seed}\n\n{}", findings.join("\n\n"));
}

/// Crashes with the statements that were running, faults that workers met, and what leaked.
fn of_the_log(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let is_bad = |line: &str| {
        let of_worker = line.starts_with("XX") && !line.contains("client backend");
        line.contains("terminated by signal")
            || line.contains("PANIC:")
            || line.contains(" leak: ")
            || line.contains("you don't own a lock")
            || (of_worker && line.contains("ERROR:"))
    };
    let bad = lines.iter().enumerate().filter(|(_, line)| is_bad(line));
    let mut bad: Vec<String> = bad
        .map(|(at, line)| format!("{line}\n  {}", lines.get(at + 1).copied().unwrap_or_default()))
        .collect();
    bad.dedup();
    bad.truncate(20);
    bad
}
