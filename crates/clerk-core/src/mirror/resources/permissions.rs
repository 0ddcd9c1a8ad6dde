//! Permissions, which roles give (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::resource::{Shape, text};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "permissions",
    event_prefix: "permission",
    columns: &[text("key"), text("name"), text("description"), text("type")],
    treatments: &[],
    read,
};

fn read(permission: &RawObject) -> Vec<Value> {
    vec![
        permission.text_value("key"),
        permission.text_value("name"),
        permission.text_value("description"),
        permission.text_value("type"),
    ]
}
