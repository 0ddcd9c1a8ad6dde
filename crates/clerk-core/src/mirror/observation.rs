//! What one source said about one row, and what is known of it: an observation is the state of a row, and so is a row.

use std::collections::BTreeMap;

use super::resource::Resource;
use super::value::Value;

/// The lowest version: that of a row of which nothing is known. `-infinity` in SQL.
pub const LOWEST: i64 = i64::MIN;

/// A version: Clerk's `updated_at`, then the time of the event or answer that showed it so.
pub(super) type Version = (i64, i64);

/// What Clerk showed of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The row's version. Clerk's `updated_at`, in microseconds since 1970.
    pub updated_at: i64,
    /// The row's version: time of the event, or of the answer that listed the object.
    pub observed_at: i64,
    /// Clerk's `created_at`.
    pub created_at: Option<i64>,
    /// Column `data`: the members, each at its greatest version.
    pub data: String,
    /// Column `older`: which members are of which version below the row's. None: no member is.
    pub older: Option<String>,
    /// The typed columns, in the order of [`Resource::columns`]. They follow from `data` alone.
    pub values: Vec<Value>,
}

impl Live {
    /// A row of which nothing is known.
    pub(super) fn unknown(resource: Resource) -> Self {
        Self {
            updated_at: LOWEST,
            observed_at: LOWEST,
            created_at: None,
            data: "{}".to_owned(),
            older: None,
            values: resource.no_values(),
        }
    }

    pub(super) fn version(&self) -> Version {
        (self.updated_at, self.observed_at)
    }
}

/// One observation, or several of one row joined into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The table.
    pub resource: Resource,
    /// The row.
    pub id: String,
    /// The instance, if the source says.
    pub instance_id: Option<String>,
    /// What the row looked like. None: the row exists, or existed, and that is all.
    pub live: Option<Live>,
    /// Greatest time at which a source showed the row alive.
    pub last_seen_at: i64,
    /// Time of the deletion event.
    pub deleted_at: Option<i64>,
    /// Time of a full listing that did not show the row.
    pub missing_at: Option<i64>,
}

impl Observation {
    /// A row that something else refers to.
    pub fn placeholder(resource: Resource, id: String, instance_id: Option<String>) -> Self {
        Self {
            resource,
            id,
            instance_id,
            live: None,
            last_seen_at: LOWEST,
            deleted_at: None,
            missing_at: None,
        }
    }

    /// Whether it says no more than that the row exists.
    pub fn is_placeholder(&self) -> bool {
        let at_lowest = |live: &Live| live.updated_at == LOWEST;
        self.live.as_ref().is_none_or(at_lowest) && self.deleted_at.is_none() && self.missing_at.is_none()
    }

    /// Whether the two are of different instances.
    pub fn is_foreign_to(&self, other: &Self) -> bool {
        let ids = (&self.instance_id, &other.instance_id);
        matches!(ids, (Some(one), Some(another)) if one != another)
    }

    /// Takes another observation of the same row in. Gives it back if only the table can tell which value of a member wins: at equal
    /// versions the greater one does, in the order of jsonb's text.
    fn fold(&mut self, other: Self) -> Option<Self> {
        if self.ties_with(&other) {
            return Some(other);
        }
        self.join(other);
        None
    }
}

/// Joins observations so that in each list every row comes at most once, sorted by table and id. Writing the lists one
/// after the other has the same outcome as writing the observations one by one, in any order.
pub fn reduce(observations: impl IntoIterator<Item = Observation>) -> Vec<Vec<Observation>> {
    let mut rounds: Vec<BTreeMap<(Resource, String), Observation>> = Vec::new();
    for observation in observations {
        let key = (observation.resource, observation.id.clone());
        let mut rest = Some(observation);
        for round in &mut rounds {
            let Some(observation) = rest.take() else { break };
            match round.get_mut(&key) {
                Some(folded) => rest = folded.fold(observation),
                None => {
                    round.insert(key.clone(), observation);
                }
            }
        }
        if let Some(observation) = rest {
            rounds.push(BTreeMap::from([(key, observation)]));
        }
    }
    rounds
        .into_iter()
        .map(|round| round.into_values().collect())
        .collect()
}
