//! Items of subscriptions (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::{Embedded, Inherited};
use crate::mirror::resource::{Resource, Shape, boolean, text, time};
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
    treatments: &[],
    read,
};

/// Items inside something that somebody pays for. They need not say who pays.
pub(super) const OF_PAYER: Embedded = Embedded {
    resource: Resource::SubscriptionItems,
    inherited: &[PAYER],
    needed: Some("subscription_id"),
};

/// Items inside their subscription. There, Clerk leaves its id out.
pub(super) const OF_SUBSCRIPTION: Embedded = Embedded {
    inherited: &[
        Inherited {
            name: "subscription_id",
            from: "id",
            unless: "subscription_id",
        },
        PAYER,
    ],
    ..OF_PAYER
};

const PAYER: Inherited = Inherited {
    name: "payer",
    from: "payer",
    unless: "payer",
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
        item.id_value("payer_id"),
        payer.id_value("user_id"),
        payer.id_value("organization_id"),
    ]
}
