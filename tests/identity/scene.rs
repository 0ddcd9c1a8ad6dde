//! What most tests begin with: one simulated Clerk instance, and databases that trust it.

use std::sync::OnceLock;

use clerk_sim::{Simulator, Token};
use clerk_tests::{Sql, TestDb};
use postgres::Client;
use serde_json::{Value, json};

/// The instance that every database here trusts.
pub fn clerk() -> &'static Simulator {
    static CLERK: OnceLock<Simulator> = OnceLock::new();
    CLERK.get_or_init(Simulator::start)
}

/// A database that trusts it.
pub fn database() -> TestDb<'static> {
    let db = TestDb::shared();
    db.configure(clerk());
    db
}

/// A genuine session token of this user, version 2, as yet unsigned.
pub fn session(user: &str) -> Token {
    Token::session(clerk().issuer(), user)
}

/// The same signed.
pub fn token(user: &str) -> String {
    clerk().mint(session(user))
}

/// What PostgREST puts into `request.jwt.claims` when it has verified such a token.
pub fn claims(user: &str) -> Value {
    json!({
        "iss": clerk().issuer(), "sub": user, "sid": "sess_1", "azp": "https://app.example", "sts": "active", "v": 2,
        "role": "authenticated", "iat": 1_700_000_000, "nbf": 1_699_999_990, "exp": 1_700_000_060, "fva": [0, -1],
    })
}

/// These claims with some of them set otherwise; null takes one away.
pub fn with(mut claims: Value, changes: Value) -> Value {
    let members = claims.as_object_mut().expect("claims are an object");
    for (name, value) in changes.as_object().expect("so are changes") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// The two settings that can carry an identity.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// `request.jwt.claims`
    Claims,
    /// `clerk.jwt`
    Token,
}

impl Setting {
    pub const BOTH: [Setting; 2] = [Setting::Claims, Setting::Token];

    pub fn name(self) -> &'static str {
        match self {
            Setting::Claims => "request.jwt.claims",
            Setting::Token => "clerk.jwt",
        }
    }

    /// What signs this user in.
    pub fn value(self, user: &str) -> String {
        match self {
            Setting::Claims => claims(user).to_string(),
            Setting::Token => token(user),
        }
    }

    /// The statement that signs this user in for the session.
    pub fn set(self, user: &str) -> String {
        format!("SET {} = '{}';", self.name(), self.value(user))
    }

    /// The statement that signs this user in for the transaction.
    pub fn set_local(self, user: &str) -> String {
        format!("SET LOCAL {} = '{}';", self.name(), self.value(user))
    }

    /// The same as an expression, for use inside statements.
    pub fn set_local_expression(self, user: &str) -> String {
        format!("set_config('{}', '{}', true)", self.name(), self.value(user))
    }
}

/// What tests of identity ask a session.
pub trait Caller {
    /// `clerk.current_user_id()`
    fn user(&mut self) -> Option<String>;

    /// Sets `request.jwt.claims` for the session.
    fn set_claims(&mut self, text: &str);

    /// Sets `clerk.jwt` for the session.
    fn set_token(&mut self, token: &str);
}

impl Caller for Client {
    fn user(&mut self) -> Option<String> {
        self.value("SELECT clerk.current_user_id()")
    }

    fn set_claims(&mut self, text: &str) {
        let _: String = self.value_of("SELECT set_config('request.jwt.claims', $1, false)", &[&text]);
    }

    fn set_token(&mut self, token: &str) {
        let _: String = self.value_of("SELECT set_config('clerk.jwt', $1, false)", &[&token]);
    }
}

/// `Some` of an owned string, to compare with.
pub fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}
