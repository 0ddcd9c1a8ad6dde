//! The instance that an administrator means.

use clerk_core::quote;
use pgrx::prelude::*;

use crate::error::Fault;
use crate::mirror::prepared::Prepared;
use crate::operations::instances::{self, Instance};

/// The instance with that issuer or id, or the only one, if it has a secret key. Until the transaction ends nobody else can start a
/// run of it.
pub fn chosen(name: Option<&str>) -> Instance {
    let instance = find(name).unwrap_or_else(|fault| fault.raise());
    if !has_secret_key(&instance.issuer) {
        Fault::prerequisite(
            format!("instance {} has no secret key", quote(&instance.issuer)),
            "Run SELECT clerk.set_secret_key($1) with a secret key (sk_…) from the API keys page of Clerk's dashboard.",
        )
        .raise();
    }
    hold(&instance.issuer);
    instance
}

/// The instance with that issuer or id, or the only one.
pub fn find(name: Option<&str>) -> Result<Instance, Fault> {
    let mut all = instances::all();
    let Some(name) = name else {
        return match all.len() {
            1 => Ok(all.remove(0)),
            0 => Err(Fault::prerequisite(
                "no instance is configured",
                "Run SELECT * FROM clerk.configure(publishable_key => 'pk_…') first.",
            )),
            _ => Err(Fault::argument(
                "several instances are configured, so one must be named",
                "Pass instance => … with an issuer or an instance id; SELECT issuer, instance_id FROM clerk.instances lists them.",
            )),
        };
    };
    let is_meant =
        |instance: &Instance| instance.answers_to(name) || instance.instance_id.as_deref() == Some(name);
    all.into_iter().find(is_meant).ok_or_else(|| {
        Fault::missing(
            format!("no instance with issuer or id {} is configured", quote(name)),
            "SELECT issuer, instance_id FROM clerk.instances lists the configured ones.",
        )
    })
}

/// Whether a secret key of it is kept, here or in a vault.
pub fn has_secret_key(issuer: &str) -> bool {
    static HAS: Prepared = Prepared::new(
        "SELECT FROM clerk.secrets AS s WHERE s.kind = 'secret_key' AND s.issuer = $1",
        &[pg_sys::TEXTOID],
    );
    !HAS.query(&[issuer.into_datum()], |_| ()).is_empty()
}

/// Keeps others from starting a run of it meanwhile. Foreign keys to it can still be checked.
fn hold(issuer: &str) {
    static HOLD: Prepared = Prepared::new(
        "SELECT FROM clerk.instances AS i WHERE i.issuer = $1 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID],
    );
    HOLD.run(&[issuer.into_datum()]);
}

/// As [`hold`], unless somebody else does.
pub fn try_hold(issuer: &str) -> bool {
    static TRY: Prepared = Prepared::new(
        "SELECT FROM clerk.instances AS i WHERE i.issuer = $1 FOR NO KEY UPDATE SKIP LOCKED",
        &[pg_sys::TEXTOID],
    );
    !TRY.query(&[issuer.into_datum()], |_| ()).is_empty()
}
