//! `clerk.remove_instance` and `clerk.set_identity_source`.

use clerk_core::quote;
use pgrx::prelude::*;

use super::arguments::yes_or_no;
use super::instances::Instance;
use super::{instances, keys, sql};
use crate::error::Fault;
use crate::mirror::forget::{Scope, forget_instance};
use crate::token::trust::IdentitySource;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn remove_instance(issuer: Option<&str>, forget_rows: default!(Option<bool>, "false")) -> Option<()> {
    let forget_rows = yes_or_no("forget_rows", forget_rows);
    let issuer = issuer?;
    instances::lock_all();
    let instance = keys::named(issuer);
    if forget_rows {
        forget_instance(rows_to_forget(&instance));
    }
    instances::delete(&instance.issuer);
    Some(())
}

/// Rows that name no instance may be another's.
fn rows_to_forget(instance: &Instance) -> Scope<'_> {
    let scope = instance.rows();
    if scope.instance_id.is_none() && !scope.is_only {
        Fault::prerequisite(
            format!(
                "the id of instance {} is not known, so its rows cannot be told from those of the others",
                quote(&instance.issuer)
            ),
            format!(
                "Run SELECT clerk.configure(issuer => {}, instance_id => 'ins_…') first. Rows that name no instance stay.",
                pgrx::spi::quote_literal(&instance.issuer)
            ),
        )
        .raise();
    }
    scope
}

#[pg_extern(strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_identity_source(source: Option<&str>) {
    let Some(source) = source else { return };
    if IdentitySource::parse(source).is_none() {
        Fault::argument(
            format!("unknown identity source {}", quote(source)),
            "Use 'auto' (request.jwt.claims when set, else clerk.jwt), 'claims' or 'token'.",
        )
        .raise();
    }
    sql::set(
        "UPDATE clerk.settings AS s SET identity_source = $1 WHERE s.only_row",
        &[source.into()],
    );
}
