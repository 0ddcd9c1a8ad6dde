//! A SQL function that may be called with events.

use clerk_core::quote;
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::error::Fault;
use crate::mirror::prepared::{Prepared, Row};
use crate::operations::sql;

/// A function that the current role may be made to call.
pub struct Function {
    /// With its schema, both quoted where they need it.
    name: String,
}

/// Code of a third party must not run with the rights of who registered it. The name of a dropped function, for one, is free
/// for whoever may create one in its schema.
static DESCRIBE: Prepared = Prepared::new(
    "SELECT format('%I.%I', n.nspname, p.proname),
            p.prokind = 'f' AND p.pronargs = 1 AND p.proargtypes[0] = 'jsonb'::regtype,
            has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE'),
            p.prosecdef OR author.rolsuper OR (NOT me.rolsuper AND pg_has_role(author.oid, me.oid, 'MEMBER')),
            author.rolname::text, me.rolname::text
     FROM pg_proc AS p
     JOIN pg_namespace AS n ON n.oid = p.pronamespace
     JOIN pg_roles AS author ON author.oid = p.proowner
     JOIN pg_roles AS me ON me.rolname = current_user
     WHERE p.oid = $1",
    &[pg_sys::OIDOID],
);

static NAMED: Prepared = Prepared::new(
    "SELECT to_regprocedure($1 || '(pg_catalog.jsonb)')::oid",
    &[pg_sys::TEXTOID],
);

/// What the catalogs say of a function.
struct Description {
    name: String,
    is_signature_right: bool,
    is_executable: bool,
    is_trusted: bool,
    author: String,
    me: String,
}

fn describe(row: &Row) -> Description {
    Description {
        name: row.required(1),
        is_signature_right: row.get(2).unwrap_or(false),
        is_executable: row.get(3).unwrap_or(false),
        is_trusted: row.get(4).unwrap_or(false),
        author: row.required(5),
        me: row.required(6),
    }
}

impl Function {
    /// The function with that oid, for the current role.
    pub fn with_oid(oid: pg_sys::Oid) -> Result<Self, Fault> {
        let found = DESCRIBE.query(&[oid.into_datum()], describe).pop();
        let function = found.ok_or_else(|| missing(&format!("with oid {}", oid.to_u32())))?;
        let denied = PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE;
        let (name, author, me) = (&function.name, &function.author, &function.me);
        if !function.is_signature_right {
            return Err(Fault::argument(
                format!("function {name} cannot be called with an event"),
                format!("A handler takes one argument: CREATE FUNCTION {name}(event jsonb) RETURNS void …"),
            ));
        }
        if !function.is_executable {
            return Err(Fault::new(
                denied,
                format!("role {} may not call function {name}(jsonb)", quote(me)),
                "Grant it EXECUTE on the function and USAGE on the schema.",
            ));
        }
        if !function.is_trusted {
            return Err(Fault::new(
                denied,
                format!(
                    "function {name}(jsonb) belongs to {}, whose code must not run as {}",
                    quote(author),
                    quote(me)
                ),
                "Let its owner register it (who needs EXECUTE on clerk.on_event), declare it SECURITY DEFINER, or change its owner.",
            ));
        }
        Ok(Self { name: function.name })
    }

    /// The function of that name, for the current role.
    pub fn named(name: &str) -> Result<Self, Fault> {
        let oid = NAMED.query(&[name.into_datum()], |row| row.get::<pg_sys::Oid>(1));
        let oid = oid.into_iter().next().flatten();
        Self::with_oid(oid.ok_or_else(|| missing(&format!("{name}(jsonb)")))?)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls it with an event, given as JSON that jsonb can hold, and members that are added to it.
    pub fn call(&self, event: &str, members: &str) {
        let statement = format!("SELECT {}($1::jsonb || $2::jsonb)", self.name);
        let arguments = [event.into(), members.into()];
        sql::query(|| Spi::connect_mut(|client| client.update(&statement, None, &arguments).map(|_| ())));
    }
}

fn missing(what: &str) -> Fault {
    Fault::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
        format!("function {what} does not exist"),
        "Create it again, or drop the handler with clerk.drop_event_handler().",
    )
}
