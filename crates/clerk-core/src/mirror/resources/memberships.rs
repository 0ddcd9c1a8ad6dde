//! Organization memberships (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Resource, Shape, json, text, texts};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "organization_memberships",
    event_prefix: "organizationMembership",
    columns: &[
        text("organization_id"),
        text("user_id"),
        text("role"),
        text("role_name"),
        texts("permissions"),
        json("public_metadata"),
        json("private_metadata"),
    ],
    treatments: &[("organization", Treatment::Embedded(Resource::Organizations))],
    read,
};

fn read(membership: &RawObject) -> Vec<Value> {
    let organization = membership.object("organization").unwrap_or_default();
    let person = membership.object("public_user_data").unwrap_or_default();
    vec![
        organization.id_value("id"),
        Value::Text(person.id("user_id").or_else(|| membership.id("user_id"))),
        membership.text_value("role"),
        membership.text_value("role_name"),
        membership.texts_value("permissions"),
        membership.json_value("public_metadata"),
        membership.json_value("private_metadata"),
    ]
}
