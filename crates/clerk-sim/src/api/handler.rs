//! From a request to its answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::any;
use serde_json::json;

use super::access;
use super::error::ApiError;
use super::fault::ApiFault;
use super::population::Population;
use super::query::Query;
use super::reply::Reply;
use super::route::Endpoint;
use super::settings::ApiSettings;
use crate::connection::Wire;
use crate::random::random_hex;
use crate::server::Instance;
use crate::world::{Resource, Scope};

/// Everything below `/v1`.
pub(crate) fn router() -> Router<Arc<Instance>> {
    Router::new()
        .route("/v1/", any(handle))
        .route("/v1/{*path}", any(handle))
}

async fn handle(
    State(instance): State<Arc<Instance>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response {
    let path = request.uri().path().strip_prefix("/v1").unwrap_or_default();
    let number = instance.api.journal().begin(&request, path);
    let (reply, fault) = instance.decide(path, &request);
    instance
        .api
        .journal()
        .end(number, reply.status.as_u16(), fault.as_ref());
    instance.go_on_living(number);
    match fault {
        Some(fault) => fault.deliver(reply, &wire).await,
        None => reply.send(),
    }
}

impl Instance {
    /// What is answered, and what is to happen to the answer on its way.
    fn decide(&self, path: &str, request: &Request) -> (Reply, Option<ApiFault>) {
        let endpoint = Endpoint::find(request.method(), path);
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let settings = self.api.settings().clone();
        if let Err(error) = self.let_in(request, &query, endpoint.as_ref(), &settings) {
            let moment_ms = self.with_population(|population| population.look());
            return (Reply::at(moment_ms).error(&error), None);
        }
        let is_list = matches!(endpoint, Some(Endpoint::List(_)));
        let fault = self.api.faults().next(path, is_list);
        // One lock over both: the moment is that at which the answer is true.
        let (moment_ms, answer) = self.with_population(|population| {
            let moment_ms = population.look();
            let answer = endpoint
                .ok_or_else(|| ApiError::not_found("The URL was not found".to_owned()))
                .and_then(|endpoint| {
                    self.answer(population, &endpoint, path, &query, &settings, fault.as_ref())
                });
            (moment_ms, answer)
        });
        let reply = match answer {
            Ok(body) => Reply::at(moment_ms).ok(body),
            Err(error) => Reply::at(moment_ms).error(&error),
        };
        match fault {
            Some(fault) => (fault.replace(reply), Some(fault)),
            None => (reply, None),
        }
    }

    fn let_in(
        &self,
        request: &Request,
        query: &Query,
        endpoint: Option<&Endpoint>,
        settings: &ApiSettings,
    ) -> Result<(), ApiError> {
        access::check_key(request.headers(), &settings.secret_key)?;
        access::check_version(request.headers(), query)?;
        // Clerk sets no limit to its keys.
        if let (Some(limit), true) = (settings.rate_limit, endpoint != Some(&Endpoint::Jwks)) {
            self.api.limiter().count(limit)?;
        }
        Ok(())
    }

    fn answer(
        &self,
        population: &dyn Population,
        endpoint: &Endpoint,
        path: &str,
        query: &Query,
        settings: &ApiSettings,
        fault: Option<&ApiFault>,
    ) -> Result<String, ApiError> {
        settings.allow(endpoint)?;
        match endpoint {
            Endpoint::List(list) => {
                let mut wanted = query.wanted(list)?;
                wanted.shuffle = settings.shuffle_ties.then_some(0);
                let wanted = self.api.faults().turn_page(path, wanted, fault);
                let is_counted = query.is_counted(list.form)?;
                super::lists::render(population, wanted, is_counted, settings, fault)
            }
            Endpoint::CountUsers => {
                let conditions = query.conditions(Resource::Users, &Scope::Instance)?;
                let count = population.count(Resource::Users, &conditions)?;
                Ok(json!({ "object": "total_count", "total_count": count }).to_string())
            }
            Endpoint::One(resource, id) => population
                .one(*resource, id, query.counts_members()?)
                .ok_or_else(|| ApiError::no_such(*resource, id)),
            Endpoint::Subscription(payer) => {
                let subscription = population.subscription_of(payer)?;
                subscription.ok_or_else(ApiError::no_subscription)
            }
            Endpoint::Instance => Ok(json!({
                "object": "instance",
                "id": self.id,
                "environment_type": settings.environment(),
                "allowed_origins": null,
                "workspace_id": null,
            })
            .to_string()),
            Endpoint::Jwks => Ok(self.keys().jwks().to_string()),
            Endpoint::SvixUrl => {
                let url = format!("https://app.svix.com/login#key={}", random_hex(16));
                Ok(json!({ "svix_url": url }).to_string())
            }
        }
    }
}
