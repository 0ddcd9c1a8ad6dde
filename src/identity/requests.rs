//! `clerk.check_request()`: what `clerk.pre_request()` is to do with a request of PostgREST's before it runs.
//!
//! PostgREST believes every token that one of its keys signed, and shows only the claims. Here the token itself is judged,
//! which also tells its kind and whether the key is the issuer's own.

use std::rc::Rc;

use clerk_core::{Claims, Jwt, Reason, Refusal, TokenType, judge_claims, quote};
use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use super::problems;
use super::resolve::{Source, signed_out};
use crate::call::Call;
use crate::error::Fault;
use crate::subtransaction::sqlstate_text;
use crate::token::trust::{self, Instance, Trust};
use crate::token::verified::Credential;
use crate::token::{instance_of, keys, verify};
use crate::{c_function, catalog, json, settings};

c_function!(clerk_check_request, check_request);

fn check_request(_call: &Call) -> Option<pg_sys::Datum> {
    let trust = trust::current();
    let headers = Headers::read();
    let verdict = judge(&trust, &headers).unwrap_or_else(|fault| {
        let own = headers.own_token(&trust).map(|(_, token)| token);
        match own.or(headers.bearer()) {
            Some(token) => problems::count_refused(&fault, token),
            None => problems::count_refused_caller(&fault),
        }
        refusal(fault)
    });
    Some(json::to_datum(&json::to_jsonb(&verdict)))
}

/// What to set for the request, as JSON text.
fn judge(trust: &Trust, headers: &Headers) -> Result<String, Fault> {
    if let Some((name, token)) = headers.own_token(trust) {
        return sign_in(trust, name, token);
    }
    let claims = settings::request_claims()
        .into_string()
        .ok()
        .and_then(|text| Claims::parse(&text).ok());
    let instance = claims
        .as_ref()
        .and_then(Claims::iss)
        .and_then(|issuer| trust.instance(issuer));
    match (claims, instance) {
        (Some(claims), Some(instance)) => check_clerks(trust, instance, &claims, headers.bearer()),
        (claims, _) => check_others(trust, claims.as_ref()),
    }
}

