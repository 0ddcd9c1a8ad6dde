//! What the first question costs in a session that has just begun.

use std::time::Duration;

use clerk_sim::Simulator;

use crate::page::Page;
use crate::rounds::{median, time};
use crate::server::Server;
use crate::signer;

const SESSIONS: usize = 200;

/// A kind of session and its first question.
struct Case {
    what: &'static str,
    role: &'static str,
    question: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        what: "`current_setting(…)`, no JSON",
        role: "authenticator",
        question: "SELECT length(current_setting('request.jwt.claims'))",
    },
    Case {
        what: "`auth.jwt() ->> 'sub'`",
        role: "authenticator",
        question: "SELECT auth.jwt() ->> 'sub'",
    },
    Case {
        what: "`clerk.current_user_id()`",
        role: "authenticator",
        question: "SELECT clerk.current_user_id()",
    },
    Case {
        what: "`clerk.current_user_id()`, `session_preload_libraries`",
        role: "preloading",
        question: "SELECT clerk.current_user_id()",
    },
];

/// One session, step by step.
#[derive(Clone, Copy)]
struct Session {
    connecting: Duration,
    first: Duration,
    second: Duration,
}

/// Adds the section to the page.
pub fn measure(server: &Server, clerk: &Simulator, page: &mut Page) {
    let set_claims = format!(
        "SET request.jwt.claims = '{}'",
        signer::claims(&signer::mint(clerk))
    );
    page.heading("First call in a new session");
    page.text(&format!(
        "Milliseconds over a Unix socket; the first call loads the library unless that was done while connecting, \
         reads the configured instances and parses the claims. Medians of {SESSIONS} sessions of each kind."
    ));
    let mut sessions = [const { Vec::new() }; CASES.len()];
    for _ in 0..SESSIONS {
        for (case, sessions) in CASES.iter().zip(&mut sessions) {
            sessions.push(run(server, case, &set_claims));
        }
    }
    let rows = CASES.iter().zip(sessions).map(|(case, sessions)| {
        let of = |step: fn(&Session) -> Duration| median(sessions.iter().map(step).collect());
        let whole = of(|session| session.connecting + session.first);
        let steps = [
            of(|session| session.connecting),
            of(|session| session.first),
            whole,
            of(|session| session.second),
        ];
        let [connecting, first, whole, second] = steps.map(|step| format!("{:.2}", step.as_secs_f64() * 1e3));
        [case.what.to_owned(), connecting, first, whole, second]
    });
    page.table(
        ["first question", "connect", "first call", "both", "second call"],
        rows,
    );
}

fn run(server: &Server, case: &Case, set_claims: &str) -> Session {
    let mut client = None;
    let connecting = time(|| client = Some(server.connect(case.role)));
    let mut client = client.expect("it is connected");
    client.batch_execute(set_claims).expect("a setting may be set");
    let mut ask = || time(|| client.simple_query(case.question).expect("the question is valid"));
    Session {
        connecting,
        first: ask(),
        second: ask(),
    }
}
