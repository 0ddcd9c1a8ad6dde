//! The claims `fea` and `pla`: comma lists of `scope:slug`.

/// A well-formed `fea` or `pla`: features or plans of the organization, of the user, or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedList {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    scope: Scope,
    slug: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scope {
    organization: bool,
    user: bool,
}

const ORGANIZATION: Scope = Scope {
    organization: true,
    user: false,
};
const USER: Scope = Scope {
    organization: false,
    user: true,
};
const BOTH: Scope = Scope {
    organization: true,
    user: true,
};
const NEITHER: Scope = Scope {
    organization: false,
    user: false,
};

impl ScopedList {
    /// Reads the claim. An entry without a colon makes the whole claim malformed, `None`, so that what hangs on it is
    /// denied, as in Clerk's `splitByScope`. An entry of an unknown scope belongs to nobody.
    pub(crate) fn parse(claim: &str) -> Option<Self> {
        let entry = |element: &str| {
            let (scope, slug) = element.trim().split_once(':')?;
            let scope = match scope {
                "o" => ORGANIZATION,
                "u" => USER,
                "ou" | "uo" => BOTH,
                _ => NEITHER,
            };
            Some(Entry {
                scope,
                slug: slug.to_owned(),
            })
        };
        Some(ScopedList {
            entries: claim.split(',').map(entry).collect::<Option<_>>()?,
        })
    }

    /// Slugs of the active organization.
    pub fn organization(&self) -> impl Iterator<Item = &str> {
        self.slugs(|scope| scope.organization)
    }

    /// Slugs of the user.
    pub fn user(&self) -> impl Iterator<Item = &str> {
        self.slugs(|scope| scope.user)
    }

    /// Every entry in the order of the claim, also those of unknown scope: its slug if it is the organization's.
    pub(crate) fn by_position(&self) -> impl Iterator<Item = Option<&str>> {
        self.entries
            .iter()
            .map(|entry| entry.scope.organization.then_some(entry.slug.as_str()))
    }

    /// Whether `asked` is in the list: a slug of either scope, or `scope:slug` of one. Only the first two parts of
    /// `asked` count, as in Clerk's `has()`.
    pub(crate) fn contains(&self, asked: &str) -> bool {
        let mut parts = asked.split(':');
        let first = parts.next().unwrap_or_default();
        let (scope, slug) = match (first, parts.next()) {
            (slug, None) => (BOTH, slug),
            ("o" | "org" | "organization", Some(slug)) => (ORGANIZATION, slug),
            ("u" | "user", Some(slug)) => (USER, slug),
            _ => return false,
        };
        let of_scope = |entry: Scope| entry.organization && scope.organization || entry.user && scope.user;
        !slug.is_empty() && self.slugs(of_scope).any(|listed| listed == slug)
    }

    fn slugs(&self, of_scope: impl Fn(Scope) -> bool) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(move |entry| of_scope(entry.scope))
            .map(|entry| entry.slug.as_str())
    }
}
