//! Webhook events: the envelope, what of it may be stored, and what it says about rows.

use super::fit::fit;
use super::future::{future_version, is_from_the_future};
use super::observation::{LOWEST, Observation};
use super::observe::{Sighting, see};
use super::policy::Policy;
use super::raw::{RawObject, string};
use super::redact::{self, Writer};
use super::resource::Resource;
use super::time;

/// Event types of Clerk's catalogue and of its SDKs, which differ at the edges (clerk.md, 4.1). Others are kept and ignored.
pub(super) const KNOWN: &[(&str, &[&str])] = &[
    ("user", &["created", "updated", "deleted"]),
    ("session", &["created", "pending", "ended", "removed", "revoked"]),
    ("organization", &["created", "updated", "deleted"]),
    ("organizationDomain", &["created", "updated", "deleted"]),
    ("organizationMembership", &["created", "updated", "deleted"]),
    ("organizationInvitation", &["created", "accepted", "revoked"]),
    ("invitation", &["created", "accepted", "revoked"]),
    ("role", &["created", "updated", "deleted"]),
    ("permission", &["created", "updated", "deleted"]),
    ("waitlistEntry", &["created", "updated"]),
    ("subscription", &["created", "updated", "active", "pastDue"]),
    (
        "subscriptionItem",
        &[
            "created",
            "updated",
            "active",
            "canceled",
            "upcoming",
            "ended",
            "abandoned",
            "incomplete",
            "pastDue",
            "freeTrialEnding",
            "expired",
        ],
    ),
    ("paymentAttempt", &["created", "updated"]),
    (EMAIL, &["created"]),
    (SMS, &["created"]),
];
/// The envelope's members beside `data` and `event_attributes`.
const ENVELOPE: &[&str] = &["object", "type", "timestamp", "instance_id"];
/// The members that hold somebody's address in objects that are not that somebody.
const ADDRESSES: &[&str] = &["email_address", "affiliation_email_address"];
const EMAIL: &str = "email";
const SMS: &str = "sms";

/// Why an event is kept without touching a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// The body is not JSON.
    NotJson,
    /// The body is JSON, but no object.
    NotAnObject,
    /// There is no `type`.
    NoType,
    /// There is no object `data`.
    NoData,
    /// `data` has no usable `id`.
    NoId,
    /// A type that we do not know.
    UnknownType,
    /// A type of which there is no table, or whose table is turned off.
    NotMirrored,
    /// Another instance's event; the dashboard's test events are such.
    ForeignInstance,
    /// A time more than a day ahead of the database's clock.
    FromTheFuture,
}

impl Ignored {
    /// The reason code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::NotAnObject => "not-an-object",
            Self::NoType => "no-type",
            Self::NoData => "no-data",
            Self::NoId => "no-id",
            Self::UnknownType => "unknown-type",
            Self::NotMirrored => "not-mirrored",
            Self::ForeignInstance => "foreign-instance",
            Self::FromTheFuture => "event-from-the-future",
        }
    }
}

/// An event whose envelope could be read.
#[derive(Debug)]
pub struct Event<'a> {
    envelope: RawObject<'a>,
    data: Option<RawObject<'a>>,
    /// `user.created`; empty if there is none.
    pub event_type: String,
    /// `data.id`.
    pub subject_id: Option<String>,
    /// The envelope's `instance_id`.
    pub instance_id: Option<String>,
    /// When it happened, in microseconds since 1970.
    pub event_at: i64,
    /// The same for a deletion, which has no finer time of its own.
    latest_at: i64,
}

/// An e-mail address that an event tells of without telling whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// As Clerk writes it.
    pub address: String,
    /// When what the event is about was made, in microseconds since 1970: an invitation to that address, perhaps.
    pub created_at: Option<i64>,
}

/// What an event is about, by the first part of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Resource(Resource),
    Message,
    Unknown,
}

