//! What happens in the world while a client reads it.

use serde::Deserialize;

use super::journal::ApiRequest;
use crate::server::Instance;
use crate::world::{Event, World};

/// What a test does after a request, before its answer is sent.
pub(crate) type Hook = Box<dyn FnMut(&ApiRequest, &mut World) + Send>;

/// How the world lives on between requests.
#[derive(Default)]
pub(crate) struct Life {
    pace: Option<Pace>,
    hook: Option<Hook>,
    asked: u64,
    /// What happened and was not fetched yet.
    events: Vec<Event>,
}

/// So many things happen after every so many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pace {
    /// 1 is every request. 0 stops it.
    pub(crate) every: u64,
    pub(crate) steps: usize,
}

impl Life {
    pub(crate) fn set_pace(&mut self, pace: Pace) {
        self.pace = (pace.every > 0).then_some(pace);
    }

    pub(crate) fn set_hook(&mut self, hook: Hook) {
        self.hook = Some(hook);
    }

    /// How much happens after the present request, and the hook for as long as it runs.
    fn due(&mut self) -> (usize, Option<Hook>) {
        self.asked += 1;
        let is_due = |pace: &Pace| self.asked.is_multiple_of(pace.every);
        let steps = self.pace.filter(is_due).map_or(0, |pace| pace.steps);
        (steps, self.hook.take())
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Instance {
    /// Lets happen what is to happen after this request. Whoever holds the world may ask for the events.
    pub(super) fn go_on_living(&self, number: usize) {
        let (steps, hook) = self.api.life().due();
        if steps == 0 && hook.is_none() {
            return;
        }
        let request = self.api.journal().requests()[number].clone();
        let mut world = self.world();
        let mut events: Vec<Event> = (0..steps).flat_map(|_| world.step()).collect();
        if let Some(mut hook) = hook {
            hook(&request, &mut world);
            self.api.life().hook.get_or_insert(hook);
        }
        self.api.life().events.append(&mut events);
    }
}
