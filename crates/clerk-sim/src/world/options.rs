//! What a world is made of, and how mean it is.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How a world begins and what happens in it. In JSON everything may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldOptions {
    /// The same options give the same world, byte for byte.
    pub seed: u64,
    /// The world's clock at the beginning, in milliseconds. Over 10^11: smaller numbers read as seconds.
    pub start_ms: i64,
    /// The instance that every genuine event names.
    pub instance_id: String,
    /// The least number of people, who sign up first and are replaced when deleted, and the most. One at least.
    pub users: RangeInclusive<usize>,
    /// The most organizations that exist at a time.
    pub organizations: usize,
    /// What people do; all of it by default.
    pub activities: Vec<Activity>,
    /// What makes the stream hard to follow; nothing by default.
    pub adversity: Adversity,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            start_ms: 1_750_000_000_000,
            instance_id: "ins_sim".to_owned(),
            users: 2..=50,
            organizations: 12,
            activities: Activity::ALL.to_vec(),
            adversity: Adversity::default(),
        }
    }
}

/// A part of life, and the resources it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Signing up, changing oneself, being banned, locked, deleted. Always on: the rest needs people.
    People,
    /// Signing in and out.
    Sessions,
    /// Organizations come, change and go.
    Organizations,
    /// Joining, changing role, leaving and rejoining.
    Memberships,
    /// Invitations to an organization.
    OrganizationInvitations,
    /// Domains of an organization.
    OrganizationDomains,
    /// Roles and permissions of the instance.
    Roles,
    /// Invitations to the application.
    Invitations,
    /// The waiting list.
    Waitlist,
    /// Subscriptions, their items and payment attempts.
    Billing,
    /// Email and text messages: events of things that no table keeps.
    Messages,
}

impl Activity {
    /// All of life.
    pub const ALL: [Self; 11] = [
        Self::People,
        Self::Sessions,
        Self::Organizations,
        Self::Memberships,
        Self::OrganizationInvitations,
        Self::OrganizationDomains,
        Self::Roles,
        Self::Invitations,
        Self::Waitlist,
        Self::Billing,
        Self::Messages,
    ];
}

/// How often each trap is set: probabilities from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adversity {
    /// An action happens in the very millisecond of the one before.
    pub same_millisecond: f64,
    /// One thing is updated twice in one millisecond (the truth is then ambiguous), or updated and deleted.
    pub twins: f64,
    /// A change leaves `updated_at` where it was; only the event's time tells that it came later.
    pub still_updated_at: f64,
    /// A sign-in changes the person, and nothing but the user embedded in `session.created` shows it.
    pub embedded_only: f64,
    /// The envelope has its time in seconds. The event then happens on a full second, so nothing is lost.
    pub seconds: f64,
    /// The envelope has no `instance_id`, as in old samples.
    pub no_instance_id: f64,
    /// The envelope has `event_attributes`: somebody's address and browser.
    pub event_attributes: f64,
    /// A new person's object lacks optional fields, as in old samples, for as long as the person lives.
    pub sparse: f64,
    /// Metadata is null.
    pub null_metadata: f64,
    /// Names and metadata hold other scripts, emoji, quotes, backslashes and control characters.
    pub unicode: f64,
    /// Names hold U+0000, which jsonb cannot.
    pub nul: f64,
    /// A body writes everything beyond ASCII as `\u` escapes.
    pub escapes: f64,
    /// Metadata is several kilobytes long.
    pub large_metadata: f64,
    /// What ends with a deleted person or organization ends without an event.
    pub silent_cascades: f64,
    /// An event that changes nothing: of a foreign instance, of an unknown type, a deletion without an id.
    pub strangers: f64,
}

impl Adversity {
    /// Everything at once, often enough to show in a history of thirty events. Without U+0000.
    pub fn hostile() -> Self {
        Self {
            same_millisecond: 0.25,
            twins: 0.08,
            still_updated_at: 0.2,
            embedded_only: 0.3,
            seconds: 0.15,
            no_instance_id: 0.1,
            event_attributes: 0.3,
            sparse: 0.2,
            null_metadata: 0.2,
            unicode: 0.3,
            nul: 0.0,
            escapes: 0.2,
            large_metadata: 0.05,
            silent_cascades: 0.5,
            strangers: 0.03,
        }
    }
}