impl<'a> Event<'a> {
    /// Reads an envelope. `fallback_at`, in microseconds since 1970, is when it happened if it does not say.
    pub fn parse(body: &'a str, fallback_at: i64) -> Result<Self, Ignored> {
        let envelope = RawObject::parse(body)
            .map_err(|_| Ignored::NotJson)?
            .ok_or(Ignored::NotAnObject)?;
        let data = envelope.object("data");
        let timestamp = envelope.number("timestamp");
        Ok(Self {
            event_type: envelope.id("type").unwrap_or_default(),
            subject_id: data.as_ref().and_then(|data| data.id("id")),
            instance_id: envelope.id("instance_id"),
            event_at: timestamp.and_then(time::micros).unwrap_or(fallback_at),
            latest_at: timestamp
                .and_then(time::latest_micros)
                .unwrap_or_else(|| time::latest_of_second(fallback_at)),
            envelope,
            data,
        })
    }

    fn topic(&self) -> Topic {
        let prefix = self.event_type.split('.').next().unwrap_or_default();
        match Resource::from_event_prefix(prefix) {
            Some(resource) => Topic::Resource(resource),
            None if prefix == EMAIL || prefix == SMS => Topic::Message,
            None => Topic::Unknown,
        }
    }

    /// Whether the type is one that we know. Of a known topic there may be others.
    fn is_known(&self) -> bool {
        self.event_type.split_once('.').is_some_and(|(prefix, verb)| {
            let is_own = |(known, verbs): &(&str, &[&str])| *known == prefix && verbs.contains(&verb);
            KNOWN.iter().any(is_own)
        })
    }

    /// The person whose data the payload may hold, if there is one.
    pub fn user_id(&self) -> Option<String> {
        let data = self.data.as_ref()?;
        let is_user = self.topic() == Topic::Resource(Resource::Users)
            || data.text("object").is_some_and(|object| object == "user");
        if is_user {
            return data.id("id");
        }
        let of_user = || data.object("user")?.id("id");
        let of_member = || data.object("public_user_data")?.id("user_id");
        data.id("user_id").or_else(of_user).or_else(of_member)
    }

    /// The e-mail addresses of the user whom the event shows.
    pub fn addresses(&self) -> Vec<String> {
        let Some(data) = &self.data else {
            return Vec::new();
        };
        let of_session = data.object("user");
        let users = [Some(data), of_session.as_ref()].into_iter().flatten();
        users
            .filter_map(|user| user.list("email_addresses"))
            .flatten()
            .filter_map(|element| Some(RawObject::inside(element)?.text("email_address")?.into_owned()))
            .collect()
    }

    /// The address that the payload shows and that may be anybody's: whom an invitation is for, who waits, by whom a domain was
    /// verified.
    pub fn addressee(&self, policy: &Policy) -> Option<Addressee> {
        let data = self.data.as_ref()?;
        let resource = match self.topic() {
            Topic::Resource(Resource::Users) | Topic::Message => return None,
            Topic::Resource(resource) => Some(resource),
            Topic::Unknown => None,
        };
        let mut shown = ADDRESSES.iter().filter(|name| !policy.excludes(resource, name));
        let address = shown.find_map(|name| data.text(name))?;
        Some(Addressee {
            address: address.into_owned(),
            created_at: data.micros("created_at"),
        })
    }

    /// Why the event touches no row, if so. `own_instances` are the ids of the instance that sent it; none means unknown.
    /// `now` is in microseconds since 1970.
    pub fn ignored(&self, policy: &Policy, own_instances: &[&str], now: i64) -> Option<Ignored> {
        let is_foreign = |id: &String| !own_instances.is_empty() && !own_instances.contains(&id.as_str());
        if self.instance_id.as_ref().is_some_and(is_foreign) {
            return Some(Ignored::ForeignInstance);
        }
        if self.event_type.is_empty() {
            return Some(Ignored::NoType);
        }
        let Some(data) = &self.data else {
            return Some(Ignored::NoData);
        };
        if !self.is_known() {
            return Some(Ignored::UnknownType);
        }
        let Topic::Resource(resource) = self.topic() else {
            return Some(Ignored::NotMirrored);
        };
        if !policy.mirrors(resource) {
            return Some(Ignored::NotMirrored);
        }
        if self.subject_id.is_none() {
            return Some(Ignored::NoId);
        }
        let is_future =
            is_from_the_future(self.event_at, now) || future_version(resource, data, now).is_some();
        is_future.then_some(Ignored::FromTheFuture)
    }

