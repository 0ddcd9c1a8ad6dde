//! Requests through a PostgREST that asks before each of them.

use clerk_sim::{Simulator, Token};
use clerk_tests::{Cluster, Failure, TestDb};
use postgres::Client;
use serde_json::{Value, json};

/// A PostgREST that asks first. Its pool is one connection, as role app.
pub struct Api {
    pub clerk: Simulator,
    pub db: TestDb<'static>,
    pub session: Client,
}

/// Who a request is.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub role: String,
    pub user: Option<String>,
    pub claims: Value,
}

impl Api {
    pub fn new() -> Self {
        let clerk = Simulator::start();
        let db = Cluster::shared().create_database();
        db.configure(&clerk);
        let session = db.connect("app");
        Self { clerk, db, session }
    }

    pub fn owner(&self) -> Client {
        self.db.superuser()
    }

    pub fn token(&self, token: Token) -> String {
        self.clerk.mint(token)
    }

    pub fn session_token(&self, user: &str) -> Token {
        Token::session(self.clerk.issuer(), user).claim("role", json!("authenticated"))
    }

    /// A request whose token PostgREST has verified: these claims, these headers.
    pub fn request(&mut self, claims: &Value, headers: &Value) -> Result<Seen, Failure> {
        let role = claims["role"]
            .as_str()
            .expect("PostgREST always adds a role")
            .to_owned();
        let mut transaction = self.session.transaction().expect("no transaction is open");
        transaction
            .query_one(
                "SELECT set_config('search_path', '\"public\"', true), set_config('role', $1, true),
                     set_config('request.jwt.claims', $2, true), set_config('request.method', 'GET', true),
                     set_config('request.headers', $3, true)",
                &[&role, &claims.to_string(), &headers.to_string()],
            )
            .expect("PostgREST's own settings");
        transaction.query("SELECT clerk.pre_request()", &[])?;
        let row = transaction.query_one(
            "SELECT current_user::text, clerk.current_user_id(), current_setting('request.jwt.claims')",
            &[],
        )?;
        let seen = Seen {
            role: row.get(0),
            user: row.get(1),
            claims: serde_json::from_str(row.get(2)).expect("claims are JSON"),
        };
        transaction.commit().expect("the request ends");
        Ok(seen)
    }

    /// A request with the token in Authorization.
    pub fn bearer(&mut self, token: &str) -> Result<Seen, Failure> {
        let mut claims = payload(token);
        let role = claims["role"].as_str().unwrap_or("anon").to_owned();
        claims["role"] = role.into();
        self.request(&claims, &json!({"authorization": format!("Bearer {token}")}))
    }

    /// An anonymous request with the anon key, and the token in a header.
    pub fn header(&mut self, name: &str, value: &str) -> Result<Seen, Failure> {
        let headers =
            json!({"authorization": "Bearer anon.key.here", "apikey": "anon.key.here", name: value});
        self.request(&json!({"role": "anon"}), &headers)
    }
}

/// The claims of a token, as PostgREST shows them.
pub fn payload(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).expect("a token has three parts");
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .expect("base64url");
    serde_json::from_slice(&bytes).expect("claims are JSON")
}

/// Status and reason of what PostgREST answers for `RAISE sqlstate 'PGRST'` (docs/references/errors.rst).
#[track_caller]
pub fn answer(seen: Result<Seen, Failure>) -> (u64, String) {
    let failure = seen.expect_err("the request is refused");
    assert_eq!(failure.sqlstate, "PGRST", "{failure:?}");
    let body: Value = serde_json::from_str(&failure.message).expect("the message is JSON");
    let detail: Value =
        serde_json::from_str(&failure.detail.expect("there is a detail")).expect("it is JSON");
    for member in ["code", "message", "hint"] {
        assert!(
            body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{body}"
        );
    }
    assert!(
        body.as_object()
            .expect("an object")
            .keys()
            .all(|key| ["code", "message", "details", "hint"].contains(&key.as_str()))
    );
    let status = detail["status"].as_u64().expect("a status");
    if status == 401 {
        assert_eq!(
            detail["headers"]["WWW-Authenticate"],
            "Bearer error=\"invalid_token\""
        );
    }
    (status, body["details"].as_str().unwrap_or_default().to_owned())
}

pub fn refused(reason: &str) -> (u64, String) {
    (401, reason.to_owned())
}
