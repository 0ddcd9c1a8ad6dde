//! Items of subscriptions (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Shape, boolean, text, time};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "subscription_items",
    event_prefix: "subscriptionItem",
    columns: &[
        text("subscription_id"),
        text("status"),
        text("plan_id"),
        text("plan_slug"),
        text("interval"),
        boolean("is_free_trial"),
        time("period_start"),
        time("period_end"),
        text("payer_id"),
        text("payer_user_id"),
        text("payer_organization_id"),
    ],
    side_fields: &[],
    treatments: &[("payer", Treatment::Ids), ("payment_source", Treatment::Drop)],
    read,
};

fn read(item: &RawObject) -> Vec<Value> {
    let plan = item.object("plan").unwrap_or_default();
    let payer = item.object("payer").unwrap_or_default();
    vec![
        item.id_value("subscription_id"),
        item.text_value("status"),
        item.id_value("plan_id"),
        plan.text_value("slug"),
        item.text_value("interval"),
        item.boolean_value("is_free_trial"),
        item.time_value("period_start"),
        item.time_value("period_end"),
        payer.id_value("id"),
        payer.id_value("user_id"),
        payer.id_value("organization_id"),
    ]
}
