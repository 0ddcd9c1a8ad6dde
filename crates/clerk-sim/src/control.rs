//! The simulator's own HTTP interface, for shells and other languages.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /sim/tokens` | a [`TokenRequest`] | `{"token": "…"}` |
//! | `POST /sim/rotate` | `{"kid": "same"}`, `"new"` or `"overlap"` | `{"kid": "…"}`, the one that signs now |
//! | `POST /sim/fault` | a [`Fault`](crate::Fault), for example `{"kind": "stall"}` | nothing, 204 |
//! | `GET /sim/stats` | | `{"jwks_requests": 3}` |
//! | `GET /sim/jwks` | | the current set, whatever fault is on |
//! | `POST /sim/world` | [`WorldOptions`](crate::WorldOptions), `{}` at least: a new world | `{"now_ms": …}` |
//! | `POST /sim/world/step` | a [`StepRequest`], for example `{"n": 5}` | the [events](crate::Event), an array |
//! | `POST /sim/world/marker` | a [`MarkerRequest`] | the event that shows it, in an array |
//! | `GET /sim/world/truth` | | the [`Truth`](crate::Truth) |
//! | `GET /sim/world/api/<resource>` | | an [`ApiPage`](crate::ApiPage), for example of `users` |
//! | `POST /sim/world/deliver` | a [`DeliverRequest`]: really POSTs signed deliveries, again where the answer is not 2xx | a [`Report`](crate::Report) |
//! | `POST /sim/world/sign` | a [`SignRequest`]: a secret and an event | [`SvixHeaders`](crate::SvixHeaders) |
//! | `POST /sim/world/settle` | a [`SettleRequest`]: people and organizations of whom no event tells | `{"now_ms": …}` |
//! | `POST /sim/world/pass` | a [`PassRequest`]: time goes by | `{"now_ms": …}` |
//! | `GET /sim/api` | | the Backend API's [`ApiSettings`](crate::ApiSettings), the secret key among them |
//! | `PATCH /sim/api` | what is to change of them, for example `{"rate_limit": null}` | all of them |
//! | `POST /sim/api/rotate` | | `{"secret_key": "sk_test_…"}`; the old one is revoked |
//! | `POST /sim/api/faults` | a [`FaultPlan`](crate::FaultPlan) for requests to come | nothing, 204 |
//! | `POST /sim/api/chaos` | a [`Chaos`](crate::Chaos): faults by chance, `{}` at least | nothing, 204 |
//! | `DELETE /sim/api/faults` | | nothing, 204; all goes well from now on |
//! | `GET /sim/api/requests` | | every [`ApiRequest`](crate::ApiRequest) so far, an array |
//! | `POST /sim/api/life` | `{"every": 2, "steps": 3}`: so many steps after every so many requests; `every` 0 stops it | nothing, 204 |
//! | `GET /sim/api/events` | | the [events](crate::Event) of those steps since the last time, an array |
//! | `POST /sim/api/crowd` | [`CrowdOptions`](crate::CrowdOptions): a crowd instead of the world | nothing, 204 |
//! | `DELETE /sim/api/crowd` | | nothing, 204; the world again |
//!
//! Clerk's own interface, with Clerk's rules, is at `/v1` (the Backend API) and `/.well-known/jwks.json`.
//!
//! Bodies are read as JSON whatever their media type. What cannot be understood is answered 400 and the reason.

mod api;
mod world;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::keys::{Algorithm, Rotation};
use crate::server::Instance;
use crate::tokens::Token;

pub use api::{PassRequest, SettleRequest};
pub use world::{DeliverRequest, MarkerRequest, SignRequest, StepRequest};

/// A token to mint. Everything may be left out: `{}` is a session token of `user_sim`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRequest {
    /// `session` (the default), `session_v1`, `template`, `m2m`, `oauth` or `id_token`.
    pub class: Class,
    /// The `sub`: a user id, or a machine id (`mch_…`) for `m2m`.
    pub user_id: Option<String>,
    /// The active organization.
    pub organization: Option<Organization>,
    /// Claims to set; null removes one.
    pub claims: Map<String, Value>,
    /// Header parameters to set; null removes one.
    pub header: Map<String, Value>,
    /// Seconds until `exp`, 60 by default; negative is an expired token.
    pub expires_in: i64,
    /// `RS256` (the default), `RS384`, `RS512` or `PS256`.
    pub algorithm: Algorithm,
    /// Who signs.
    pub key: Signer,
}

