//! Times that no source may claim. A version in the far future would bar its row from every later one.

use super::observation::LOWEST;
use super::raw::RawObject;
use super::redact::Treatment;
use super::resource::Resource;
use super::scan::elements;

/// How far in the future a time may lie. Far enough for any clock that is merely wrong, near enough that no source can bar a
/// row from later versions for long.
const FUTURE_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Whether a time lies more than a day after `now`. Both are in microseconds since 1970.
pub fn is_from_the_future(time: i64, now: i64) -> bool {
    time > now.saturating_add(FUTURE_MICROS)
}

/// A member that claims such a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureTime {
    /// Where it is: `updated_at`, `organization.updated_at`, `organization_memberships[0].updated_at`.
    pub member: String,
    /// Its value as it was written.
    pub value: String,
}

/// The version that the object, or an object inside it, claims and must not, if there is one.
pub(super) fn future_version(resource: Resource, object: &RawObject, now: i64) -> Option<FutureTime> {
    if is_from_the_future(object.micros("updated_at").unwrap_or(LOWEST), now) {
        return Some(FutureTime {
            member: "updated_at".to_owned(),
            value: object.get("updated_at").unwrap_or_default().to_owned(),
        });
    }
    resource.shape().treatments.iter().find_map(|(name, treatment)| {
        let json = object.get(name).unwrap_or("null");
        let inside = |other: Resource, json, place: String| {
            let found = future_version(other, &RawObject::inside(json)?, now)?;
            let member = format!("{place}.{}", found.member);
            Some(FutureTime { member, ..found })
        };
        match treatment {
            Treatment::Embedded(other) => inside(*other, json, (*name).to_owned()),
            Treatment::EmbeddedList(list) => {
                let mut elements = elements(json).unwrap_or_default().into_iter().enumerate();
                elements.find_map(|(index, json)| inside(list.resource, json, format!("{name}[{index}]")))
            }
            Treatment::Drop | Treatment::Ids | Treatment::ListWithout(_) => None,
        }
    })
}
