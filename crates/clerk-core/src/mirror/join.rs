//! The join: one state of a row out of two, whichever came first.
//!
//! The state of a member is its greatest `(updated_at, observed_at, value)`, values compared as text. An object says nothing
//! about a member that it does not carry. Times of sightings and deletions are maxima. What a deletion takes depends on the times
//! alone, so it does not matter when it comes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::observation::{LOWEST, Live, Observation, Version};
use super::raw::{RawObject, string};
use super::redact::Writer;
use super::resource::Resource;
use super::scan::elements;

/// Marks rows of which a deleted person's data was taken. No object of Clerk's has such a member.
const ERASED: &str = "erased";

/// What stays of people who are deleted: `clerk.configure_mirror(deleted_users)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletedUsers {
    /// Everything.
    Keep,
    /// Their id, and that they were deleted.
    #[default]
    Scrub,
    /// Their id.
    Remove,
}

impl DeletedUsers {
    /// The setting of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "keep" => Some(Self::Keep),
            "scrub" => Some(Self::Scrub),
            "remove" => Some(Self::Remove),
            _ => None,
        }
    }
}

/// The members of a row, each with its version.
struct Members<'a>(BTreeMap<Cow<'a, str>, (Version, &'a str)>);

impl<'a> Members<'a> {
    fn of(live: &'a Live) -> Self {
        let object = RawObject::inside(&live.data).unwrap_or_default();
        let version = live.version();
        let mut members: BTreeMap<_, _> = object
            .into_members()
            .map(|(name, value)| (name, (version, value)))
            .collect();
        let older = live
            .older
            .as_deref()
            .and_then(RawObject::inside)
            .unwrap_or_default();
        for (version, names) in older.members() {
            let version = version_of(version).unwrap_or((LOWEST, LOWEST));
            for name in elements(names).unwrap_or_default().into_iter().filter_map(string) {
                if let Some(member) = members.get_mut(&name) {
                    member.0 = version;
                }
            }
        }
        Self(members)
    }

    fn is_erased(&self) -> bool {
        self.0.contains_key(ERASED)
    }

    /// A state that is no newer than an erased one does not bring back what was taken out of it; a newer one replaces it.
    fn meet_erased(
        &mut self,
        version: Version,
        other: &mut Self,
        other_version: Version,
        resource: Resource,
    ) {
        if !self.is_erased() {
            return;
        }
        if other_version > version {
            self.0.remove(ERASED);
        } else {
            other.0.retain(|name, _| resource.outlasts_erasure(name));
        }
    }

    /// Whether that changes anything.
    fn take(&mut self, other: Self) -> bool {
        let mut changes = false;
        for (name, member) in other.0 {
            if self.0.get(&name).is_none_or(|own| *own < member) {
                self.0.insert(name, member);
                changes = true;
            }
        }
        changes
    }

    /// Writes the members into the row.
    fn write(&self, resource: Resource, live: &Live) -> Live {
        let mut data = Writer::new(1024);
        let mut older: BTreeMap<Version, Vec<&str>> = BTreeMap::new();
        for (name, (version, value)) in &self.0 {
            data.member(name, value);
            if *version != live.version() {
                older.entry(*version).or_default().push(name);
            }
        }
        let members = self.0.iter().map(|(name, (_, value))| (name.clone(), *value));
        Live {
            updated_at: live.updated_at,
            observed_at: live.observed_at,
            created_at: live.created_at,
            data: data.end(),
            older: (!older.is_empty()).then(|| written(&older)),
            values: resource.values(&members.collect()),
        }
    }
}

/// As column `older` holds it: names of members by version, in microseconds since 1970.
fn written(older: &BTreeMap<Version, Vec<&str>>) -> String {
    let mut text = Writer::new(128);
    for ((updated_at, observed_at), names) in older {
        let names = serde_json::Value::from(names.clone());
        text.member(&format!("{updated_at}/{observed_at}"), &names.to_string());
    }
    text.end()
}

fn version_of(text: &str) -> Option<Version> {
    let (updated_at, observed_at) = text.split_once('/')?;
    Some((updated_at.parse().ok()?, observed_at.parse().ok()?))
}

impl Live {
    /// The names of the members in `data`.
    pub fn member_names(&self) -> Vec<Cow<'_, str>> {
        let object = RawObject::inside(&self.data).unwrap_or_default();
        object.into_members().map(|(name, _)| name).collect()
    }
}

