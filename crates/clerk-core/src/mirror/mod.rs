//! From Clerk's webhooks and API objects to rows: what is stored, and what each source says about which row.
//!
//! [`Event::parse`] reads an envelope, [`Event::payload`] is the part of it that may be stored, and
//! [`Event::observations`] is what it says about rows of the mirror. Objects listed by the Backend API take the same way
//! from [`observe_objects`]. [`reduce`] joins many observations so that each row comes once in a statement, and
//! [`Observation::join`] is the join that makes the order in which news came irrelevant.

mod event;
mod event_pattern;
mod excludable;
mod fit;
mod future;
mod join;
mod list;
mod members;
mod observation;
mod observe;
mod policy;
mod raw;
mod redact;
mod resource;
mod resources;
mod scan;
pub(crate) mod time;
mod value;

pub use event::{Addressee, Event, Ignored};
pub use event_pattern::{EventPatternError, check_event_pattern};
pub use excludable::check_excludable;
pub use fit::fit_json;
pub use future::{FutureTime, is_from_the_future};
pub use join::DeletedUsers;
pub use list::{content_id, instance_of, list_events};
pub use members::{Member, Presence};
pub use observation::{LOWEST, Live, Observation, reduce};
pub use observe::{
    ObjectError, ObjectsError, observe_object, observe_objects, placeholder_membership, split_objects,
};
pub use policy::Policy;
pub use resource::{Column, Resource};
pub use value::{ColumnType, Value};
