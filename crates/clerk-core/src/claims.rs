//! The payload of a token, versions 1 and 2.

use crate::checks::Times;
use crate::json::{Json, Object};
use crate::jwt::MAX_TOKEN_BYTES;
use crate::reason::{Reason, Refusal};
use crate::reverification::well_formed_ages;

/// A claim as it was found. One of a wrong type does not make the payload unreadable; the checks judge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claim<T> {
    /// Not there.
    #[default]
    Absent,
    /// There, but not of its type; says what it is (`a string`, `null`, …).
    Malformed(&'static str),
    /// There.
    Present(T),
}

/// The claims we read. All others are the application's own.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "iss", "sub", "sid", "azp", "aud", "client_id", "role", "sts", "act", "fva", "exp", "nbf", "iat",
    "v", "o", "fea", "pla", "org_id", "org_slug", "org_role", "org_permissions",
];

/// What a token says, unjudged.
///
/// Strings with a NUL in them count as malformed: Postgres' `text` cannot hold them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claims {
    pub(crate) iss: Claim<String>,
    pub(crate) sub: Claim<String>,
    pub(crate) sid: Claim<String>,
    pub(crate) azp: Claim<String>,
    pub(crate) aud: Claim<Vec<String>>,
    pub(crate) client_id: Claim<String>,
    pub(crate) role: Claim<String>,
    pub(crate) sts: Claim<String>,
    pub(crate) actor: Option<Actor>,
    pub(crate) fva: Option<[f64; 2]>,
    pub(crate) version: Version,
    pub(crate) fea: Claim<String>,
    pub(crate) pla: Claim<String>,
    pub(crate) o: OrganizationV2,
    pub(crate) v1: OrganizationV1,
    times: Times,
}

/// Which claims a token means (`v`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Version {
    /// No `v`, or 1.
    #[default]
    V1,
    /// `v` is 2, or `"2"` as Clerk's Java, C# and PHP SDKs compare it.
    V2,
    /// Any other `v`: its organization claims are not understood.
    Unknown,
}

/// The claim `act`: somebody else who uses the session.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Actor {
    pub(crate) sub: Claim<String>,
    /// `type`; Clerk knows `agent`.
    pub(crate) kind: Claim<String>,
}

/// The claim `o`, as strings; all absent unless `o` is an object.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OrganizationV2 {
    pub(crate) id: Claim<String>,
    pub(crate) slg: Claim<String>,
    pub(crate) rol: Claim<String>,
    pub(crate) per: Claim<String>,
    pub(crate) fpm: Claim<String>,
}

/// The claims `org_…` of version 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct OrganizationV1 {
    pub(crate) id: Claim<String>,
    pub(crate) slug: Claim<String>,
    pub(crate) role: Claim<String>,
    pub(crate) permissions: Claim<Vec<String>>,
}

impl Claims {
    /// Reads the payload of a token, or what PostgREST puts into `request.jwt.claims`.
    ///
    /// # Errors
    /// `token-invalid` when `json` is longer than [`MAX_TOKEN_BYTES`], as no token's payload is, or not a strict JSON
    /// object: a top-level member that comes twice (or one inside a claim we read), nesting deeper than 64 levels, a
    /// lone surrogate, a number out of range, or anything after it.
    pub fn parse(json: &str) -> Result<Claims, Refusal> {
        // Claims need not come from a token: whoever may set them must not make us compute without end.
        if json.len() > MAX_TOKEN_BYTES {
            return Err(unreadable(format!("{} bytes are too many", json.len())));
        }
        let mut claims = Object::parse(json, NAMES).map_err(unreadable)?;
        let mut o = object(claims.take("o"));
        Ok(Claims {
            iss: text(claims.take("iss")),
            sub: text(claims.take("sub")),
            sid: text(claims.take("sid")),
            azp: text(claims.take("azp")),
            aud: text_or_texts(claims.take("aud")),
            client_id: text(claims.take("client_id")),
            role: text(claims.take("role")),
            sts: text(claims.take("sts")),
            actor: actor(claims.take("act")),
            fva: factor_ages(claims.take("fva")),
            version: version(claims.take("v")),
            fea: text(claims.take("fea")),
            pla: text(claims.take("pla")),
            o: OrganizationV2 {
                id: text(o.take("id")),
                slg: text(o.take("slg")),
                rol: text(o.take("rol")),
                per: text(o.take("per")),
                fpm: text(o.take("fpm")),
            },
            v1: OrganizationV1 {
                id: text(claims.take("org_id")),
                slug: text(claims.take("org_slug")),
                role: text(claims.take("org_role")),
                permissions: texts(claims.take("org_permissions")),
            },
            times: Times {
                exp: number(claims.take("exp")),
                nbf: number(claims.take("nbf")),
                iat: number(claims.take("iat")),
            },
        })
    }

