//! Invitations into the application (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Shape, json, text, time};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "invitations",
    event_prefix: "invitation",
    columns: &[
        text("email_address"),
        text("status"),
        time("expires_at"),
        json("public_metadata"),
    ],
    treatments: &[
        // It carries the ticket that accepts the invitation.
        ("url", Treatment::Drop),
    ],
    read,
};

fn read(invitation: &RawObject) -> Vec<Value> {
    vec![
        invitation.text_value("email_address"),
        invitation.text_value("status"),
        invitation.time_value("expires_at"),
        invitation.json_value("public_metadata"),
    ]
}
