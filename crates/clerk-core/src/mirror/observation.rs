//! What one source said about one row.

use std::collections::BTreeMap;

use super::resource::Resource;
use super::value::Value;

/// The lowest version: that of a row of which nothing is known. `-infinity` in SQL.
pub const LOWEST: i64 = i64::MIN;

/// The row as it was at some version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Clerk's `updated_at`, in microseconds since 1970.
    pub updated_at: i64,
    /// When it was so: time of the event, or of the answer that listed the object.
    pub observed_at: i64,
    /// Clerk's `created_at`.
    pub created_at: Option<i64>,
    /// Column `data`.
    pub data: String,
    /// The typed columns, in the order of [`Resource::columns`].
    pub values: Vec<Value>,
}

/// A member with a version of its own. Its version is that of the object it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideValue {
    /// JSON text; None is JSON's null.
    pub json: Option<String>,
    /// Version of the object.
    pub updated_at: i64,
    /// Version of the object.
    pub observed_at: i64,
}

/// One observation, or several of one row folded into one.
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
    /// In the order of [`Resource::side_fields`]; None where the source does not carry the member.
    pub sides: Vec<Option<SideValue>>,
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
            sides: vec![None; resource.side_fields().len()],
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

    /// Takes another observation of the same row in. Gives it back if only the table can tell which data wins: at equal
    /// versions the greater `data` does, in the order of jsonb's text.
    fn fold(&mut self, other: Self) -> Option<Self> {
        if ties(
            self.live.as_ref().map(live_key),
            other.live.as_ref().map(live_key),
        ) {
            return Some(other);
        }
        let tied_side = |(own, other): (&Option<SideValue>, &Option<SideValue>)| {
            ties(own.as_ref().map(side_key), other.as_ref().map(side_key))
        };
        if self.sides.iter().zip(&other.sides).any(tied_side) {
            return Some(other);
        }
        let created_at = created_at(self.live.as_ref()).max(created_at(other.live.as_ref()));
        if version(other.live.as_ref()) > version(self.live.as_ref()) {
            self.live = other.live;
        }
        if let Some(live) = &mut self.live {
            live.created_at = created_at;
        }
        for (own, other) in self.sides.iter_mut().zip(other.sides) {
            let side_version = |side: &Option<SideValue>| side.as_ref().map(|side| side_key(side).0);
            if side_version(&other) > side_version(own) {
                *own = other;
            }
        }
        self.instance_id = self.instance_id.take().max(other.instance_id);
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
        self.deleted_at = self.deleted_at.max(other.deleted_at);
        self.missing_at = self.missing_at.max(other.missing_at);
        None
    }
}

type Version = (i64, i64);

fn version(live: Option<&Live>) -> Option<Version> {
    live.map(|live| (live.updated_at, live.observed_at))
}

/// The statement takes the greatest of all versions.
fn created_at(live: Option<&Live>) -> Option<i64> {
    live.and_then(|live| live.created_at)
}

fn live_key(live: &Live) -> (Version, (&str, &[Value])) {
    ((live.updated_at, live.observed_at), (&live.data, &live.values))
}

fn side_key(side: &SideValue) -> (Version, &Option<String>) {
    ((side.updated_at, side.observed_at), &side.json)
}

/// Whether two observations have one version and different content.
fn ties<C: PartialEq>(one: Option<(Version, C)>, other: Option<(Version, C)>) -> bool {
    match (one, other) {
        (Some((version, content)), Some((other_version, other_content))) => {
            version == other_version && content != other_content
        }
        _ => false,
    }
}

/// Folds observations so that in each list every row comes at most once, sorted by table and id. Writing the lists one
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