impl Observation {
    /// What both say. Where two values of a member have one version the greater text wins, so both must write values as jsonb does
    /// unless [`Observation::ties_with`] says that it does not matter.
    pub fn join(&mut self, other: Self) {
        self.instance_id = self.instance_id.take().max(other.instance_id);
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
        self.deleted_at = self.deleted_at.max(other.deleted_at);
        self.missing_at = self.missing_at.max(other.missing_at);
        self.live = match (self.live.take(), other.live) {
            (Some(one), Some(another)) => Some(join(self.resource, one, another)),
            (one, another) => one.or(another),
        };
    }

    /// Whether the two have a member in one version with different texts, perhaps of the same value.
    pub fn ties_with(&self, other: &Self) -> bool {
        let (Some(one), Some(another)) = (&self.live, &other.live) else {
            return false;
        };
        let is_whole = |live: &Live| live.older.is_none();
        if is_whole(one)
            && is_whole(another)
            && (one.version() != another.version() || one.data == another.data)
        {
            return false;
        }
        let (one, another) = (Members::of(one), Members::of(another));
        one.0.iter().any(|(name, (version, value))| {
            let other = another.0.get(name);
            other.is_some_and(|(other_version, other)| version == other_version && value != other)
        })
    }

    /// Takes what a person's deletion takes: members of versions up to it.
    pub fn take_deleted(&mut self, deleted_users: DeletedUsers) {
        let Some(deleted_at) = self.deleted_at else { return };
        if !self.resource.is_personal() || deleted_users == DeletedUsers::Keep {
            return;
        }
        let live = self.live.take().unwrap_or_else(|| Live::unknown(self.resource));
        let mut members = Members::of(&live);
        let outlasts = |(updated_at, _): Version| updated_at > deleted_at;
        if outlasts(live.version()) && members.0.values().all(|(version, _)| outlasts(*version)) {
            drop(members);
            self.live = Some(live);
            return;
        }
        members.0.retain(|_, (version, _)| outlasts(*version));
        let mut left = members.write(self.resource, &live);
        if live.updated_at <= deleted_at && deleted_users == DeletedUsers::Scrub {
            let id = serde_json::Value::from(self.id.as_str());
            left.data = format!(r#"{{"id": {id}, "object": "user", "deleted": true}}"#);
        }
        self.live = Some(left);
    }

    /// The row as it is when what is a deleted person's in it is erased.
    pub fn erase(&mut self) {
        let resource = self.resource;
        self.erase_but(|name| resource.outlasts_erasure(name));
    }

    /// The row as it is when its instance is forgotten: deleted at `now`, in microseconds since 1970, or with its version if that is
    /// later, and empty but for the id and the members that these columns are read from.
    pub fn forget(&mut self, columns: &[&str], now: i64) {
        let version = self.live.as_ref().map_or(LOWEST, |live| live.updated_at);
        self.deleted_at = self.deleted_at.max(Some(now.max(version)));
        if self.resource.is_personal() {
            self.take_deleted(DeletedUsers::Scrub);
        } else {
            let resource = self.resource;
            self.erase_but(|name| name == "id" || resource.feeds(name, columns));
        }
    }

    fn erase_but(&mut self, stays: impl Fn(&str) -> bool) {
        let Some(live) = &self.live else { return };
        let mut members = Members::of(live);
        members.0.retain(|name, _| stays(name));
        members.0.insert(ERASED.into(), (live.version(), "true"));
        self.live = Some(members.write(self.resource, live));
    }

    /// The row without the members of these names.
    pub fn leave_out(&mut self, names: &[String]) {
        let Some(live) = &self.live else { return };
        let mut members = Members::of(live);
        members
            .0
            .retain(|name, _| !names.iter().any(|left_out| left_out == name));
        self.live = Some(members.write(self.resource, live));
    }

    /// A row as the table has it, without its typed columns. What [`Observation::take_deleted`] left in place of members is none.
    pub fn stored(mut self) -> Self {
        let Some(live) = &mut self.live else { return self };
        let object = RawObject::inside(&live.data).unwrap_or_default();
        let is_left = || object.members().count() == 3 && object.get("deleted") == Some("true");
        if self.resource.is_personal() && is_left() {
            live.values = self.resource.no_values();
            live.data = "{}".to_owned();
        } else {
            live.values = self.resource.values(&object);
        }
        self
    }
}

fn join(resource: Resource, one: Live, another: Live) -> Live {
    let created_at = one.created_at.max(another.created_at);
    let (newer, older) = if another.version() > one.version() {
        (another, one)
    } else {
        (one, another)
    };
    let newer = Live { created_at, ..newer };
    let (mut members, mut others) = (Members::of(&newer), Members::of(&older));
    members.meet_erased(newer.version(), &mut others, older.version(), resource);
    others.meet_erased(older.version(), &mut members, newer.version(), resource);
    if members.take(others) {
        return members.write(resource, &newer);
    }
    drop(members);
    newer
}
