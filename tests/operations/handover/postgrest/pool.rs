//! PostgREST's pool of connections (hasql-pool).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use postgres::{Client, Config, Error, NoTls};

/// db-pool-max-idletime.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// Sessions are used in turn, the one that has been idle for longest first. A session that the server has ended is noticed by the
/// query that meets it: the query fails, the session is given up, and nothing is tried again.
pub struct Pool {
    login: Config,
    idle: VecDeque<(Client, Instant)>,
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
        let mut session = self.take()?;
        let result = work(&mut session);
        // An error that is not about the query is about the connection.
        let is_alive = match &result {
            Ok(_) => true,
            Err(error) => error.code().is_some_and(|code| !code.code().starts_with("57P")),
        };
        if is_alive && !session.is_closed() {
            self.idle.push_back((session, Instant::now()));
        }
        result
    }

    fn take(&mut self) -> Result<Client, Error> {
        self.idle.retain(|(_, since)| since.elapsed() < LONGEST_IDLE);
        match self.idle.pop_front() {
            Some((session, _)) => Ok(session),
            None => self.login.connect(NoTls),
        }
    }

    /// Leaves as many sessions idle as that many requests at a time do.
    pub fn serve(&mut self, requests: usize) {
        let sessions: Vec<_> = (0..requests)
            .map(|_| self.take().expect("authenticator may log in"))
            .collect();
        let now = Instant::now();
        self.idle
            .extend(sessions.into_iter().map(|session| (session, now)));
    }

    /// The backends of the idle sessions.
    pub fn backends(&mut self) -> Vec<i32> {
        let pid = |(session, _): &mut (Client, Instant)| {
            let row = session.query_one("SELECT pg_backend_pid()", &[]);
            row.expect("the session is alive").get(0)
        };
        self.idle.iter_mut().map(pid).collect()
    }

    pub fn flush(&mut self) {
        self.idle.clear();
    }
}
