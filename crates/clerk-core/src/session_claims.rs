//! Who is asking: claims of version 1 or 2 in one shape.

use crate::authorization::bare;
use crate::claims::{Claim, Claims, Version};
use crate::permissions;
use crate::scoped_list::ScopedList;

/// The identity in a session token.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionClaims {
    /// `user_…`
    pub user_id: String,
    /// `sess_…`; `None` only for JWT-template tokens.
    pub session_id: Option<String>,
    /// The issuer, exactly as in the token.
    pub issuer: String,
    /// Who uses the session in the user's place (`act.sub`): a person who impersonates the user, or an agent.
    pub actor_id: Option<String>,
    /// Which of both; `None` if nobody does.
    pub actor_type: Option<ActorType>,
    /// The active organization.
    pub org: Option<Organization>,
    /// `fea`; `None` when absent or malformed.
    pub features: Option<ScopedList>,
    /// `pla`; `None` when absent or malformed.
    pub plans: Option<ScopedList>,
    /// Minutes since the first and the second factor were last verified, -1 for never; `None` when absent or malformed.
    pub fva: Option<[f64; 2]>,
}

/// Who uses a session in the user's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorType {
    /// A person who impersonates the user; also an actor of a type that is not known.
    User,
    /// A program that acts for the user, at the user's wish (`act.type` is `agent`).
    Agent,
}

impl ActorType {
    /// `user` or `agent`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActorType::User => "user",
            ActorType::Agent => "agent",
        }
    }
}

/// The active organization of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// `org_…`
    pub id: String,
    /// Its slug, where the instance uses slugs.
    pub slug: Option<String>,
    /// The role key, with exactly one `org:` in front.
    pub role: Option<String>,
    /// Full keys, `org:<feature>:<permission>`. System permissions are never in a token.
    pub permissions: Vec<String>,
}

impl SessionClaims {
    /// The identity in `claims`. Call it only once the checks of a session token have passed; it judges nothing.
    ///
    /// A token without `sid` (a JWT-template token) has a user but no organization, features, plans or factor ages: its
    /// claims of those names are whatever the template made them.
    pub fn new(claims: &Claims) -> SessionClaims {
        let mut session = SessionClaims {
            user_id: claims.sub().unwrap_or_default().to_owned(),
            session_id: claims.sid.filled().map(str::to_owned),
            issuer: claims.iss().unwrap_or_default().to_owned(),
            actor_id: claims
                .actor
                .as_ref()
                .and_then(|actor| actor.sub.filled())
                .map(str::to_owned),
            actor_type: claims.actor.as_ref().map(|actor| match actor.kind.as_str() {
                Some("agent") => ActorType::Agent,
                _ => ActorType::User,
            }),
            org: None,
            features: None,
            plans: None,
            fva: None,
        };
        if session.session_id.is_none() {
            return session;
        }
        session.fva = claims.fva;
        if claims.version == Version::Unknown {
            return session;
        }
        session.features = claims.fea.filled().and_then(ScopedList::parse);
        session.plans = claims.pla.filled().and_then(ScopedList::parse);
        session.org = match claims.version {
            Version::V2 => organization_v2(claims, session.features.as_ref()),
            _ => organization_v1(claims),
        };
        session
    }
}

fn organization_v1(claims: &Claims) -> Option<Organization> {
    let permissions = match &claims.v1.permissions {
        Claim::Present(keys) => keys.iter().filter_map(|key| full_key(key)).collect(),
        _ => Vec::new(),
    };
    Some(Organization {
        id: claims.v1.id.filled()?.to_owned(),
        slug: claims.v1.slug.filled().map(str::to_owned),
        role: claims.v1.role.as_str().and_then(full_key),
        permissions,
    })
}

fn organization_v2(claims: &Claims, features: Option<&ScopedList>) -> Option<Organization> {
    let permissions = match (features, claims.o.per.as_str(), claims.o.fpm.as_str()) {
        (Some(features), Some(per), Some(fpm)) => permissions::decode(features, per, fpm),
        _ => Vec::new(),
    };
    Some(Organization {
        id: claims.o.id.filled()?.to_owned(),
        slug: claims.o.slg.filled().map(str::to_owned),
        role: claims.o.rol.as_str().and_then(full_key),
        permissions,
    })
}

/// `key` with exactly one `org:` in front; `None` if there is nothing behind it.
fn full_key(key: &str) -> Option<String> {
    let bare = bare(key);
    (!bare.is_empty()).then(|| format!("org:{bare}"))
}
