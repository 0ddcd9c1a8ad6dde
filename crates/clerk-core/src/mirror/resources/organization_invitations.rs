//! Invitations into an organization (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Shape, json, text, time};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "organization_invitations",
    event_prefix: "organizationInvitation",
    columns: &[
        text("organization_id"),
        text("email_address"),
        text("role"),
        text("role_name"),
        text("status"),
        text("inviter_id"),
        text("user_id"),
        time("expires_at"),
        json("public_metadata"),
        json("private_metadata"),
    ],
    treatments: &[
        // It carries the ticket that accepts the invitation.
        ("url", Treatment::Drop),
        ("public_organization_data", Treatment::Ids),
    ],
    read,
};

fn read(invitation: &RawObject) -> Vec<Value> {
    vec![
        invitation.id_value("organization_id"),
        invitation.text_value("email_address"),
        invitation.text_value("role"),
        invitation.text_value("role_name"),
        invitation.text_value("status"),
        invitation.id_value("inviter_id"),
        invitation.id_value("user_id"),
        invitation.time_value("expires_at"),
        invitation.json_value("public_metadata"),
        invitation.json_value("private_metadata"),
    ]
}
