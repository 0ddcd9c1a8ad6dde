//! `clerk.whoami()`: who the database thinks is asking, and what may be wrong with that.

use std::rc::Rc;

use clerk_core::{Claims, quote};
use pgrx::prelude::*;

use super::resolve::{Source, resolve};
use crate::token::trust::{self, IdentitySource, Trust};
use crate::token::verified::Credential;
use crate::{catalog, clock, settings};

/// Never raises for what the caller brought; the refusal is one of the problems.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity)]
fn whoami() -> TableIterator<
    'static,
    (
        name!(source, String),
        name!(database_role, String),
        name!(issuer, Option<String>),
        name!(user_id, Option<String>),
        name!(org_id, Option<String>),
        name!(org_role, Option<String>),
        name!(seconds_left, Option<f64>),
        name!(problems, Vec<String>),
    ),
> {
    let trust = trust::current();
    let source = Source::in_force(&trust);
    let mut problems = setup_problems(&trust, source);
    let role = catalog::current_role();
    // It reads no rows, so it tells how things are at this moment, also in the middle of a long statement.
    let now = clock::now();
    let resolved = resolve().and_then(|identity| {
        let times = identity.as_ref().and_then(|credential| credential.times);
        times.map_or(Ok(()), |times| times.judge(now))?;
        Ok(identity)
    });
    let credential: Option<Rc<Credential>> = match resolved {
        Ok(Some(credential)) => {
            problems.extend(role_problems(&role, &credential.claims));
            Some(credential)
        }
        Ok(None) => {
            problems.extend(absence_problems(&trust, source));
            problems.extend(bypass_problem(&role));
            None
        }
        Err(fault) => {
            problems.push(format!("{}. {}", fault.message(), fault.hint()));
            None
        }
    };
    let session = credential.as_ref().map(|credential| credential.session());
    let org = session.and_then(|session| session.org.as_ref());
    let expires_at = credential
        .as_ref()
        .and_then(|credential| credential.claims.times().expires_at());
    TableIterator::once((
        source_name(source).to_owned(),
        role.name,
        session.map(|session| session.issuer.clone()),
        session.map(|session| session.user_id.clone()),
        org.map(|org| org.id.clone()),
        org.and_then(|org| org.role.clone()),
        expires_at.map(|expires_at| (expires_at - now).round()),
        problems,
    ))
}

fn source_name(source: Source) -> &'static str {
    let (set, name) = match source {
        Source::Claims => (settings::has_request_claims(), "request.jwt.claims"),
        Source::Token => (settings::has_request_token(), "clerk.jwt"),
    };
    if set { name } else { "none" }
}

fn setup_problems(trust: &Trust, source: Source) -> Vec<String> {
    let mut problems = Vec::new();
    if trust.instances().is_empty() {
        problems.push(
            "No Clerk instance is configured. An administrator runs SELECT * FROM \
             clerk.configure(publishable_key => 'pk_…')."
                .to_owned(),
        );
    }
    if source == Source::Claims && settings::has_request_token() {
        problems.push(
            "clerk.jwt is set too but does not count: the identity comes from request.jwt.claims.".to_owned(),
        );
    }
    if trust.source == IdentitySource::Token && settings::has_request_claims() {
        problems.push(
            "request.jwt.claims is set and was ignored: the identity source of this database is token. If PostgREST, Storage or \
             Realtime set it, an administrator runs SELECT clerk.set_identity_source('auto')."
                .to_owned(),
        );
    }
    problems
}

/// Why somebody who is signed in may still see nothing, or everything.
fn role_problems(role: &catalog::Role, claims: &Claims) -> Vec<String> {
    let mut problems = Vec::new();
    if role.name == "anon" {
        problems.push(match claims.role() {
            // PostgREST writes the role that it chose into the claims, so a token without one arrives as "anon".
            None | Some("anon") => {
                "The token is valid but runs as anon: it has no role claim. In Clerk's dashboard add the claim \"role\": \
                 \"authenticated\" to the session token (Connect with Supabase does it)."
                    .to_owned()
            }
            Some(claimed) => format!(
                "The token is valid but runs as anon, although its role claim is {}: whoever opened the transaction did \
                 not switch the role.",
                quote(claimed)
            ),
        });
    }
    problems.extend(bypass_problem(role));
    problems
}

fn bypass_problem(role: &catalog::Role) -> Option<String> {
    role.bypasses_rls.then(|| {
        format!(
            "Role {} bypasses row level security, so policies do not apply.",
            role.name
        )
    })
}

/// The issuers of the anon and service keys that Supabase makes, and that its example configuration has.
const SUPABASE: &str = "supabase";
const SUPABASE_DEMO: &str = "supabase-demo";

/// Why nobody is signed in.
fn absence_problems(trust: &Trust, source: Source) -> Vec<String> {
    if source_name(source) == "none" {
        return vec![nothing_set(trust.source).to_owned()];
    }
    let text = match source {
        Source::Claims => settings::request_claims().to_string_lossy().into_owned(),
        Source::Token => return vec![pending()],
    };
    let claims = match Claims::parse(&text) {
        Ok(claims) => claims,
        Err(refusal) => return vec![format!("request.jwt.claims is of no use: {}.", refusal.message)],
    };
    match claims.iss() {
        None => {
            vec!["The claims have no issuer: an anonymous request, or a key of Supabase's own.".to_owned()]
        }
        Some(SUPABASE | SUPABASE_DEMO) => vec![format!(
            "{}: the client sent Supabase's own key, not the user's token (accessToken in supabase-js).",
            match claims.role() {
                None | Some("anon") => "An anonymous request".to_owned(),
                Some(role) => format!("A request as {}", quote(role)),
            }
        )],
        Some(issuer) if trust.instance(issuer).is_none() => vec![format!(
            "The claims are from {}, which is not a configured Clerk instance. If it is yours, configure it with \
             clerk.configure(issuer => …).",
            quote(issuer)
        )],
        Some(_) => vec![pending()],
    }
}

fn nothing_set(source: IdentitySource) -> &'static str {
    match source {
        IdentitySource::Auto => "Nobody is signed in: neither request.jwt.claims nor clerk.jwt is set.",
        IdentitySource::Claims => {
            "Nobody is signed in: request.jwt.claims is not set, and the identity source of this database is claims."
        }
        IdentitySource::Token => {
            "Nobody is signed in: clerk.jwt is not set, and the identity source of this database is token."
        }
    }
}

fn pending() -> String {
    "The session is pending: the user has unfinished tasks, such as choosing an organization, and counts as signed out."
        .to_owned()
}
