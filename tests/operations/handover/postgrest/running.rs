//! A PostgREST that runs, as the rows of the restart matrix need it: the program that `POSTGREST` names, or else the stand-in.

use clerk_sim::Simulator;
use clerk_tests::{Sql, TestDb};
use postgres::Client;

use super::Postgrest;
use super::program::Program;
use crate::handover::SECRET;
use crate::scene::wait_until;

pub trait Running {
    /// Ends, and is started again in the same environment. The database may be away.
    fn restart(&mut self);

    /// Goes on for a moment.
    fn tick(&mut self);

    /// Goes on until it waits for nothing and has heard all that was sent by now; gives how often it was told something.
    fn settle(&mut self, superuser: &mut Client) -> usize;

    /// Leaves as many sessions of its pool idle as that many requests at a time do.
    fn serve(&mut self, requests: usize);

    /// Leaves two sessions idle, as many as one reading of the configuration uses, and gives the backends of the pool.
    fn idle_pool(&mut self) -> Vec<i32>;

    /// Whether a token is accepted that is signed with Clerk's present key.
    fn accepts(&mut self, clerk: &Simulator) -> bool;
}

/// Whether it is the program that [`start`] starts.
pub fn is_program() -> bool {
    std::env::var_os("POSTGREST").is_some()
}

/// Started with the shared secret in its environment, and nothing that says where else keys are.
pub fn start(db: &TestDb) -> Box<dyn Running> {
    match std::env::var_os("POSTGREST") {
        Some(program) => Box::new(Program::start(&program, db, SECRET)),
        None => Box::new(Postgrest::start(db, Some(SECRET))),
    }
}

impl Running for Postgrest {
    fn restart(&mut self) {
        self.restart();
    }

    fn tick(&mut self) {
        self.tick();
    }

    fn settle(&mut self, superuser: &mut Client) -> usize {
        /// PostgREST does nothing for it. Notifications arrive in the order of commits.
        const MARK: &str = "so far";
        let (mut told, mut is_marked) = (0, false);
        wait_until("PostgREST is at rest", || {
            let heard = self.tick();
            told += heard.iter().filter(|payload| *payload != MARK).count();
            if !self.is_at_rest() {
                is_marked = false;
                return false;
            }
            if !is_marked {
                superuser.run(&format!("NOTIFY pgrst, '{MARK}'"));
                is_marked = true;
                return false;
            }
            heard.iter().any(|payload| payload == MARK)
        });
        told
    }

    fn serve(&mut self, requests: usize) {
        self.pool().serve(requests);
    }

    fn idle_pool(&mut self) -> Vec<i32> {
        self.pool().flush();
        self.pool().serve(2);
        self.pool().backends()
    }

    fn accepts(&mut self, clerk: &Simulator) -> bool {
        Self::accepts(self, &clerk.jwks()["keys"][0])
    }
}
