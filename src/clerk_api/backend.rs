//! Clerk's Backend API of one instance.

use std::time::{Duration, Instant, SystemTime};

use clerk_core::backend_api::{ApiFault, Cause, FaultKind, Rate, Refusing, answered_at, request_url, retry};
use clerk_core::{Jwk, parse_jwks};
use pgrx::PgSqlErrorCode;
use serde::de::IgnoredAny;
use ureq::http::Method;

use super::account::Account;
use super::budget::Share;
use super::http::{Client, Limits, Response};
use crate::subtransaction::SqlError;
use crate::workers::give_way::give_way;
use crate::workers::one_shot::nap;
use crate::workers::transaction;
use crate::{clock, settings};

/// The version of the API whose answers we know.
const API_VERSION: &str = "2026-05-12";

/// The most of an answer that is taken: 500 users, each with 8 KB in all three kinds of metadata, the most that Clerk stores, and
/// 40 KB of everything else. What is longer is not read, and asked for in smaller pages.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The Backend API of an instance, asked one question at a time over a connection that is kept.
///
/// Everything here belongs outside a transaction: questions wait, and what is noted in tables is committed at once.
pub struct Backend {
    account: Account,
    client: Client,
    limits: Limits,
    share: Share,
}

/// What Clerk answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// JSON.
    pub body: String,
    /// When that was so, by Clerk, in microseconds since 1970.
    pub observed_at: i64,
}

/// Longest time between two looks at whether somebody wants the database alone.
const SLICE: Duration = Duration::from_millis(200);

/// One try of a question.
struct Try<T> {
    result: Result<T, ApiFault>,
    /// How long Clerk wants to be left alone.
    wait: Option<Duration>,
}

impl Backend {
    /// Reads URL and secret key of the instance with that issuer, and asks Clerk whose key it is before anything is done with
    /// what it opens.
    pub fn open(issuer: &str) -> Result<Self, ApiFault> {
        let account = committed(|| Account::read(issuer))??;
        let limits = Limits {
            timeout: settings::api_timeout(),
            max_bytes: MAX_BYTES,
        };
        let client = Client::new().map_err(|trouble| trouble.fault("the request"))?;
        let share = Share::new(issuer, Rate::of(account.key.environment));
        let mut backend = Self {
            account,
            client,
            limits,
            share,
        };
        let (theirs, _) = backend.ask(Method::GET, "/jwks", &[], read_keys)?;
        backend.account.refuse_another_instance(&theirs)?;
        committed(|| backend.account.note_use())?;
        Ok(backend)
    }

