//! `clerk.configure`: says which Clerk instance this database trusts.

use clerk_core::quote;
use pgrx::prelude::*;

use super::arguments::{elements, yes_or_no};
use super::key_store::{self, Origin};
use super::mirror_arguments::MirrorArguments;
use super::plan::{self, Request};
use super::{instances, keys, sql};
use crate::error::Fault;
use crate::mirror::forget::forget_fields;
use crate::mirror::setup;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // the SQL interface: all optional, called by name
#[allow(clippy::type_complexity)]
fn configure(
    publishable_key: default!(Option<String>, "NULL"),
    issuer: default!(Option<String>, "NULL"),
    jwks_url: default!(Option<String>, "NULL"),
    authorized_parties: default!(Option<Vec<Option<String>>>, "NULL"),
    audiences: default!(Option<Vec<Option<String>>>, "NULL"),
    accept_template_tokens: default!(Option<bool>, "NULL"),
    treat_pending_as_signed_out: default!(Option<bool>, "NULL"),
    allow_missing_azp: default!(Option<bool>, "NULL"),
    other_issuers: default!(Option<Vec<Option<String>>>, "NULL"),
    additional: default!(Option<bool>, "false"),
    mirror: default!(Option<Vec<Option<String>>>, "NULL"),
    exclude_fields: default!(Option<Vec<Option<String>>>, "NULL"),
    keep_private_metadata: default!(Option<bool>, "NULL"),
    keep_event_attributes: default!(Option<bool>, "NULL"),
    instance_id: default!(Option<String>, "NULL"),
    api_url: default!(Option<String>, "NULL"),
    clock_skew_seconds: default!(Option<i32>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(issuer, String),
        name!(jwks_url, Option<String>),
        name!(environment, String),
        name!(keys, i32),
        name!(warnings, Vec<String>),
    ),
> {
    if api_url.is_some() {
        only_by_the_owner();
    }
    let request = Request {
        publishable_key: trimmed(publishable_key),
        issuer: trimmed(issuer),
        jwks_url: trimmed(jwks_url),
        api_url: trimmed(api_url),
        authorized_parties: list("authorized_parties", authorized_parties),
        audiences: list("audiences", audiences),
        accept_template_tokens,
        treat_pending_as_signed_out,
        allow_missing_azp,
        other_issuers: list("other_issuers", other_issuers),
        additional: yes_or_no("additional", additional),
        mirror: MirrorArguments {
            mirror: list("mirror", mirror),
            exclude_fields: list("exclude_fields", exclude_fields),
            keep_private_metadata,
            keep_event_attributes,
            instance_id: trimmed(instance_id),
        },
    };
    let is_stricter = request.mirror.may_store_less();
    let plan = plan::make(&instances::lock_all(), request).unwrap_or_else(|fault| fault.raise());
    if plan.stops_fetching {
        plan.former.as_deref().into_iter().for_each(refuse_to_drop_keys);
    }
    if let Some(seconds) = clock_skew_seconds {
        set_clock_skew(seconds);
    }
    let mut warnings = plan.warnings;
    instances::save(&plan.instance, plan.former.as_deref());
    if is_stricter {
        forget_fields(
            plan.instance.rows(),
            &setup::current().source(&plan.instance.issuer).policy,
        );
    }
    let issuer = plan.instance.issuer;
    if plan.forget_keys {
        instances::delete_keys(&issuer);
    }
    if let Some(url) = &plan.instance.jwks_url {
        match keys::fetch(&issuer, url) {
            Ok(keys) => key_store::replace(&issuer, &keys, Origin::Fetched),
            Err(fault) => {
                warnings.push(format!("{}. {}", fault.message(), fault.hint()));
                fault.warn();
            }
        }
    }
    let keys = instances::count_keys(&issuer);
    if keys == 0 && plan.instance.jwks_url.is_none() {
        warnings.push("no key is known yet: bring them with clerk.import_jwks(issuer, keys)".to_owned());
    }
    TableIterator::once((
        issuer,
        plan.instance.jwks_url,
        plan.instance.environment,
        keys,
        warnings,
    ))
}

/// Keys that were fetched are of no use where none are fetched any more: a rotated one would be believed for ever. And without keys
/// every token is refused.
fn refuse_to_drop_keys(issuer: &str) {
    let fetched = instances::count_fetched_keys(issuer);
    if fetched > 0 {
        Fault::argument(
            format!(
                "jwks_url => '' would drop the fetched keys of {} ({fetched}), and every token would be refused",
                quote(issuer)
            ),
            "To go on fetching, leave jwks_url out. To import keys from now on, run clerk.import_jwks(issuer, keys) and then \
             this call, both in one transaction.",
        )
        .raise();
    }
}

/// How far the clocks may be apart holds for the whole database.
fn set_clock_skew(seconds: i32) {
    if !(0..=60).contains(&seconds) {
        Fault::argument(
            format!("clock_skew_seconds must be from 0 to 60, and {seconds} is not"),
            "Clerk's SDKs use 5. If the clocks are further apart, set the server's by a time server.",
        )
        .raise();
    }
    let update = "UPDATE clerk.settings AS s SET clock_skew_seconds = $1 WHERE s.only_row";
    sql::set(update, &[seconds.into()]);
}

/// Blanks and line ends around a value come from copying it.
fn trimmed(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned())
}

/// The secret key is sent to that URL, and an administrator is not to learn it.
fn only_by_the_owner() {
    // SAFETY: reads who is logged in and who runs the function, and looks the roles up.
    let is_owner = unsafe { pg_sys::has_privs_of_role(pg_sys::GetOuterUserId(), pg_sys::GetUserId()) };
    if !is_owner {
        Fault::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "api_url can only be changed by the owner of clerk_sync, because the secret key is sent there",
            "Leave api_url out, or ask the owner of the extension to run clerk.configure(api_url => …).",
        )
        .raise();
    }
}

fn list(name: &str, list: Option<Vec<Option<String>>>) -> Option<Vec<String>> {
    let elements = list.map(|list| elements(name, list))?;
    Some(elements.iter().map(|element| element.trim().to_owned()).collect())
}
