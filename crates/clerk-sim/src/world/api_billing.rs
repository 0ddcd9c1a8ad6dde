//! Subscriptions and payments as the Backend API shows them: the same things under other names, and in more detail.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::World;
use super::billing::money;
use super::members::Source;
use super::records::Place;
use super::resource::Resource;

impl World {
    /// Adds what only the API shows of it.
    pub(super) fn add_of_api(&self, place: Place, object: &mut Value) {
        let record = self.record(place);
        object["instance_id"] = json!(self.options.instance_id);
        match place.resource {
            Resource::Subscriptions => {
                object["subscription_items"] = self.parts(place, Source::Api);
                object["eligible_for_free_trial"] = json!(false);
            }
            Resource::SubscriptionItems => {
                let subscription = record.whole.expect("an item has a subscription");
                let since = |status: &str| (object["status"] == status).then_some(record.updated_at_ms());
                let (canceled_at, ended_at) = (since("canceled"), since("ended"));
                object["object"] = json!("commerce_subscription_item");
                object["plan_period"] = object["interval"].clone();
                object["payer_id"] = json!(self.record(subscription).payer_id);
                object["canceled_at"] = json!(canceled_at);
                object["past_due_at"] = Value::Null;
                object["ended_at"] = json!(ended_at);
                object["plan"] = plan(&object["plan"]);
                if is_even(&record.id) {
                    remove(object, "payer");
                }
            }
            Resource::PaymentAttempts => {
                object["object"] = json!("commerce_payment");
                object["payee_id"] = object["payee"]["id"].clone();
                object["payer_id"] = json!(record.payer_id);
                object["amount"] = object["totals"]["grand_total"].clone();
                object["payment_method_id"] = object["payment_source"]["id"].clone();
                object["payment_method"] = json!({
                    "object": "commerce_payment_method",
                    "id": object["payment_source"]["id"],
                    "payer_id": record.payer_id,
                    "payment_type": "card",
                    "gateway": "stripe",
                    "gateway_external_id": "pm_sim",
                    "gateway_external_account_id": "acct_sim",
                    "last4": "4242",
                    "status": "active",
                    "card_type": "visa",
                });
                object["gateway_external_url"] = Value::Null;
                if let Some(item) = record.parts.first() {
                    object["subscription_item_id"] = json!(self.record(*item).id);
                    object["subscription_item"] = self.view(*item, Source::Api);
                }
                if is_even(&record.id) {
                    remove(object, "totals");
                }
            }
            _ => {}
        }
    }

    /// Of these attempts to pay, the first for each statement.
    pub(super) fn one_of_each_statement(&self, attempts: Vec<Place>) -> Vec<Place> {
        let mut seen = BTreeSet::new();
        let mut attempts = attempts;
        attempts.retain(|attempt| seen.insert(self.record(*attempt).object()["statement_id"].to_string()));
        attempts
    }

    /// The statement that an attempt was to pay.
    pub(super) fn statement(&self, attempt: Place) -> Value {
        let object = self.record(attempt).object();
        json!({
            "object": "commerce_statement",
            "id": object["statement_id"],
            "instance_id": self.options.instance_id,
            "timestamp": object["created_at"],
            "payer": self.payer(attempt, Source::Api),
            "status": "open",
            "totals": { "grand_total": object["totals"]["grand_total"], "subtotal": object["totals"]["subtotal"],
                "base_fee": object["totals"]["subtotal"], "tax_total": object["totals"]["tax_total"] },
            "groups": [],
        })
    }
}

/// A plan as the API shows it.
fn plan(plan: &Value) -> Value {
    let amount = plan["amount"].as_i64().unwrap_or(0);
    json!({
        "object": "commerce_plan",
        "id": plan["id"],
        "name": plan["name"],
        "slug": plan["slug"],
        "description": null,
        "product_id": "cprod_sim",
        "fee": money(amount),
        "annual_fee": money(amount * 12),
        "annual_monthly_fee": money(amount),
        "is_default": false,
        "is_recurring": plan["is_recurring"],
        "publicly_visible": true,
        "has_base_fee": true,
        "for_payer_type": "user",
        "avatar_url": null,
        "free_trial_enabled": false,
        "free_trial_days": null,
    })
}

/// Half of all things, always the same: these lack what the specification leaves open.
fn is_even(id: &str) -> bool {
    id.bytes().last().is_some_and(|last| last % 2 == 0)
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().expect("it is an object").remove(name);
}
