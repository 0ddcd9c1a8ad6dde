//! The requests about the Backend API: what it is like, what goes wrong, what was asked.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, bad_request, parse};
use crate::api::{ApiRequest, ApiSettings, Chaos, FaultPlan, Pace, new_secret_key};
use crate::crowd::{Crowd, CrowdOptions};
use crate::server::Instance;
use crate::world::Event;

/// Who settles in the world before anybody listened.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettleRequest {
    /// How many people.
    pub users: usize,
    /// How many organizations, each with a member.
    pub organizations: usize,
    /// How many memberships in all.
    pub memberships: usize,
}

/// How much time goes by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassRequest {
    /// Milliseconds.
    pub ms: i64,
}

pub(super) fn router() -> Router<Arc<Instance>> {
    Router::new()
        .route("/sim/api", get(settings).patch(change_settings))
        .route("/sim/api/rotate", post(rotate))
        .route("/sim/api/faults", post(plan_fault))
        .route("/sim/api/chaos", post(set_chaos))
        .route("/sim/api/faults", delete(clear_faults))
        .route("/sim/api/requests", get(requests))
        .route("/sim/api/life", post(set_pace))
        .route("/sim/api/events", get(take_events))
        .route("/sim/api/crowd", post(set_crowd).delete(end_crowd))
        .route("/sim/world/settle", post(settle))
        .route("/sim/world/pass", post(pass))
}

async fn settings(State(instance): State<Arc<Instance>>) -> Json<ApiSettings> {
    Json(instance.api.settings().clone())
}

/// Changes what the body names and leaves the rest.
async fn change_settings(
    State(instance): State<Arc<Instance>>,
    body: Bytes,
) -> Result<Json<ApiSettings>, Refusal> {
    let changes: serde_json::Map<String, Value> = parse(&body)?;
    let mut settings = instance.api.settings();
    let mut changed = json!(*settings);
    for (name, value) in changes {
        changed[name] = value;
    }
    *settings = serde_json::from_value(changed).map_err(|error| bad_request(error.to_string()))?;
    Ok(Json(settings.clone()))
}

async fn rotate(State(instance): State<Arc<Instance>>) -> Json<Value> {
    let secret_key = new_secret_key();
    instance.api.settings().secret_key.clone_from(&secret_key);
    Json(json!({ "secret_key": secret_key }))
}

async fn plan_fault(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let plan: FaultPlan = parse(&body)?;
    instance.api.faults().plan(plan);
    Ok(StatusCode::NO_CONTENT)
}

async fn set_chaos(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let chaos: Chaos = parse(&body)?;
    instance.api.faults().set_chaos(chaos);
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(instance): State<Arc<Instance>>) -> StatusCode {
    instance.api.faults().clear();
    StatusCode::NO_CONTENT
}

async fn requests(State(instance): State<Arc<Instance>>) -> Json<Vec<ApiRequest>> {
    Json(instance.api.journal().requests().to_vec())
}

async fn set_pace(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let pace: Pace = parse(&body)?;
    instance.api.life().set_pace(pace);
    Ok(StatusCode::NO_CONTENT)
}

async fn take_events(State(instance): State<Arc<Instance>>) -> Json<Vec<Event>> {
    Json(instance.api.life().take_events())
}

async fn set_crowd(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let options: CrowdOptions = parse(&body)?;
    *instance.api.crowd() = Some(Crowd::new(options));
    Ok(StatusCode::NO_CONTENT)
}

async fn end_crowd(State(instance): State<Arc<Instance>>) -> StatusCode {
    *instance.api.crowd() = None;
    StatusCode::NO_CONTENT
}

async fn settle(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let request: SettleRequest = parse(&body)?;
    let SettleRequest {
        users,
        organizations,
        memberships,
    } = request;
    if memberships.max(organizations) > users * organizations {
        return Err(bad_request("that many memberships would need twins".to_owned()));
    }
    let mut world = instance.world();
    world.settle(users, organizations, memberships);
    Ok(Json(json!({ "now_ms": world.now_ms() })))
}

async fn pass(State(instance): State<Arc<Instance>>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let request: PassRequest = parse(&body)?;
    let mut world = instance.world();
    world.pass(request.ms);
    Ok(Json(json!({ "now_ms": world.now_ms() })))
}
