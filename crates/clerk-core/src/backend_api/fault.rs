//! Why Clerk did not give what was asked for.

use serde::{Deserialize, Serialize};

use crate::quote;

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// Somebody has to mend something first.
    Final,
    /// It may pass by itself: worth another try later.
    Later,
    /// Clerk does not have what was asked for.
    NotFound,
    /// The answer was longer than we take: worth another try for less.
    TooLarge,
}

/// What has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Clerk does not accept the secret key.
    SecretKey,
    /// The instance does not have the feature.
    NotAllowed,
    /// Clerk does not have what was asked for.
    NotFound,
    /// Other applications use up what Clerk allows the instance.
    TooManyRequests,
    /// Clerk has an error of its own.
    Clerk,
    /// Clerk does not take the request as it was made.
    Request,
    /// Whoever answers is not Clerk.
    Address,
    /// Nobody answers.
    Network,
    /// What is configured of the instance; the hint says what.
    Settings,
    /// The database; the hint says what.
    Database,
}

impl Cause {
    /// As `clerk.sync_runs.cause` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecretKey => "secret key",
            Self::NotAllowed => "not allowed",
            Self::NotFound => "not found",
            Self::TooManyRequests => "too many requests",
            Self::Clerk => "clerk",
            Self::Request => "request",
            Self::Address => "address",
            Self::Network => "network",
            Self::Settings => "settings",
            Self::Database => "database",
        }
    }
}

/// A request that got no useful answer, in the words of the person who has to mend it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiFault {
    /// What can be done about it.
    pub kind: FaultKind,
    /// What has to be looked at.
    pub cause: Cause,
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// Clerk's code of the error, such as `clerk_key_invalid`.
    pub code: Option<String>,
    /// What happened.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// What Clerk's support can find the request by.
    pub trace_id: Option<String>,
    /// The time of the answer by Clerk, in microseconds since 1970, if it has one: since when something is not found.
    pub observed_at: Option<i64>,
}

impl ApiFault {
    /// A fault without an answer: nobody answered, unless another cause is given.
    pub fn new(kind: FaultKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            cause: Cause::Network,
            status: None,
            code: None,
            message: message.into(),
            hint: hint.into(),
            trace_id: None,
            observed_at: None,
        }
    }

    /// The same with another cause.
    pub fn caused_by(self, cause: Cause) -> Self {
        Self { cause, ..self }
    }

    /// Whether it may pass by itself.
    pub fn is_passing(&self) -> bool {
        self.kind == FaultKind::Later
    }

    /// Every text of the fault as `change` gives it.
    pub fn map_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        self.message = change(&self.message);
        self.hint = change(&self.hint);
        self.code = self.code.map(|code| change(&code));
        self.trace_id = self.trace_id.map(|id| change(&id));
        self
    }
}

impl std::fmt::Display for ApiFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.trace_id {
            Some(id) => write!(f, " (trace id {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiFault {}

/// An answer that is no success.
#[derive(Debug, Clone, Copy)]
pub struct Refusing<'a> {
    /// What was asked: `GET https://api.clerk.com/v1/users`, without the query.
    pub request: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Its body, whatever it is.
    pub body: &'a str,
    /// Its header `cf-ray`, which stands in for a trace id.
    pub ray: Option<&'a str>,
    /// Its header `Location`.
    pub location: Option<&'a str>,
    /// Its time by Clerk.
    pub observed_at: Option<i64>,
}

/// `{"errors": [{"message": …, "long_message": …, "code": …}], "clerk_trace_id": …}`
#[derive(Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
    clerk_trace_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    message: Option<String>,
    long_message: Option<String>,
    code: Option<String>,
}