/// A token in a header of its own, beside an anonymous request.
fn sign_in(trust: &Trust, header: &str, token: &str) -> Result<String, Fault> {
    let role = catalog::current_role().name;
    if role != trust.requests.anonymous_role {
        return Err(refused(
            Reason::TokenInvalid,
            format!(
                "the request brings a token in {header} and acts as {} already",
                quote(&role)
            ),
            "Send the token either in Authorization or in that header, with the anon key in Authorization.",
        ));
    }
    let credential = verify_if_known(trust, token)?;
    if signed_out(trust, &credential.claims) {
        return Ok(bear(trust, ""));
    }
    Ok(format!(
        r#"{{"role": {}, "claims": {}{}}}"#,
        json!(trust.requests.signed_in_role),
        credential.payload,
        match Source::in_force(trust) {
            Source::Token => format!(r#", "jwt": {}"#, json!(token)),
            Source::Claims => String::new(),
        }
    ))
}

/// As [`verify`], but a token that fits no key is not refused for that (401) as long as newer keys are out of reach (503).
fn verify_if_known(trust: &Trust, token: &str) -> Result<Rc<Credential>, Fault> {
    verify(token, TokenType::Session).map_err(|fault| {
        let fits_no_key = [Reason::JwkKidMismatch, Reason::TokenInvalidSignature]
            .iter()
            .any(|reason| fault.reason() == Some(reason.as_str()));
        let jwt = fits_no_key.then(|| Jwt::decode(token).ok()).flatten();
        let issuer = jwt.as_ref().and_then(|jwt| instance_of(trust, jwt).ok());
        if !issuer.is_some_and(keys::are_out_of_reach) {
            return fault;
        }
        Refusal::new(
            Reason::JwkRemoteFailedToLoad,
            "no cached key fits the token, and newer ones could not be fetched",
            "Send the request again later. clerk.jwks_fetches says why they could not.",
        )
        .into()
    })
}

/// A token of Clerk's that PostgREST has verified.
fn check_clerks(
    trust: &Trust,
    instance: &Instance,
    claims: &Claims,
    bearer: Option<&str>,
) -> Result<String, Fault> {
    judge_claims(claims, TokenType::Session, &instance.rules())?;
    // Only what is not PostgREST leaves the token out, and then the claims are all there is.
    let Some(token) = bearer else {
        return Ok(bear(trust, ""));
    };
    let credential = verify(token, TokenType::Session)?;
    // Of a header that comes twice, PostgREST may verify one and show the other.
    if !same_token(&credential.claims, claims) {
        return Err(refused(
            Reason::TokenInvalid,
            "the token in Authorization is not the one that the request was let in with",
            "Send one Authorization header.",
        ));
    }
    Ok(bear(trust, token))
}

/// Nobody's claims, or those of somebody whom we do not know: anon and service keys, Supabase's own users.
fn check_others(trust: &Trust, claims: Option<&Claims>) -> Result<String, Fault> {
    let rules = &trust.requests;
    let role = catalog::current_role().name;
    if rules.only_clerk && role != rules.anonymous_role && !rules.exempt_roles.contains(&role) {
        let issuer = claims.and_then(Claims::iss);
        return Err(refused(
            Reason::TokenInvalidIssuer,
            match issuer {
                Some(issuer) => format!("the token's issuer {} is not configured", quote(issuer)),
                None => format!("the token that acts as {} names no issuer", quote(&role)),
            },
            "Send a session token of Clerk. clerk.configure_requests(exempt_roles => …) names roles that need none.",
        ));
    }
    Ok(bear(trust, ""))
}

/// Where the identity is `clerk.jwt`, that is set too, also to nothing: what an earlier request left in the session must not
/// count.
fn bear(trust: &Trust, token: &str) -> String {
    match Source::in_force(trust) {
        Source::Token => json!({ "jwt": token }).to_string(),
        Source::Claims => "{}".to_owned(),
    }
}

fn same_token(one: &Claims, other: &Claims) -> bool {
    let identity = |claims: &Claims| {
        let texts = [claims.iss(), claims.sub(), claims.sid(), claims.azp()];
        texts.map(|text| text.map(str::to_owned))
    };
    identity(one) == identity(other) && one.times() == other.times()
}

fn refused(reason: Reason, message: impl Into<String>, hint: &str) -> Fault {
    Refusal {
        reason,
        message: message.into(),
        hint: hint.to_owned(),
    }
    .into()
}

/// What the token brought upon itself is 401; that keys could not be looked for is 503. Anything else is an error of ours.
fn refusal(fault: Fault) -> String {
    let code = sqlstate_text(fault.sqlstate());
    let status = match &code[..2] {
        "28" => 401,
        "08" | "53" => 503,
        _ => fault.raise(),
    };
    json!({"refused": {
        "status": status, "code": code, "message": fault.message(), "details": fault.reason(), "hint": fault.hint(),
    }})
    .to_string()
}

/// The request's headers, with names in lower case, as PostgREST gives them.
struct Headers(Map<String, Value>);

impl Headers {
    /// What is no JSON object is not of PostgREST: as if there were none.
    fn read() -> Self {
        let text = settings::request_headers();
        Self(serde_json::from_str(&text.to_string_lossy()).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)?
            .as_str()
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// The name of the header that may bring a Clerk token, and the token in it.
    fn own_token<'a>(&'a self, trust: &'a Trust) -> Option<(&'a str, &'a str)> {
        let name = trust.requests.token_header.as_deref()?;
        let value = self.get(name)?;
        Some((name, without_scheme(value).unwrap_or(value)))
    }

    fn bearer(&self) -> Option<&str> {
        without_scheme(self.get("authorization")?)
    }
}

/// What follows `Bearer `; schemes are the same in any case (RFC 7235 §2.1). PostgREST takes a tab and the like for a space too, and
/// writes U+FFFD for a byte that is no UTF-8: what it finds a token in must not be none for us.
fn without_scheme(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_at_checked("Bearer".len())?;
    let token = rest.trim_start_matches(|letter: char| !letter.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && token.len() < rest.len()).then_some(token)
}
