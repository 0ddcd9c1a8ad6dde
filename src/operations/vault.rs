//! Supabase Vault, where it is installed.

use pgrx::prelude::*;

use crate::subtransaction::attempt;

/// The secret of that name, as the current role may read it. None if there is no vault, no such secret, or no permission.
pub fn read(name: &str) -> Option<String> {
    // Prepared afresh every time: the vault may come and go, and a secret in it may change unnoticed.
    let select = "SELECT s.decrypted_secret::pg_catalog.text FROM vault.decrypted_secrets AS s
         WHERE s.name OPERATOR(pg_catalog.=) $1 LIMIT 1";
    let read = || {
        Spi::connect(|client| {
            client
                .select(select, Some(1), &[name.into()])?
                .first()
                .get_one::<String>()
        })
    };
    attempt(read).ok()?.ok().flatten()
}
