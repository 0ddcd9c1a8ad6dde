//! Whom handlers run as.

use std::ffi::{CStr, CString};

use clerk_core::quote;
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::catalog;
use crate::error::Fault;

/// The owner of the tables of handlers, who could write whatever they say.
pub fn owner() -> pg_sys::Oid {
    catalog::table_owner(c"event_handlers")
}

/// The role that registered a handler, if the owner of the tables may become it: what they say about who registered what
/// gives nobody more rights than they have.
pub fn registrant(name: &str) -> Result<pg_sys::Oid, Fault> {
    let role = find(name).ok_or_else(|| {
        Fault::missing(
            format!("role {}, which registered the handler, does not exist", quote(name)),
            "Register the handler again as the role it is to run as, and drop this one with clerk.drop_event_handler().",
        )
    })?;
    let owner = owner();
    if may_become(owner, role) {
        return Ok(role);
    }
    let message = format!(
        "the owner of extension clerk_sync, {}, may not run a handler as {}",
        quote(&name_of(owner)),
        quote(name)
    );
    let hint = if is_superuser(role) {
        "Register the handler as a role that is no superuser.".to_owned()
    } else {
        format!(
            "Run GRANT {} TO {}.",
            pgrx::spi::quote_identifier(name),
            pgrx::spi::quote_identifier(name_of(owner))
        )
    };
    Err(Fault::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        message,
        hint,
    ))
}

/// Whether `owner` may SET ROLE to `role`. Only a superuser becomes a superuser, whatever memberships say.
fn may_become(owner: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    if is_superuser(role) {
        return is_superuser(owner);
    }
    // SAFETY: looks both roles up in caches.
    unsafe {
        #[cfg(feature = "pg15")]
        return pg_sys::is_member_of_role(owner, role);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::member_can_set_role(owner, role);
    }
}

/// Whether the current role has the rights of the owner of the tables of handlers, or of the role of that name.
pub fn acts_for_owner_or(name: &str) -> bool {
    let has = |role| {
        // SAFETY: looks both roles up in caches.
        unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), role) }
    };
    has(owner()) || find(name).is_some_and(has)
}

fn find(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a NUL-terminated name; that there is none is allowed.
    let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (role != pg_sys::InvalidOid).then_some(role)
}

fn is_superuser(role: pg_sys::Oid) -> bool {
    // SAFETY: looks a role up in a cache.
    unsafe { pg_sys::superuser_arg(role) }
}

fn name_of(role: pg_sys::Oid) -> String {
    // SAFETY: the name of an existing role, copied.
    unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)) }
        .to_string_lossy()
        .into_owned()
}
