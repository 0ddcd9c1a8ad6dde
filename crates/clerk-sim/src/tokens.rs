//! The classes of token that an instance's key signs, built with the claims real ones have.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::keys::{Algorithm, SigningKeys};
use crate::permissions::encode;
use crate::random::random_hex;

/// How long a session token lives, in seconds.
const LIFETIME: i64 = 60;

/// Values of the header `cat`, by which Clerk tells the classes apart.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";
const TEMPLATE_CATEGORY: &str = "cl_B7d4PD222AAA";
const M2M_CATEGORY: &str = "cl_B7d4PD333AAA";

/// A token to be signed. A constructor gives a genuine one, issued now; the other methods change it, and may
/// make it as wrong as a test needs.
#[derive(Clone, Debug)]
pub struct Token {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Token {
    /// A session token, version 2: `user_id` is signed in to an active session, without an organization. It
    /// carries the claim `role` that Clerk's Supabase integration adds, and no `azp`, as from a native app.
    pub fn session(issuer: &str, user_id: &str) -> Self {
        Self::new(issuer, user_id)
            .header("cat", SESSION_CATEGORY.into())
            .with_id("")
            .with_session()
            .claim("sts", "active".into())
            .claim("v", 2.into())
    }

    /// A session token, version 1: no `v`, no `jti`, and organization claims at the top level. Its header has
    /// no `cat`, as in older tokens.
    pub fn session_v1(issuer: &str, user_id: &str) -> Self {
        Self::new(issuer, user_id).with_session()
    }

    /// A token of a JWT template: of the same user, but bound to no session.
    pub fn template(issuer: &str, user_id: &str) -> Self {
        Self::new(issuer, user_id)
            .header("cat", TEMPLATE_CATEGORY.into())
            .with_id("")
    }

    /// A machine-to-machine token; `machine_id` is `mch_…`.
    pub fn m2m(issuer: &str, machine_id: &str) -> Self {
        Self::new(issuer, machine_id)
            .header("cat", M2M_CATEGORY.into())
            .with_id("mt_")
    }

    /// An OAuth access token that `user_id` granted to the client `client_sim`.
    pub fn oauth(issuer: &str, user_id: &str) -> Self {
        Self::new(issuer, user_id)
            .header("typ", "at+jwt".into())
            .with_id("oat_")
            .claim("client_id", "client_sim".into())
            .claim("scope", "profile email".into())
    }

    /// An OpenID Connect ID token about `user_id` for the client `client_sim`.
    pub fn id_token(issuer: &str, user_id: &str) -> Self {
        Self::new(issuer, user_id)
            .with_id("")
            .claim("aud", "client_sim".into())
    }

    fn new(issuer: &str, subject: &str) -> Self {
        Self {
            header: Map::new(),
            claims: Map::new(),
        }
        .header("typ", "JWT".into())
        .claim("iss", issuer.into())
        .claim("sub", subject.into())
        .expires_in(LIFETIME)
    }

    fn with_id(self, prefix: &str) -> Self {
        self.claim("jti", format!("{prefix}{}", random_hex(10)).into())
    }

    fn with_session(self) -> Self {
        self.claim("sid", format!("sess_{}", random_hex(10)).into())
            .claim("fva", json!([0, -1]))
            .claim("role", "authenticated".into())
    }

    /// Sets `exp` to `seconds` from now; negative is an expired token. `iat` and `nbf` lie so far back that the
    /// token was once valid, so nothing but its expiry can be wrong with it.
    pub fn expires_in(self, seconds: i64) -> Self {
        let now = unix_time();
        let expires_at = now + seconds;
        let issued_at = now.min(expires_at - LIFETIME);
        // Clerk's published tokens all have nbf = iat - 10.
        self.claim("iat", issued_at.into())
            .claim("nbf", (issued_at - 10).into())
            .claim("exp", expires_at.into())
    }