impl Refusing<'_> {
    /// The fault that the answer tells of.
    pub fn fault(&self) -> ApiFault {
        let body: Option<ErrorBody> = serde_json::from_str(self.body).ok();
        let trace_id = body.as_ref().and_then(|body| body.clerk_trace_id.clone());
        let error = body.and_then(|body| body.errors.into_iter().next());
        let code = error.as_ref().and_then(|error| error.code.clone());
        let (kind, cause, hint) = judge(self.status, code.as_deref(), error.is_some());
        ApiFault {
            kind,
            cause,
            status: Some(self.status),
            message: self.message(error.as_ref()),
            code: code.map(|code| short(&code)),
            hint: hint.to_owned(),
            trace_id: trace_id.as_deref().or(self.ray).map(short),
            observed_at: self.observed_at,
        }
    }

    fn message(&self, error: Option<&ErrorEntry>) -> String {
        let mut message = format!("{} was answered with HTTP {}", self.request, self.status);
        if let Some(error) = error {
            let words = error.long_message.as_ref().or(error.message.as_ref());
            if let Some(words) = words.filter(|words| !words.is_empty()) {
                message.push_str(": ");
                message.push_str(&quote(words));
            }
            if let Some(code) = &error.code {
                message.push_str(&format!(" ({})", short(code)));
            }
        } else if (300..400).contains(&self.status) {
            message.push_str(&format!(
                ", a redirection to {}",
                quote(self.location.unwrap_or("nowhere"))
            ));
        } else {
            message.push_str(&format!(" and {}", what_it_is(self.body)));
        }
        message
    }
}

const SECRET_KEY: &str = "The secret key was revoked, or is not the whole of it: copy the key of this instance from the API keys page of Clerk's \
     dashboard and run SELECT clerk.set_secret_key(…).";
const URL: &str = "This is not how Clerk answers: check api_url of the instance (SELECT issuer, api_url FROM clerk.instances), which is \
     https://api.clerk.com/v1 unless you have a proxy of your own, and what lies between the server and it.";
const LATER: &str = "It is tried again by itself. If it lasts, see https://status.clerk.com.";

/// What a status means for us, by facts of Clerk's API (`isClerkError`: the body tells its errors from others').
fn judge(status: u16, code: Option<&str>, by_clerk: bool) -> (FaultKind, Cause, &'static str) {
    match (status, code) {
        (401, _) if by_clerk => (FaultKind::Final, Cause::SecretKey, SECRET_KEY),
        (402, _) => (
            FaultKind::Final,
            Cause::NotAllowed,
            "The plan of the instance does not include this; leave the table out of configure(mirror => …).",
        ),
        (403, _) if by_clerk => (
            FaultKind::Final,
            Cause::NotAllowed,
            "Settings or plan of the instance do not allow this request: switch the feature on in Clerk's dashboard, or leave the table \
             out of configure(mirror => …).",
        ),
        (404, _) if by_clerk => (
            FaultKind::NotFound,
            Cause::NotFound,
            "It was deleted, or never was there. If it should be, check that the secret key is of this instance.",
        ),
        (400 | 410 | 422, _) if by_clerk => (
            FaultKind::Final,
            Cause::Request,
            "Clerk does not accept the request as this version of clerk_sync makes it: update the extension, and report what this says.",
        ),
        (429, _) => (
            FaultKind::Later,
            Cause::TooManyRequests,
            "More requests were made than Clerk allows the instance, by whatever application: they go on by themselves, slower.",
        ),
        (408 | 425 | 500..=599, _) => (FaultKind::Later, Cause::Clerk, LATER),
        _ => (FaultKind::Final, Cause::Address, URL),
    }
}

/// Words for a body that is none of Clerk's.
pub(super) fn what_it_is(body: &str) -> String {
    let start = body.trim_start();
    let begins = |with: &str| {
        start
            .get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    if start.is_empty() {
        "nothing else".to_owned()
    } else if begins("<!doctype") || begins("<html") || begins("<?xml") {
        "a page in HTML".to_owned()
    } else {
        format!("the text {}", quote(start))
    }
}

/// A foreign word, cut to what an error may repeat.
fn short(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(100).collect()
}