    /// The issuer; `None` if absent or not a string.
    pub fn iss(&self) -> Option<&str> {
        self.iss.as_str()
    }

    /// The subject; `None` if absent or not a string.
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_str()
    }

    /// The session id; `None` if absent or not a string.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_str()
    }

    /// The origin that asked for the token; `None` if absent or not a string.
    pub fn azp(&self) -> Option<&str> {
        self.azp.as_str()
    }

    /// The database role that PostgREST switches to, a custom claim; `None` if absent or not a string.
    pub fn role(&self) -> Option<&str> {
        self.role.as_str()
    }

    /// `exp`, `nbf` and `iat`, apart, for whoever keeps a token and judges its times again and again.
    pub fn times(&self) -> Times {
        self.times
    }

    /// Whether the session still has tasks to finish (`sts` is `pending`), which Clerk's server helpers treat as
    /// signed out.
    pub fn is_pending(&self) -> bool {
        self.sts.as_str() == Some("pending")
    }
}

impl Claim<String> {
    /// The string, if there is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Claim::Present(text) => Some(text),
            _ => None,
        }
    }

    /// The string, if there is one and it is not empty.
    pub(crate) fn filled(&self) -> Option<&str> {
        self.as_str().filter(|text| !text.is_empty())
    }
}

impl<T> Claim<T> {
    /// Whether the claim is there, well-formed or not.
    pub fn is_absent(&self) -> bool {
        matches!(self, Claim::Absent)
    }
}

fn unreadable(why: String) -> Refusal {
    Refusal::new(
        Reason::TokenInvalid,
        format!("the claims cannot be read: {why}"),
        "Pass the token as the client got it from Clerk's getToken().",
    )
}

fn text(value: Option<Json>) -> Claim<String> {
    match value {
        None => Claim::Absent,
        Some(Json::Text(text)) if text.contains('\0') => Claim::Malformed("a string with a NUL in it"),
        Some(Json::Text(text)) => Claim::Present(text.into_owned()),
        Some(other) => Claim::Malformed(other.kind()),
    }
}

fn number(value: Option<Json>) -> Claim<f64> {
    match value {
        None => Claim::Absent,
        Some(Json::Number(number)) => Claim::Present(number),
        Some(other) => Claim::Malformed(other.kind()),
    }
}

fn texts(value: Option<Json>) -> Claim<Vec<String>> {
    let items = match value {
        None => return Claim::Absent,
        Some(Json::Array(items)) => items,
        Some(other) => return Claim::Malformed(other.kind()),
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        match text(Some(item)) {
            Claim::Present(text) => texts.push(text),
            _ => return Claim::Malformed("an array of other things than strings"),
        }
    }
    Claim::Present(texts)
}

/// `aud` (RFC 7519 §4.1.3). Null, an empty string and a list of nothing else name no audience, as in Clerk's SDK.
fn text_or_texts(value: Option<Json>) -> Claim<Vec<String>> {
    let is_nothing = |value: &Json| match value {
        Json::Null => true,
        Json::Text(text) => text.is_empty(),
        _ => false,
    };
    match value {
        Some(Json::Array(items)) if items.iter().all(is_nothing) => Claim::Present(Vec::new()),
        Some(value) if is_nothing(&value) => Claim::Present(Vec::new()),
        Some(value @ Json::Text(_)) => match text(Some(value)) {
            Claim::Present(text) => Claim::Present(vec![text]),
            Claim::Malformed(kind) => Claim::Malformed(kind),
            Claim::Absent => Claim::Absent,
        },
        other => texts(other),
    }
}

/// `act`. One that is no object is an actor about whom nothing is known.
fn actor(value: Option<Json>) -> Option<Actor> {
    match value {
        None | Some(Json::Null) => None,
        value => {
            let mut act = object(value);
            Some(Actor {
                sub: text(act.take("sub")),
                kind: text(act.take("type")),
            })
        }
    }
}

/// The members of a claim that is an object, no members for any other.
fn object(value: Option<Json>) -> Object {
    match value {
        Some(Json::Object(object)) => object,
        _ => Object::default(),
    }
}

fn factor_ages(value: Option<Json>) -> Option<[f64; 2]> {
    match value {
        Some(Json::Array(ages)) => match ages[..] {
            [Json::Number(first), Json::Number(second)] => well_formed_ages([first, second]),
            _ => None,
        },
        _ => None,
    }
}

fn version(value: Option<Json>) -> Version {
    match value {
        None => Version::V1,
        Some(Json::Number(1.0)) => Version::V1,
        Some(Json::Number(2.0)) => Version::V2,
        Some(Json::Text(text)) if text == "1" => Version::V1,
        Some(Json::Text(text)) if text == "2" => Version::V2,
        Some(_) => Version::Unknown,
    }
}
