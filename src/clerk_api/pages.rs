//! Reads a list of the Backend API page by page.

use std::ops::Range;
use std::time::Duration;

use clerk_core::backend_api::{Answered, ApiFault, Cause, FaultKind, Listing, Step, Walk};
use serde::Deserialize;
use serde_json::Value;
use ureq::http::Method;

use super::backend::{Answer, Backend, rest};

/// How long a page that came again may have been stuck in somebody's cache.
const AGAIN: Duration = Duration::from_millis(500);

/// A walk along a list. Every page that it gives is to be applied before the next one is asked for, in the transaction that also
/// saves the position.
pub struct Walker {
    walk: Walk,
}

/// Some objects of a list, as Clerk wrote them.
pub struct Page {
    body: String,
    objects: Range<usize>,
    /// The ids of the objects, in their order.
    pub ids: Vec<String>,
    /// When they were so, by Clerk, in microseconds since 1970.
    pub observed_at: i64,
}

impl Page {
    /// The JSON array of the objects.
    pub fn objects(&self) -> &str {
        &self.body[self.objects.clone()]
    }
}

impl Walker {
    /// Goes on from a saved position, or begins.
    pub fn new(listing: Listing, position: Option<&Value>) -> Self {
        Self {
            walk: match position {
                Some(position) => Walk::resume(listing, position),
                None => Walk::new(listing),
            },
        }
    }

    /// The next page; None at the end of the list.
    pub fn next_page(&mut self, backend: &mut Backend) -> Result<Option<Page>, ApiFault> {
        while !self.walk.is_done() {
            if self.walk.wants_count() {
                let (total, answer) = count(backend, &self.walk)?;
                self.walk.count(total, answer.observed_at);
            }
            let Some((answered, answer)) = self.ask(backend)? else {
                continue;
            };
            match self.walk.advance(&answered, answer.observed_at) {
                Step::Page => return Ok(Some(page(answered, answer))),
                Step::Nothing => {}
                Step::Again => rest(AGAIN),
                Step::Stuck(reason) => return Err(stuck(&self.walk, reason)),
            }
        }
        Ok(None)
    }

    /// What the walk's next question is answered. None if the walk has to ask for something else.
    fn ask(&mut self, backend: &mut Backend) -> Result<Option<(Answered, Answer)>, ApiFault> {
        let (walk, query) = (&self.walk, self.walk.query());
        let result = backend.ask(Method::GET, walk.listing().path(), &query, |body| walk.read(body));
        match result {
            Ok(answered) => Ok(Some(answered)),
            Err(fault) if fault.kind == FaultKind::TooLarge && self.walk.shrink() => Ok(None),
            // Which of these a deleted cursor is answered with is not documented.
            Err(fault) if matches!(fault.status, Some(400 | 404 | 422)) && self.walk.refuse_cursor() => {
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Where the walk is, to be saved.
    pub fn position(&self) -> Value {
        self.walk.position()
    }

    /// When the first answer came, by Clerk, in microseconds since 1970. A row that was last seen before was not in the list.
    pub fn began_at(&self) -> Option<i64> {
        self.walk.began_at()
    }

    /// How many rows were seen.
    pub fn seen(&self) -> u64 {
        self.walk.seen()
    }

    /// How many there should be, if that is known.
    pub fn total(&self) -> Option<u64> {
        self.walk.total()
    }

    /// How many rows there are now that the list was read, if Clerk counts them. Those that came to be meanwhile were seen or not, so
    /// they do not count.
    pub fn total_now(&self, backend: &mut Backend) -> Result<Option<u64>, ApiFault> {
        if self.walk.listing().count_path().is_none() {
            return Ok(self.walk.total());
        }
        let (now, _) = count(backend, &self.walk)?;
        Ok(Some(self.walk.total().map_or(now, |total| total.min(now))))
    }

    /// What the last row that was seen is sorted by, in microseconds since 1970.
    pub fn edge(&self) -> Option<i64> {
        self.walk.edge()
    }

    /// Whether the walk has ended and as many rows were seen as Clerk counts. Only then does it mean something that a row was not
    /// seen.
    pub fn is_complete(&self) -> bool {
        self.walk.is_complete()
    }
}

fn page(answered: Answered, answer: Answer) -> Page {
    Page {
        body: answer.body,
        objects: answered.objects.clone(),
        ids: answered.into_ids(),
        observed_at: answer.observed_at,
    }
}

#[derive(Deserialize)]
struct Count {
    total_count: u64,
}

fn count(backend: &mut Backend, walk: &Walk) -> Result<(u64, Answer), ApiFault> {
    let path = walk.listing().count_path().unwrap_or_default();
    let read = |body: &str| match serde_json::from_str::<Count>(body) {
        Ok(count) => Ok(count.total_count),
        Err(error) => Err(format!("no count: {error}")),
    };
    backend.ask(Method::GET, path, &[], read)
}

fn stuck(walk: &Walk, reason: &str) -> ApiFault {
    ApiFault::new(
        FaultKind::Later,
        format!("the list {} cannot be read: {reason}", walk.listing().path()),
        "It is tried again by itself. If it lasts, check api_url of the instance, and what lies between the server and it.",
    )
    .caused_by(Cause::Address)
}

/// One page of at most as many rows as Clerk lists at once.
pub fn single(backend: &mut Backend, listing: Listing) -> Result<Page, ApiFault> {
    let walk = Walk::new(listing);
    let (answered, answer) = backend.ask(Method::GET, walk.listing().path(), &walk.query(), |body| {
        walk.read(body)
    })?;
    Ok(page(answered, answer))
}
