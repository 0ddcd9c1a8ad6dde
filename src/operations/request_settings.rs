//! `clerk.configure_requests`: what `clerk.pre_request()` asks of a request.

use clerk_core::quote;
use pgrx::prelude::*;

use super::arguments::elements;
use super::sql;
use crate::error::Fault;

/// Headers that mean something else to PostgREST or are not shown by it.
const TAKEN: [&str; 4] = ["authorization", "apikey", "cookie", "host"];

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn configure_requests(
    only_clerk: default!(Option<bool>, "NULL"),
    exempt_roles: default!(Option<Vec<Option<String>>>, "NULL"),
    token_header: default!(Option<String>, "NULL"),
    anonymous_role: default!(Option<String>, "NULL"),
    signed_in_role: default!(Option<String>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(only_clerk, bool),
        name!(exempt_roles, Vec<String>),
        name!(token_header, String),
        name!(anonymous_role, String),
        name!(signed_in_role, String),
    ),
> {
    let before = lock();
    let named = [&anonymous_role, &signed_in_role].map(Option::is_some);
    let after = Settings {
        only_clerk: only_clerk.unwrap_or(before.only_clerk),
        exempt_roles: exempt_roles.map_or(before.exempt_roles, |roles| elements("exempt_roles", roles)),
        token_header: token_header.map_or(before.token_header, |name| name.to_lowercase()),
        anonymous_role: anonymous_role.unwrap_or(before.anonymous_role),
        signed_in_role: signed_in_role.unwrap_or(before.signed_in_role),
    };
    after.check(named).unwrap_or_else(|fault| fault.raise());
    after.save();
    TableIterator::once((
        after.only_clerk,
        after.exempt_roles,
        after.token_header,
        after.anonymous_role,
        after.signed_in_role,
    ))
}

/// The part of `clerk.settings` about requests.
struct Settings {
    only_clerk: bool,
    exempt_roles: Vec<String>,
    /// Empty: none.
    token_header: String,
    anonymous_role: String,
    signed_in_role: String,
}

impl Settings {
    /// The roles must exist if they are `named`, or count because there is a header.
    fn check(&self, named: [bool; 2]) -> Result<(), Fault> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !self.token_header.bytes().all(fits) || TAKEN.contains(&self.token_header.as_str()) {
            return Err(Fault::argument(
                format!("token_header cannot be {}", quote(&self.token_header)),
                "Use letters, digits and hyphens, as in 'x-clerk-token'; '' for none. Authorization PostgREST verifies itself.",
            ));
        }
        let in_use = !self.token_header.is_empty();
        if named[0] || in_use {
            role(&self.anonymous_role)?;
        }
        if (named[1] || in_use) && role(&self.signed_in_role)? {
            return Err(Fault::argument(
                format!("policies do not hold for role {}", quote(&self.signed_in_role)),
                "Name a role for the people who are signed in, such as 'authenticated'.",
            ));
        }
        Ok(())
    }

    fn save(&self) {
        let update = "UPDATE clerk.settings AS s
             SET only_clerk = $1, exempt_roles = $2, token_header = $3, anonymous_role = $4, signed_in_role = $5
             WHERE s.only_row";
        sql::run(
            update,
            &[
                self.only_clerk.into(),
                self.exempt_roles.clone().into(),
                self.token_header.as_str().into(),
                self.anonymous_role.as_str().into(),
                self.signed_in_role.as_str().into(),
            ],
        );
    }
}

/// Whether row level security does not hold for that role, which must exist.
fn role(name: &str) -> Result<bool, Fault> {
    let select = "SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) $1";
    let found = sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, Some(1), &[name.into()])?;
            if rows.is_empty() {
                Ok(None)
            } else {
                rows.first().get_one::<bool>()
            }
        })
    });
    found.ok_or_else(|| {
        Fault::missing(
            format!("there is no role {}", quote(name)),
            "Name the role that PostgREST gives to requests without a token, and the one of people who are signed in.",
        )
    })
}

/// The settings, locked against other administrators. The table has the defaults, so the row is made if it is not there.
fn lock() -> Settings {
    sql::run("LOCK TABLE clerk.settings IN SHARE ROW EXCLUSIVE MODE", &[]);
    let insert = "INSERT INTO clerk.settings (only_row) VALUES (true) ON CONFLICT (only_row) DO NOTHING";
    sql::run(insert, &[]);
    let select = "SELECT s.only_clerk, s.exempt_roles, s.token_header, s.anonymous_role, s.signed_in_role
         FROM clerk.settings AS s";
    let read = || {
        Spi::connect_mut(|client| {
            let row = client.update(select, Some(1), &[])?.first();
            Ok::<_, pgrx::spi::Error>(Settings {
                only_clerk: row.get(1)?.unwrap_or_default(),
                exempt_roles: row.get(2)?.unwrap_or_default(),
                token_header: row.get(3)?.unwrap_or_default(),
                anonymous_role: row.get(4)?.unwrap_or_default(),
                signed_in_role: row.get(5)?.unwrap_or_default(),
            })
        })
    };
    sql::query(read)
}
