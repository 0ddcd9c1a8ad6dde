//! One connection of PostgREST's pool: each request in a transaction of its own, whose settings end with it.

use clerk_tests::{Failure, Sql};
use postgres::{Client, IsolationLevel, Statement, Transaction};
use serde_json::{Value, json};

use crate::scene::ISSUER;

/// What PostgREST says before every request, in one statement, with the settings of the role that it takes on.
const SETTINGS: &str = "SELECT set_config('search_path', $1, true), set_config('statement_timeout', $2, true), \
     set_config('role', $3, true), set_config('request.jwt.claims', $4, true), set_config('request.method', $5, true), \
     set_config('request.path', $6, true), set_config('request.headers', $7, true), set_config('request.cookies', '{}', true), \
     set_config('timezone', 'UTC', true)";

/// How it calls a function with one unnamed argument, and learns in the same statement which status to answer with.
const CALL: &str = "WITH source AS (
         SELECT call.answer FROM (SELECT $1::text::json AS body) AS payload,
             LATERAL (SELECT public.clerk_webhook(payload.body) AS answer) AS call)
     SELECT coalesce(json_agg(source.answer)->0, 'null')::text, nullif(current_setting('response.status', true), '')
     FROM source";

/// A session of the pool's login role, and its prepared statements.
pub struct Pooled {
    session: Client,
    settings: Statement,
    call: Option<Statement>,
}

/// What PostgREST would answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// HTTP status, and what the body says of it: status and reason.
    pub fn verdict(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status, text("status"), text("reason"))
    }
}

impl Pooled {
    pub fn new(mut session: Client) -> Self {
        let settings = session.prepare(SETTINGS).expect("the settings can be prepared");
        Self {
            session,
            settings,
            call: None,
        }
    }

    /// The session between two requests.
    pub fn session(&mut self) -> &mut Client {
        &mut self.session
    }

    /// `POST /rpc/clerk_webhook` by a stranger, who must get an answer.
    pub fn deliver(&mut self, body: &str, headers: &Value) -> Answer {
        let (settings, known) = (self.settings.clone(), self.call.clone());
        let mut request = begin(
            &mut self.session,
            &settings,
            &json!({"role": "anon"}),
            &headers.to_string(),
        );
        let call = known.unwrap_or_else(|| request.prepare(CALL).unwrap_or_else(|error| fail(error, body)));
        let row = request
            .query_one(&call, &[&body])
            .unwrap_or_else(|error| fail(error, body));
        let status: Option<String> = row.get(1);
        let answer = Answer {
            status: status.map_or(200, |status| status.parse().expect("a status is a number")),
            body: serde_json::from_str(row.get(0)).expect("the answer is JSON"),
        };
        request.commit().expect("the request ends");
        self.call = Some(call);
        answer
    }

    /// Begins a request of whom the claims name; PostgREST has verified them.
    pub fn request(&mut self, claims: &Value) -> Transaction<'_> {
        begin(&mut self.session, &self.settings, claims, "{}")
    }

    /// Begins a request of a signed-in person.
    pub fn request_of(&mut self, user: &str) -> Transaction<'_> {
        self.request(&claims(user))
    }
}

/// What PostgREST puts into `request.jwt.claims` for a person.
pub fn claims(user: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": user, "sid": "sess_1", "azp": "https://app.example", "sts": "active", "v": 2,
        "role": "authenticated", "iat": 1_700_000_000, "nbf": 1_699_999_990, "exp": 4_000_000_000_i64, "fva": [0, -1],
    })
}

fn begin<'a>(
    session: &'a mut Client,
    settings: &Statement,
    claims: &Value,
    headers: &str,
) -> Transaction<'a> {
    let mut request = session
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .read_only(false)
        .start()
        .expect("no transaction is open");
    let role = claims["role"].as_str().expect("PostgREST always adds a role");
    let timeout = if role == "anon" { "3s" } else { "8s" };
    let (search_path, method, path) = (r#""public", "extensions""#, "POST", "/rpc/clerk_webhook");
    let values: [&(dyn postgres::types::ToSql + Sync); 7] = [
        &search_path,
        &timeout,
        &role,
        &claims.to_string(),
        &method,
        &path,
        &headers,
    ];
    request
        .query_one(settings, &values)
        .unwrap_or_else(|error| fail(error, role));
    request
}

fn fail<T>(error: postgres::Error, of: &str) -> T {
    let start: String = of.chars().take(200).collect();
    panic!("{:?}\nin: {start}", Failure::from(error));
}

/// The ids that a relation shows in a request, in order.
pub fn ids(request: &mut Transaction, relation: &str) -> Vec<String> {
    request.value(&format!(
        "SELECT coalesce(array_agg(id ORDER BY id COLLATE \"C\"), '{{}}') FROM {relation}"
    ))
}
