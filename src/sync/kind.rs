//! Kinds of runs.

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Backfill,
    Reconcile,
    SyncUser,
    SyncOrganization,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::Backfill,
        Self::Reconcile,
        Self::SyncUser,
        Self::SyncOrganization,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::Reconcile => "reconcile",
            Self::SyncUser => "sync_user",
            Self::SyncOrganization => "sync_organization",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub fn lane(self) -> Lane {
        match self {
            Self::Backfill | Self::Reconcile => Lane::Walks,
            Self::SyncUser | Self::SyncOrganization => Lane::Subjects,
        }
    }
}

/// Of each lane there is one worker for an instance, so that who asks for one user need not wait for a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Lane {
    Walks,
    Subjects,
}