    /// Asks for `path`, which begins with a slash, below the API's URL. Tries again while that can help.
    pub fn get(&mut self, path: &str, query: &[(&str, String)]) -> Result<Answer, ApiFault> {
        let whole = |body: &str| match serde_json::from_str::<IgnoredAny>(body) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("no JSON: {error}")),
        };
        let ((), answer) = self.ask(Method::GET, path, query, whole)?;
        Ok(answer)
    }

    /// As [`Self::get`]; what `read` cannot read, with the reason behind "the answer is", is asked for again.
    pub fn ask<T>(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<(T, Answer), ApiFault> {
        let url = request_url(&self.account.api_url, path, query);
        let mut failures = 0;
        loop {
            self.await_turn(path)?;
            let Try { result, wait } = self.try_once(&method, path, &url, &read)?;
            let fault = match result {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault.map_texts(|text| self.account.key.taken_out_of(text)),
            };
            failures += 1;
            let pause = retry::pause(failures, dice()).max(wait.unwrap_or_default());
            if !fault.is_passing() || failures >= retry::MAX_ATTEMPTS || pause > retry::LONGEST_STAY {
                return Err(fault);
            }
            rest(pause);
        }
    }

    fn try_once<T>(
        &self,
        method: &Method,
        path: &str,
        url: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Try<(T, Answer)>, ApiFault> {
        let request = format!("{method} {}{path}", self.account.api_url);
        let headers = [
            ("authorization", self.account.key.authorization()),
            ("clerk-api-version", API_VERSION.to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        let response = match self.client.send(method.clone(), url, &headers, self.limits) {
            Ok(response) => response,
            Err(trouble) => {
                return Ok(Try {
                    result: Err(trouble.fault(&request)),
                    wait: None,
                });
            }
        };
        let date = answered_at(response.header("date"), SystemTime::now());
        let mut wait = response.retry_after();
        if response.status.as_u16() == 429 {
            let block = wait.unwrap_or(retry::WINDOW);
            committed(|| self.share.block(block))?;
            // Everybody's next turn waits for that, ours too; one that is too long for us is left to later.
            wait = Some(block).filter(|block| *block > retry::LONGEST_STAY);
        }
        let result = if response.status.is_success() {
            success(&request, response, date, read)
        } else {
            Err(refusal(&request, &response, date.ok()))
        };
        Ok(Try { result, wait })
    }

    /// Waits until a request may go out: first for our turn, then until nobody is kept from asking.
    fn await_turn(&mut self, path: &str) -> Result<(), ApiFault> {
        // Clerk does not count requests for keys (clerk.md, 2.3), but those must not go out either while we are blocked.
        if path != "/jwks" {
            let at = match self.share.take() {
                Some(at) => at,
                None => {
                    committed(|| self.share.reserve())?;
                    self.share.take().unwrap_or_default()
                }
            };
            rest(Duration::from_micros(
                u64::try_from(at - clock::now_micros()).unwrap_or(0),
            ));
        }
        loop {
            let (blocked, is_current) = committed(|| (self.share.blocked_for(), self.account.is_current()))?;
            if !is_current {
                return Err(ApiFault::new(
                    FaultKind::Later,
                    format!(
                        "the secret key {} was dropped or replaced meanwhile",
                        self.account.fingerprint
                    ),
                    "What was begun goes on with the new key, once there is one.",
                )
                .caused_by(Cause::SecretKey));
            }
            if blocked.is_zero() {
                return Ok(());
            }
            if blocked > retry::LONGEST_STAY {
                return Err(ApiFault::new(
                    FaultKind::Later,
                    format!("Clerk wants no requests for another {} s", blocked.as_secs()),
                    "More requests were made than Clerk allows the instance, by whatever application: they go on by themselves.",
                )
                .caused_by(Cause::TooManyRequests));
            }
            rest(blocked);
        }
    }
}

fn success<T>(
    request: &str,
    response: Response,
    date: Result<i64, &'static str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<(T, Answer), ApiFault> {
    let status = response.status.as_u16();
    let strange = |what: String, hint: &str| ApiFault {
        status: Some(status),
        cause: Cause::Address,
        trace_id: response.header("cf-ray").map(str::to_owned),
        ..ApiFault::new(
            FaultKind::Later,
            format!("{request} was answered with HTTP {status}, but {what}"),
            hint,
        )
    };
    let observed_at = date.map_err(|what| {
        strange(
            format!("when that was so is unknown: {what}"),
            "Check the server's clock, and what lies between the server and Clerk: it must pass the header Date on.",
        )
    })?;
    let content = read(&response.body).map_err(|what| {
        strange(
            format!("the answer is {what}"),
            "It is tried again by itself. If it lasts, check api_url of the instance, and what lies between the server and it.",
        )
    })?;
    let answer = Answer {
        body: response.body,
        observed_at,
    };
    Ok((content, answer))
}

fn refusal(request: &str, response: &Response, observed_at: Option<i64>) -> ApiFault {
    Refusing {
        request,
        status: response.status.as_u16(),
        body: &response.body,
        ray: response.header("cf-ray"),
        location: response.header("location"),
        observed_at,
    }
    .fault()
}

fn read_keys(body: &str) -> Result<Vec<Jwk>, String> {
    parse_jwks(body).map_err(|error| format!("no set of an instance's keys: {}", error.message))
}

/// In a transaction of its own.
fn committed<R>(work: impl FnOnce() -> R) -> Result<R, ApiFault> {
    transaction(work).map_err(|error: SqlError| {
        if error.sqlstate == PgSqlErrorCode::ERRCODE_QUERY_CANCELED {
            error.raise();
        }
        ApiFault::new(
            FaultKind::Later,
            format!("the database did not let the worker go on: {error}"),
            "It is tried again by itself. If it lasts, the server log says more.",
        )
        .caused_by(Cause::Database)
    })
}

/// Waits, attends to Postgres meanwhile, and is in nobody's way.
pub(super) fn rest(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        nap(left.min(SLICE));
        give_way();
    }
}

/// From 0 to 1.
pub(super) fn dice() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
