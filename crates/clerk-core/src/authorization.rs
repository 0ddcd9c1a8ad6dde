//! Clerk's `has()`: role, permission, feature and plan. What is missing or malformed denies.

use crate::session_claims::SessionClaims;

impl SessionClaims {
    /// Whether the user's role in the active organization is `role`; `admin` and `org:admin` are the same.
    pub fn has_role(&self, role: &str) -> bool {
        self.org
            .as_ref()
            .and_then(|org| org.role.as_deref())
            .is_some_and(|own| same_key(own, role))
    }

    /// Whether the user has `permission` (`org:feature:verb` or `feature:verb`) in the active organization.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.org
            .as_ref()
            .is_some_and(|org| org.permissions.iter().any(|own| same_key(own, permission)))
    }

    /// Whether the organization or the user has `feature`: a slug, or with its scope `org:slug` or `user:slug`.
    pub fn has_feature(&self, feature: &str) -> bool {
        self.features
            .as_ref()
            .is_some_and(|features| features.contains(feature))
    }

    /// Whether the organization or the user is on `plan`: a slug, or with its scope `org:slug` or `user:slug`.
    pub fn has_plan(&self, plan: &str) -> bool {
        self.plans.as_ref().is_some_and(|plans| plans.contains(plan))
    }
}

/// `key` without any leading `org:`, however often it is repeated.
pub(crate) fn bare(mut key: &str) -> &str {
    while let Some(rest) = key.strip_prefix("org:") {
        key = rest;
    }
    key
}

/// Whether two role or permission keys are equal up to their leading `org:`. Keys in a session are never empty.
fn same_key(own: &str, asked: &str) -> bool {
    bare(own) == bare(asked)
}