    /// Makes an organization active. `role` and `features` are written as the token's version does: nested in
    /// `o` with bit masks when it has `v`, else as `org_…` claims with full permission keys.
    ///
    /// `slug` may be `None`, as slugs are off in newer applications. Each feature comes with its permissions'
    /// verbs: `("posts", &["read"])` is `org:posts:read`. A feature may name its scope, as in `uo:projects`; the
    /// organization's is the default.
    pub fn organization<'a>(
        self,
        id: &str,
        slug: impl Into<Option<&'a str>>,
        role: &str,
        features: &[(&str, &[&str])],
    ) -> Self {
        let role = role.strip_prefix("org:").unwrap_or(role);
        if self.claims.contains_key("v") {
            self.nested_organization(id, slug.into(), role, features)
        } else {
            self.flat_organization(id, slug.into(), role, features)
        }
    }

    fn nested_organization(
        self,
        id: &str,
        slug: Option<&str>,
        role: &str,
        features: &[(&str, &[&str])],
    ) -> Self {
        let mut organization = json!({ "id": id, "rol": role });
        if let Some(slug) = slug {
            organization["slg"] = slug.into();
        }
        if features.is_empty() {
            return self.claim("o", organization);
        }
        let encoded = encode(features);
        organization["per"] = encoded.permissions.into();
        organization["fpm"] = encoded.masks.into();
        self.claim("o", organization)
            .claim("fea", encoded.features.into())
    }

    fn flat_organization(
        self,
        id: &str,
        slug: Option<&str>,
        role: &str,
        features: &[(&str, &[&str])],
    ) -> Self {
        let permissions: Vec<String> = features
            .iter()
            .map(|(feature, verbs)| (feature.split_once(':').map_or(*feature, |(_, name)| name), verbs))
            .flat_map(|(feature, verbs)| verbs.iter().map(move |verb| format!("org:{feature}:{verb}")))
            .collect();
        let token = self
            .claim("org_id", id.into())
            .claim("org_role", format!("org:{role}").into())
            .claim("org_permissions", permissions.into());
        match slug {
            Some(slug) => token.claim("org_slug", slug.into()),
            None => token,
        }
    }

    /// Sets a claim to any JSON value.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Removes a claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a header parameter, also `alg` and `kid`, which signing fills in otherwise. Null leaves it out.
    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.to_owned(), value);
        self
    }

    /// The token signed as Clerk does it, with RS256.
    pub fn sign(&self, keys: &SigningKeys) -> String {
        self.sign_with(keys, Algorithm::Rs256)
    }

    /// The token signed with another algorithm.
    pub fn sign_with(&self, keys: &SigningKeys, algorithm: Algorithm) -> String {
        let kid = Some(keys.kid());
        self.assemble(algorithm.as_str(), kid, |message| keys.sign(algorithm, message))
    }

    /// A forgery: `alg` is `none` and the signature is empty (RFC 7519 §6.1). Has no `kid` unless set.
    pub fn unsigned(&self) -> String {
        self.assemble("none", None, |_| Vec::new())
    }

    /// A forgery: HS256 keyed with `secret`, such as a public key's PEM. Has no `kid` unless set.
    pub fn hs256(&self, secret: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        self.assemble("HS256", None, |message| {
            hmac::sign(&key, message).as_ref().to_vec()
        })
    }

    /// The compact form (RFC 7515 §7.1).
    fn assemble(&self, alg: &str, kid: Option<&str>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let mut header = Map::from_iter([("alg".to_owned(), json!(alg)), ("kid".to_owned(), json!(kid))]);
        header.extend(self.header.clone());
        header.retain(|_, value| !value.is_null());

        let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        let claims = URL_SAFE_NO_PAD.encode(Value::Object(self.claims.clone()).to_string());
        let message = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Now, in whole seconds since 1970.
fn unix_time() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    since_1970
        .as_secs()
        .try_into()
        .expect("the year is below 292 billion")
}
