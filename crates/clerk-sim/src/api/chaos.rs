//! Which request meets which fault.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::fault::ApiFault;
use crate::world::{Dice, Wanted};

/// A fault for some requests to come. In JSON `{"fault": {"kind": "reset"}, "path": "/users", "times": 2}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// What happens to them.
    pub fault: ApiFault,
    /// Which path below `/v1` they are made to, such as `/users`; with a `*` at the end, any that begins so. Any by
    /// default.
    #[serde(default = "any_path")]
    pub path: String,
    /// How many requests meet it, 1 by default; null is all until the faults are cleared.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// How many requests to that path go well before, 0 by default.
    #[serde(default)]
    pub skip: u64,
}

fn any_path() -> String {
    "*".to_owned()
}

fn once() -> Option<u64> {
    Some(1)
}

impl FaultPlan {
    /// For the next request, to whatever path.
    pub fn once(fault: ApiFault) -> Self {
        Self {
            fault,
            path: any_path(),
            times: once(),
            skip: 0,
        }
    }

    /// For requests to this path only.
    pub fn on(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    /// For so many requests.
    pub fn times(self, times: u64) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// For all requests until the faults are cleared.
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }

    /// After so many requests that go well.
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    fn is_for(&self, path: &str) -> bool {
        match self.path.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == self.path,
        }
    }
}

/// Faults by chance, from a seed. In JSON everything may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    /// The same seed spoils the same requests, counted from the first.
    pub seed: u64,
    /// How often a request meets a fault, from 0 to 1; 0.05 by default.
    pub probability: f64,
    /// Which faults; [`ApiFault::transient`] by default.
    pub faults: Vec<ApiFault>,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            seed: 0,
            probability: 0.05,
            faults: ApiFault::transient(),
        }
    }
}

/// The faults to come.
#[derive(Default)]
pub(crate) struct Faults {
    plans: Vec<FaultPlan>,
    chaos: Option<(Chaos, Dice)>,
    /// The page that was last asked for, by path.
    pages: HashMap<String, Wanted>,
    /// How many pages of shuffled lists were asked for.
    shuffled: u64,
}

impl Faults {
    pub(crate) fn plan(&mut self, plan: FaultPlan) {
        self.plans.push(plan);
    }

    pub(crate) fn set_chaos(&mut self, chaos: Chaos) {
        let dice = Dice::new(chaos.seed);
        self.chaos = Some((chaos, dice));
    }

    /// From now on all goes well.
    pub(crate) fn clear(&mut self) {
        self.plans.clear();
        self.chaos = None;
    }

    /// What a request to this path meets. Earlier plans come first, and plans before chance.
    pub(super) fn next(&mut self, path: &str, is_list: bool) -> Option<ApiFault> {
        let has_page = self.pages.contains_key(path);
        let fits = |fault: &ApiFault| match fault {
            ApiFault::RepeatedPage => has_page,
            fault => is_list || !fault.is_for_lists(),
        };
        for at in 0..self.plans.len() {
            let plan = &mut self.plans[at];
            if !plan.is_for(path) || !fits(&plan.fault) {
                continue;
            }
            if plan.skip > 0 {
                plan.skip -= 1;
                continue;
            }
            let fault = plan.fault.clone();
            if let Some(times) = &mut plan.times {
                *times = times.saturating_sub(1);
                if *times == 0 {
                    self.plans.remove(at);
                }
            }
            return Some(fault);
        }
        let (chaos, dice) = self.chaos.as_mut()?;
        let is_met = dice.chance(chaos.probability) && !chaos.faults.is_empty();
        let fault = is_met.then(|| chaos.faults[dice.below(chaos.faults.len())].clone())?;
        fits(&fault).then_some(fault)
    }

    /// The page to answer with: the one that is wanted, or the one before it. Every shuffle is another.
    pub(super) fn turn_page(&mut self, path: &str, mut wanted: Wanted, fault: Option<&ApiFault>) -> Wanted {
        if let Some(shuffle) = &mut wanted.shuffle {
            self.shuffled += 1;
            *shuffle = self.shuffled;
        }
        match self.pages.get(path) {
            Some(before) if fault == Some(&ApiFault::RepeatedPage) => before.clone(),
            _ => {
                self.pages.insert(path.to_owned(), wanted.clone());
                wanted
            }
        }
    }
}
