//! Sends deliveries over HTTP, as Svix does.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use ureq::Agent;

use crate::network::Delivery;
use crate::signature::SigningSecret;
use crate::world::Event;

/// Svix waits so long for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where deliveries go, and how stubbornly.
pub struct Sender {
    url: String,
    secret: SigningSecret,
    tries: usize,
    pause: Duration,
    agent: Agent,
}

/// What became of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Deliveries that were to be made.
    pub deliveries: usize,
    /// Those that were answered 2xx, at once or after tries.
    pub delivered: usize,
    /// Those that never were.
    pub failed: usize,
    /// Further tries.
    pub retries: usize,
    /// How often each status was answered; `none` is no answer.
    pub statuses: BTreeMap<String, usize>,
}

impl Sender {
    /// A sender that tries each delivery up to `tries` times, with a pause between. Svix' own pauses are hours long.
    pub fn new(url: &str, secret: SigningSecret, tries: usize, pause: Duration) -> Self {
        let config = Agent::config_builder()
            .user_agent("Svix-Webhooks/1.84 (clerk-sim)")
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        Self {
            url: url.to_owned(),
            secret,
            tries,
            pause,
            agent: config.build().into(),
        }
    }

    /// Makes the deliveries one after another, in their order, without waiting for their times.
    pub fn send(&self, events: &[Event], deliveries: &[Delivery]) -> Report {
        let mut report = Report::default();
        for delivery in deliveries {
            report.deliveries += 1;
            if self.deliver(&events[delivery.event], &mut report) {
                report.delivered += 1;
            } else {
                report.failed += 1;
            }
        }
        report
    }

    fn deliver(&self, event: &Event, report: &mut Report) -> bool {
        for tried in 0..self.tries.max(1) {
            if tried > 0 {
                report.retries += 1;
                sleep(self.pause);
            }
            let status = self.post(event);
            let name = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            *report.statuses.entry(name).or_default() += 1;
            if status.is_some_and(|status| (200..300).contains(&status)) {
                return true;
            }
        }
        false
    }

    /// One attempt, signed now. Gives the status, if there was an answer.
    fn post(&self, event: &Event) -> Option<u16> {
        let headers = self.secret.sign(&event.svix_id, now_s(), &event.body);
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        for (name, value) in headers.pairs() {
            request = request.header(name, value);
        }
        let mut answer = request.send(&event.body).ok()?;
        // A body that is read to its end leaves the connection free for the next delivery.
        answer.body_mut().read_to_vec().ok()?;
        Some(answer.status().as_u16())
    }
}

/// Seconds since 1970, by this machine's clock: a receiver compares with its own.
pub(crate) fn now_s() -> i64 {
    now_ms() / 1_000
}

/// Milliseconds since 1970, by this machine's clock.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("the clock is past 1970").as_millis();
    i64::try_from(since).expect("the clock is before the year 292 million")
}
