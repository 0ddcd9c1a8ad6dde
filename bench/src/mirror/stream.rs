//! Webhooks of a population, each handed out once, signed when it is.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{Activity, Event, SigningSecret, SvixHeaders, World, WorldOptions};

/// A webhook that is ready to be sent.
pub struct Delivery {
    pub event: Event,
    pub headers: SvixHeaders,
}

/// The events that are wanted, of one population.
pub struct Stream {
    world: World,
    is_wanted: fn(&str) -> bool,
    /// Events that create what later ones are about, and are not wanted themselves.
    foundation: Vec<Event>,
    ready: VecDeque<Event>,
    secret: SigningSecret,
}

impl Stream {
    /// A population in which so many people sign up before anything else happens. `is_wanted` judges the event's type.
    pub fn new(
        seed: u64,
        people: usize,
        instance_id: &str,
        secret: &str,
        is_wanted: fn(&str) -> bool,
    ) -> Self {
        let world = World::new(WorldOptions {
            seed,
            users: people..=2 * people,
            organizations: people.div_ceil(10),
            activities: vec![Activity::People, Activity::Organizations, Activity::Memberships],
            instance_id: instance_id.to_owned(),
            ..WorldOptions::default()
        });
        Self {
            world,
            is_wanted,
            foundation: Vec::new(),
            ready: VecDeque::new(),
            secret: SigningSecret::parse(secret).expect("the secret is one"),
        }
    }

    /// Lets everybody sign up; that goes into the foundation, wanted or not.
    pub fn settled(mut self) -> Self {
        let people = *self.world.options().users.start();
        self.foundation = self.world.run(people);
        self
    }

    /// The next wanted events.
    pub fn take(&mut self, count: usize) -> Vec<Delivery> {
        while self.ready.len() < count {
            for event in self.world.step() {
                if (self.is_wanted)(&event.event_type) {
                    self.ready.push_back(event);
                } else if event.event_type.ends_with(".created") {
                    self.foundation.push(event);
                }
            }
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is after 1970");
        let now = i64::try_from(now.as_secs()).expect("it is before the year 292277026596");
        let sign = |event: Event| Delivery {
            headers: self.secret.sign(&event.svix_id, now, &event.body),
            event,
        };
        self.ready.drain(..count).map(sign).collect()
    }

    /// What has to be there before the events taken so far come.
    pub fn take_foundation(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.foundation)
    }
}

/// The events as `apply_events` takes them.
pub fn array_of<'e>(events: impl IntoIterator<Item = &'e Event>) -> String {
    let list: Vec<String> = events
        .into_iter()
        .map(|event| format!(r#"{{"svix_id":"{}","event":{}}}"#, event.svix_id, event.body))
        .collect();
    format!("[{}]", list.join(","))
}