    /// What of the event may be stored: without secrets, codes, and what the policy leaves out. jsonb takes it, and reading
    /// it again gives the same observations. Of the envelope only what Clerk documents is kept: a body that is something
    /// else altogether would show people's data there.
    pub fn payload(&self, policy: &Policy) -> String {
        let mut payload = Writer::new(2048);
        for (name, value) in self.envelope.members() {
            match name {
                "data" => payload.member(name, &self.data_payload(policy)),
                "event_attributes" if policy.keep_event_attributes => payload.member(name, &fit(value)),
                _ if ENVELOPE.contains(&name) && is_scalar(value) => payload.member(name, &fit(value)),
                _ => {}
            }
        }
        payload.end()
    }

    fn data_payload(&self, policy: &Policy) -> String {
        match (&self.data, self.topic()) {
            (None, _) => "null".to_owned(),
            (Some(data), Topic::Resource(resource)) => redact::payload(resource, data, policy),
            (Some(data), Topic::Message) => redact::message(data, policy),
            (Some(data), Topic::Unknown) => redact::unknown(data, policy),
        }
    }

    /// What is left of the payload when the person whose data it holds is erased: type, time and ids.
    pub fn skeleton(&self) -> String {
        let mut skeleton = Writer::new(256);
        for name in ENVELOPE {
            if let Some(value) = self.envelope.get(name).filter(|value| is_scalar(value)) {
                skeleton.member(name, &fit(value));
            }
        }
        if let Some(data) = &self.data {
            let mut ids = Writer::new(128);
            for (name, value) in data.members() {
                let is_state = matches!(
                    name,
                    "object" | "status" | "deleted" | "created_at" | "updated_at"
                );
                let is_id = name == "id" || name == "user_id" || name == "organization_id";
                if (is_state || is_id) && is_scalar(value) {
                    ids.member(name, &fit(value));
                }
            }
            if let Some(member) = data.object("public_user_data") {
                ids.member("public_user_data", &redact::ids_of(&member));
            }
            skeleton.member("data", &ids.end());
        }
        skeleton.end()
    }

    /// What the event says about rows of resources that are mirrored. Nothing for an event that is to be ignored.
    pub fn observations(&self, policy: &Policy) -> Vec<Observation> {
        let Some(data) = &self.data else {
            return Vec::new();
        };
        let mut observations = Vec::new();
        let sighting = Sighting {
            observed_at: self.event_at,
            instance_id: self.instance_id.as_deref(),
            policy,
        };
        if let (Topic::Resource(resource), true) = (self.topic(), self.is_known()) {
            if self.event_type.ends_with(".deleted") {
                self.see_deletion(resource, data, sighting, &mut observations);
            } else {
                see(resource, data, sighting, &mut observations);
            }
        }
        observations.retain(|observation| policy.mirrors(observation.resource));
        observations
    }

    /// A deletion comes with a stub, or with the whole object as it was.
    fn see_deletion(
        &self,
        resource: Resource,
        data: &RawObject,
        sighting: Sighting,
        observations: &mut Vec<Observation>,
    ) {
        let mut deleted_at = self.latest_at;
        if let Some(updated_at) = data.micros("updated_at") {
            deleted_at = deleted_at.max(updated_at);
            see(resource, data, sighting, observations);
        } else if let Some(id) = data.id("id") {
            let instance_id = self.instance_id.clone();
            observations.push(Observation::placeholder(resource, id, instance_id));
        }
        // The object itself comes first, and what it embeds after it.
        if let Some(own) = observations.first_mut() {
            own.deleted_at = Some(deleted_at);
            own.last_seen_at = LOWEST;
        }
    }
}

/// Whether it is no more than an id or a number.
fn is_scalar(json: &str) -> bool {
    !json.starts_with(['{', '[']) && string(json).is_none_or(|text| text.len() <= 255)
}
