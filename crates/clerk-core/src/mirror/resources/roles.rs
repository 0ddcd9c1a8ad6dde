//! Roles of organizations (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::{Embedded, Treatment};
use crate::mirror::resource::{Resource, Shape, boolean, text, texts};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "roles",
    event_prefix: "role",
    columns: &[
        text("key"),
        text("name"),
        text("description"),
        boolean("is_creator_eligible"),
        texts("permissions"),
    ],
    treatments: &[(
        "permissions",
        Treatment::EmbeddedList(Embedded {
            resource: Resource::Permissions,
            inherited: &[],
            needed: None,
        }),
    )],
    read,
};

fn read(role: &RawObject) -> Vec<Value> {
    let permissions = role.list("permissions");
    let key = |permission: &str| RawObject::inside(permission)?.id("key");
    vec![
        role.text_value("key"),
        role.text_value("name"),
        role.text_value("description"),
        role.boolean_value("is_creator_eligible"),
        Value::Texts(permissions.map(|list| list.into_iter().filter_map(key).collect())),
    ]
}
