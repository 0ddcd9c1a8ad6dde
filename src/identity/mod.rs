//! Who is asking: the answers that policies are written with.
//!
//! `resolve` works out the identity from the settings, `answers` keeps it and its values for as long as nothing has
//! changed (`stamp`), `expiry` says until when a token counts, and `helpers`, `has` and `claims` are the SQL functions on top.

mod answers;
mod authenticate;
mod claims;
pub mod datums;
mod expiry;
mod has;
mod helpers;
pub mod problems;
mod requests;
mod resolve;
pub mod stamp;
mod whoami;

use crate::call::Call;
use crate::token::trust;

/// Who is signed in, for functions that write on their behalf.
pub struct Caller {
    /// The instance, by its own name.
    pub issuer: String,
    pub user_id: String,
    pub organization_id: Option<String>,
}

/// Who is signed in; None if nobody is. Raises as the helpers do.
pub fn caller(call: &Call) -> Option<Caller> {
    let credential = answers::identity(call)?;
    let session = credential.session();
    let trust = trust::current();
    let instance = trust.instance(credential.claims.iss()?)?;
    Some(Caller {
        issuer: instance.issuer.clone(),
        user_id: session.user_id.clone(),
        organization_id: session.org.as_ref().map(|organization| organization.id.clone()),
    })
}
