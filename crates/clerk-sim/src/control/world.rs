//! The requests about the living population.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, bad_request, parse};
use crate::network::Network;
use crate::sender::{Report, Sender, now_s};
use crate::server::Instance;
use crate::signature::{SigningSecret, SvixHeaders};
use crate::world::{ApiPage, Event, Resource, Truth, World, WorldOptions};

/// How far to go on.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepRequest {
    /// How many things shall happen, 1 by default. One can give rise to several events.
    pub n: usize,
}

impl Default for StepRequest {
    fn default() -> Self {
        Self { n: 1 }
    }
}

/// Whose personal data shall contain what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkerRequest {
    /// A person who exists.
    pub user_id: String,
    /// Letters and digits.
    pub marker: String,
}

/// What to deliver where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverRequest {
    /// Plain HTTP.
    pub url: String,
    /// `whsec_…`.
    pub secret: String,
    /// Events that have happened, or none: then `n` things happen now.
    pub events: Option<Vec<Event>>,
    /// How many things shall happen, 1 by default.
    #[serde(default = "one")]
    pub n: usize,
    /// What happens on the way; nothing by default.
    #[serde(default)]
    pub network: Network,
    /// How often a delivery that is not answered 2xx is tried, 3 by default.
    #[serde(default = "three")]
    pub tries: usize,
    /// Milliseconds between two tries, 200 by default.
    #[serde(default = "pause")]
    pub pause_ms: u64,
}

fn one() -> usize {
    1
}

fn three() -> usize {
    3
}

fn pause() -> u64 {
    200
}

/// What to sign.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// `whsec_…`.
    pub secret: String,
    /// An event that has happened.
    pub event: Event,
    /// Seconds since 1970; now by default.
    pub timestamp: Option<i64>,
}

pub(super) fn router() -> Router<Arc<Instance>> {
    Router::new()
        .route("/sim/world", post(reset))
        .route("/sim/world/step", post(step))
        .route("/sim/world/marker", post(plant_marker))
        .route("/sim/world/truth", get(truth))
        .route("/sim/world/api/{resource}", get(api_page))
        .route("/sim/world/deliver", post(deliver))
        .route("/sim/world/sign", post(sign))
}

async fn reset(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let options: WorldOptions = parse(&body)?;
    let mut world = instance.world();
    *world = World::new(options);
    Ok(Json(json!({ "now_ms": world.now_ms() })))
}

async fn step(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Vec<Event>>, Refusal> {
    let request: StepRequest = parse(&body)?;
    Ok(Json(steps(&instance, request.n)))
}

async fn plant_marker(
    State(instance): State<Arc<Instance>>,
    body: Bytes,
) -> Result<Json<Vec<Event>>, Refusal> {
    let request: MarkerRequest = parse(&body)?;
    let events = instance.world().plant_marker(&request.user_id, &request.marker);
    if events.is_empty() {
        return Err(bad_request(format!("there is no user {:?}", request.user_id)));
    }
    Ok(Json(events))
}

async fn truth(State(instance): State<Arc<Instance>>) -> Json<Truth> {
    Json(instance.world().truth())
}

async fn api_page(
    State(instance): State<Arc<Instance>>,
    Path(resource): Path<String>,
) -> Result<Json<ApiPage>, Refusal> {
    let resource: Resource = resource
        .parse()
        .map_err(|reason| (StatusCode::NOT_FOUND, format!("{reason}\n")))?;
    Ok(Json(instance.world().api_page(resource)))
}

/// Delivers on a thread of its own, so that the simulator answers meanwhile.
async fn deliver(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Report>, Refusal> {
    let request: DeliverRequest = parse(&body)?;
    let secret = SigningSecret::parse(&request.secret).map_err(bad_request)?;
    let events = match request.events {
        Some(events) => events,
        None => steps(&instance, request.n),
    };
    let pause = Duration::from_millis(request.pause_ms);
    let sender = Sender::new(&request.url, secret, request.tries, pause);
    let deliveries = request.network.deliver(&events);
    let report = tokio::task::spawn_blocking(move || sender.send(&events, &deliveries)).await;
    Ok(Json(report.expect("sending does not panic")))
}

async fn sign(body: Bytes) -> Result<Json<SvixHeaders>, Refusal> {
    let request: SignRequest = parse(&body)?;
    let secret = SigningSecret::parse(&request.secret).map_err(bad_request)?;
    let timestamp_s = request.timestamp.unwrap_or_else(now_s);
    Ok(Json(secret.sign(
        &request.event.svix_id,
        timestamp_s,
        &request.event.body,
    )))
}

fn steps(instance: &Instance, n: usize) -> Vec<Event> {
    let mut world = instance.world();
    (0..n).flat_map(|_| world.step()).collect()
}
