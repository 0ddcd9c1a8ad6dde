//! `ensure_current_user`: rows for who is signed in, before any webhook has told of them.

use clerk_core::mirror::{Observation, Resource, placeholder_membership};
use pgrx::prelude::*;
use serde_json::json;

use super::lock_budget::{LockBudget, WAIT};
use super::setup;
use super::write::write;
use crate::call::Call;
use crate::identity;
use crate::{c_function, json};

c_function!(clerk_ensure_current_user, ensure_current_user);

/// Longest id that is taken from claims. Clerk's have 32 characters.
const MAX_ID_BYTES: usize = 64;

/// `ensure_current_user()`; NULL when nobody is signed in.
fn ensure_current_user(call: &Call) -> Option<pg_sys::Datum> {
    let caller = identity::caller(call)?;
    let user_id = Some(caller.user_id).filter(|id| is_id(id, "user_"))?;
    let organization_id = caller.organization_id.filter(|id| is_id(id, "org_"));
    let setup = setup::current();
    let source = setup.source(&caller.issuer);
    let instance_id = || source.instance_id.clone();
    let mut observations = vec![Observation::placeholder(
        Resource::Users,
        user_id.clone(),
        instance_id(),
    )];
    if let Some(organization_id) = &organization_id {
        let organization =
            Observation::placeholder(Resource::Organizations, organization_id.clone(), instance_id());
        observations.push(organization);
        observations.push(placeholder_membership(&user_id, organization_id, instance_id()));
    }
    observations.retain(|observation| source.policy.mirrors(observation.resource));
    write(observations, setup.deleted_users, &LockBudget::start(WAIT));
    let answer = json!({ "user_id": user_id, "organization_id": organization_id });
    Some(json::to_datum(&json::to_jsonb(&answer.to_string())))
}

/// Whether it looks like an id of Clerk's. Who can set claims freely must not fill our tables with anything.
fn is_id(id: &str, prefix: &str) -> bool {
    id.len() <= MAX_ID_BYTES
        && id.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
}
