//! Subscriptions (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Shape, text, time};
use crate::mirror::resources::subscription_items::OF_SUBSCRIPTION;
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "subscriptions",
    event_prefix: "subscription",
    columns: &[
        text("status"),
        text("payer_id"),
        text("payer_user_id"),
        text("payer_organization_id"),
        text("latest_payment_id"),
        time("active_at"),
        time("past_due_at"),
        time("canceled_at"),
        time("ended_at"),
    ],
    treatments: &[
        ("items", Treatment::EmbeddedList(OF_SUBSCRIPTION)),
        // As the Backend API calls them, in the ledger and where versions are checked.
        ("subscription_items", Treatment::EmbeddedList(OF_SUBSCRIPTION)),
    ],
    read,
};

fn read(subscription: &RawObject) -> Vec<Value> {
    let payer = subscription.object("payer").unwrap_or_default();
    vec![
        subscription.text_value("status"),
        subscription.id_value("payer_id"),
        payer.id_value("user_id"),
        payer.id_value("organization_id"),
        subscription.id_value("latest_payment_id"),
        subscription.time_value("active_at"),
        subscription.time_value("past_due_at"),
        subscription.time_value("canceled_at"),
        subscription.time_value("ended_at"),
    ]
}