impl Default for TokenRequest {
    fn default() -> Self {
        Self {
            class: Class::Session,
            user_id: None,
            organization: None,
            claims: Map::new(),
            header: Map::new(),
            expires_in: 60,
            algorithm: Algorithm::Rs256,
            key: Signer::Current,
        }
    }
}

/// The classes of token; the constructors of [`Token`] describe them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the constructor of the same name")]
pub enum Class {
    Session,
    SessionV1,
    Template,
    M2m,
    Oauth,
    IdToken,
}

/// The organization that is active in a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// `org_…`.
    pub id: String,
    /// Left out where slugs are off.
    pub slug: Option<String>,
    /// With or without `org:`.
    pub role: String,
    /// Full keys, such as `org:posts:read`.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// The key that signs a token.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signer {
    /// The instance's current key.
    Current,
    /// A key that was never published, under the current kid.
    Stranger,
}

#[derive(Deserialize)]
struct RotateRequest {
    kid: Rotation,
}

/// Why a request was refused.
type Refusal = (StatusCode, String);

pub(crate) fn router() -> Router<Arc<Instance>> {
    Router::new()
        .route("/sim/tokens", post(mint))
        .route("/sim/rotate", post(rotate))
        .route("/sim/fault", post(set_fault))
        .route("/sim/stats", get(stats))
        .route("/sim/jwks", get(jwks))
        .merge(api::router())
        .merge(world::router())
}

async fn mint(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let request: TokenRequest = parse(&body)?;
    let (algorithm, signer) = (request.algorithm, request.key);
    let token = request.token(&instance.issuer).map_err(bad_request)?;
    let keys = instance.keys();
    let token = match signer {
        Signer::Current => token.sign_with(&keys, algorithm),
        Signer::Stranger => token.sign_with(&keys.stranger(), algorithm),
    };
    Ok(Json(json!({ "token": token })))
}

async fn rotate(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let request: RotateRequest = parse(&body)?;
    Ok(Json(json!({ "kid": instance.rotate(request.kid) })))
}

async fn set_fault(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<StatusCode, Refusal> {
    instance.set_fault(parse(&body)?);
    Ok(StatusCode::NO_CONTENT)
}

async fn stats(State(instance): State<Arc<Instance>>) -> Json<Value> {
    Json(json!({ "jwks_requests": instance.jwks_requests() }))
}

async fn jwks(State(instance): State<Arc<Instance>>) -> Json<Value> {
    Json(instance.keys().jwks())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))
}

fn bad_request(reason: String) -> Refusal {
    (StatusCode::BAD_REQUEST, format!("{reason}\n"))
}

impl TokenRequest {
    /// The token asked for. Fails with the reason if a permission is not a full key.
    fn token(self, issuer: &str) -> Result<Token, String> {
        let subject = |default: &'static str| self.user_id.as_deref().unwrap_or(default);
        let mut token = match self.class {
            Class::Session => Token::session(issuer, subject("user_sim")),
            Class::SessionV1 => Token::session_v1(issuer, subject("user_sim")),
            Class::Template => Token::template(issuer, subject("user_sim")),
            Class::M2m => Token::m2m(issuer, subject("mch_sim")),
            Class::Oauth => Token::oauth(issuer, subject("user_sim")),
            Class::IdToken => Token::id_token(issuer, subject("user_sim")),
        };
        token = token.expires_in(self.expires_in);
        if let Some(organization) = &self.organization {
            let features = organization.features()?;
            let features: Vec<(&str, &[&str])> = features
                .iter()
                .map(|(feature, verbs)| (*feature, verbs.as_slice()))
                .collect();
            let slug = organization.slug.as_deref();
            token = token.organization(&organization.id, slug, &organization.role, &features);
        }
        for (name, value) in self.claims {
            token = if value.is_null() {
                token.without(&name)
            } else {
                token.claim(&name, value)
            };
        }
        for (name, value) in self.header {
            token = token.header(&name, value);
        }
        Ok(token)
    }
}

impl Organization {
    /// The permissions' verbs by feature, features in the order of their first permission.
    fn features(&self) -> Result<Vec<(&str, Vec<&str>)>, String> {
        let mut features: Vec<(&str, Vec<&str>)> = Vec::new();
        for permission in &self.permissions {
            let (feature, verb) = permission
                .strip_prefix("org:")
                .and_then(|key| key.split_once(':'))
                .ok_or_else(|| {
                    format!("permission {permission:?} is not of the form org:<feature>:<verb>")
                })?;
            match features.iter_mut().find(|(known, _)| *known == feature) {
                Some((_, verbs)) => verbs.push(verb),
                None => features.push((feature, vec![verb])),
            }
        }
        Ok(features)
    }
}
