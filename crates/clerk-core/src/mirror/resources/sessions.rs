//! Sessions (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Resource, Shape, json, text, time};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "sessions",
    event_prefix: "session",
    columns: &[
        text("user_id"),
        text("client_id"),
        text("status"),
        text("last_active_organization_id"),
        time("last_active_at"),
        time("expire_at"),
        time("abandon_at"),
        json("actor"),
    ],
    treatments: &[("user", Treatment::Embedded(Resource::Users))],
    read,
};

fn read(session: &RawObject) -> Vec<Value> {
    vec![
        session.id_value("user_id"),
        session.id_value("client_id"),
        session.text_value("status"),
        session.id_value("last_active_organization_id"),
        session.time_value("last_active_at"),
        session.time_value("expire_at"),
        session.time_value("abandon_at"),
        session.json_value("actor"),
    ]
}
