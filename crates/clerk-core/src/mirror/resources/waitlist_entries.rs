//! Entries of the waitlist (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Resource, Shape, boolean, text};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "waitlist_entries",
    event_prefix: "waitlistEntry",
    columns: &[
        text("email_address"),
        text("status"),
        boolean("is_locked"),
        text("invitation_id"),
    ],
    treatments: &[("invitation", Treatment::Embedded(Resource::Invitations))],
    read,
};

fn read(entry: &RawObject) -> Vec<Value> {
    let invitation = entry.object("invitation").unwrap_or_default();
    vec![
        entry.text_value("email_address"),
        entry.text_value("status"),
        entry.boolean_value("is_locked"),
        invitation.id_value("id"),
    ]
}
