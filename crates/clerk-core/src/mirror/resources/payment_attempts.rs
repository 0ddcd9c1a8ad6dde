//! Attempts to pay (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Shape, integer, text, time};
use crate::mirror::resources::subscription_items::OF_PAYER;
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "payment_attempts",
    event_prefix: "paymentAttempt",
    columns: &[
        text("status"),
        text("payment_id"),
        text("invoice_id"),
        text("statement_id"),
        text("charge_type"),
        integer("amount"),
        text("currency"),
        text("payer_id"),
        text("payer_user_id"),
        text("payer_organization_id"),
        time("billing_date"),
        time("paid_at"),
        time("failed_at"),
    ],
    treatments: &[
        ("subscription_items", Treatment::EmbeddedList(OF_PAYER)),
        ("subscription_item", Treatment::Ids),
    ],
    read,
};

fn read(attempt: &RawObject) -> Vec<Value> {
    let payer = attempt.object("payer").unwrap_or_default();
    let amount = attempt.object("amount").unwrap_or_default();
    vec![
        attempt.text_value("status"),
        attempt.id_value("payment_id"),
        attempt.id_value("invoice_id"),
        attempt.id_value("statement_id"),
        attempt.text_value("charge_type"),
        amount.integer_value("amount"),
        amount.text_value("currency"),
        attempt.id_value("payer_id"),
        payer.id_value("user_id"),
        payer.id_value("organization_id"),
        attempt.time_value("billing_date"),
        attempt.time_value("paid_at"),
        attempt.time_value("failed_at"),
    ]
}
