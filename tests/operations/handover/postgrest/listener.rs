//! PostgREST's listener: the session that hears of changes (Listener.hs).

use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Config, Error, NoTls};

const SHORTEST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(32);

pub struct Listener {
    login: Config,
    session: Option<Client>,
    /// When it is to connect again, if it is not connected.
    connect_at: Instant,
    rest: Duration,
}

impl Listener {
    pub fn new(login: Config) -> Self {
        Self {
            login,
            session: None,
            connect_at: Instant::now(),
            rest: SHORTEST_REST,
        }
    }

    pub fn is_on(&self) -> bool {
        self.session.is_some()
    }

    /// Connects if that is due. True if it did so after a failure: then PostgREST takes it that it has missed something.
    pub fn reconnect(&mut self) -> bool {
        if self.is_on() || Instant::now() < self.connect_at {
            return false;
        }
        match self.listen() {
            Ok(session) => {
                self.session = Some(session);
                let has_failed = self.rest > SHORTEST_REST;
                self.rest = SHORTEST_REST;
                has_failed
            }
            Err(_) => {
                self.fail();
                false
            }
        }
    }

    fn listen(&self) -> Result<Client, Error> {
        let mut session = self.login.connect(NoTls)?;
        session.simple_query("SELECT current_setting('server_version_num')")?;
        session.simple_query("LISTEN \"pgrst\"")?;
        Ok(session)
    }

    fn fail(&mut self) {
        self.session = None;
        self.connect_at = Instant::now() + self.rest;
        self.rest = LONGEST_REST.min(self.rest * 2);
    }

    /// The next notification, if one comes in time. A session that has ended is noticed here.
    pub fn next(&mut self, patience: Duration) -> Option<String> {
        let session = self.session.as_mut()?;
        let next = session.notifications().timeout_iter(patience).next();
        match next {
            Ok(Some(notification)) => Some(notification.payload().to_owned()),
            Ok(None) if session.is_closed() => {
                self.fail();
                None
            }
            Ok(None) => None,
            Err(_) => {
                self.fail();
                None
            }
        }
    }
}
