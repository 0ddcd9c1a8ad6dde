//! Organizations (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::resource::{Shape, integer, json, text};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "organizations",
    event_prefix: "organization",
    columns: &[
        text("name"),
        text("slug"),
        text("image_url"),
        integer("members_count"),
        integer("max_allowed_memberships"),
        json("public_metadata"),
        json("private_metadata"),
        text("created_by"),
    ],
    treatments: &[],
    read,
};

fn read(organization: &RawObject) -> Vec<Value> {
    vec![
        organization.text_value("name"),
        organization.text_value("slug"),
        organization.text_value("image_url"),
        organization.integer_value("members_count"),
        organization.integer_value("max_allowed_memberships"),
        organization.json_value("public_metadata"),
        organization.json_value("private_metadata"),
        organization.id_value("created_by"),
    ]
}
