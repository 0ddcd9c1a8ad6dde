//! PostgREST's pool of connections (hasql-pool).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use postgres::{Client, Config, Error, NoTls};

/// db-pool-max-idletime.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// Sessions are used in turn, the one that has been idle for longest first. A session that the server has ended is noticed by the
/// queries that meet it, and nothing is tried again. The first query fails by the server's last message (57P01), which is an error as
/// any other, so the session goes back; the second one finds no server, and the session is given up.
pub struct Pool {
    login: Config,
    idle: VecDeque<Idle>,
}

struct Idle {
    session: Client,
    since: Instant,
    /// The server has ended it, and its last message has been read.
    has_ended: bool,
}

impl Idle {
    fn now(session: Client) -> Self {
        Self {
            session,
            since: Instant::now(),
            has_ended: false,
        }
    }
}

impl Pool {
    pub fn new(login: Config) -> Self {
        Self {
            login,
            idle: VecDeque::new(),
        }
    }

    /// Runs a query or a transaction.
    pub fn run<R>(&mut self, work: impl FnOnce(&mut Client) -> Result<R, Error>) -> Result<R, Error> {
        let mut taken = self.take()?;
        let result = work(&mut taken.session);
        // This client may miss the last message, as libpq does not.
        let is_ended = |error: &Error| error.code().is_none_or(|code| code.code().starts_with("57P"));
        let ended = result.as_ref().is_err_and(is_ended);
        if !(ended && taken.has_ended) {
            self.idle.push_back(Idle {
                since: Instant::now(),
                has_ended: ended,
                ..taken
            });
        }
        result
    }

    fn take(&mut self) -> Result<Idle, Error> {
        self.idle.retain(|idle| idle.since.elapsed() < LONGEST_IDLE);
        match self.idle.pop_front() {
            Some(idle) => Ok(idle),
            None => self.login.connect(NoTls).map(Idle::now),
        }
    }

    /// Leaves as many sessions idle as that many requests at a time do.
    pub fn serve(&mut self, requests: usize) {
        let sessions: Vec<_> = (0..requests)
            .map(|_| self.take().expect("authenticator may log in").session)
            .collect();
        self.idle.extend(sessions.into_iter().map(Idle::now));
    }

    /// The backends of the idle sessions.
    pub fn backends(&mut self) -> Vec<i32> {
        let pid = |idle: &mut Idle| {
            let row = idle.session.query_one("SELECT pg_backend_pid()", &[]);
            row.expect("the session is alive").get(0)
        };
        self.idle.iter_mut().map(pid).collect()
    }

    pub fn flush(&mut self) {
        self.idle.clear();
    }
}
