//! Attempts to pay for a subscription.

use serde_json::{Value, json};

use super::World;
use super::billing::money;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    /// An open attempt comes to its end; if there is none, one is made.
    pub(super) fn pay(&mut self, subscription: Place) {
        match self.any(Resource::PaymentAttempts) {
            Some(attempt) if self.dice.chance(0.7) => self.conclude(attempt),
            _ => self.attempt_to_pay(subscription),
        }
    }

    fn attempt_to_pay(&mut self, subscription: Place) {
        let bill = self.record(subscription).clone();
        let amount = bill.parts.last().map_or(0, |item| {
            self.record(*item).object()["plan"]["amount"]
                .as_i64()
                .unwrap_or(0)
        });
        let instance_id = self.options.instance_id.clone();
        let pen = self.pen();
        let attempt = json!({
            "id": pen.dice.id("cpayatt_"),
            "instance_id": instance_id,
            "payment_id": pen.dice.id("cpay_"),
            "invoice_id": pen.dice.id("cinv_"),
            "statement_id": pen.dice.id("cstmt_"),
            "gateway_external_id": format!("pi_{}", pen.dice.token(24)),
            "status": "pending",
            "paid_at": null,
            "failed_at": null,
            "failed_reason": null,
            "billing_date": pen.now_ms,
            "charge_type": *pen.dice.pick(&["checkout", "recurring"]),
            "payee": { "id": "cpayee_sim", "gateway_type": "stripe", "gateway_external_id": "acct_sim",
                "gateway_status": "active" },
            "totals": { "subtotal": money(amount), "tax_total": money(0), "grand_total": money(amount) },
            "payment_source": { "id": pen.dice.id("cpsrc_"), "gateway": "stripe", "last4": "4242", "card_type": "visa" },
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let mut record = Record::new(attempt);
        record.person = bill.person;
        record.organization = bill.organization;
        record.payer_id = bill.payer_id;
        record.parts.extend(bill.parts.last().copied());
        let attempt = self.add(Resource::PaymentAttempts, record);
        self.announce(attempt, "paymentAttempt.created");
    }

    fn conclude(&mut self, attempt: Place) {
        self.change(attempt, |attempt, pen| {
            let now_ms = json!(pen.now_ms);
            if pen.dice.chance(0.7) {
                attempt["status"] = json!("paid");
                attempt["paid_at"] = now_ms;
            } else {
                attempt["status"] = json!("failed");
                attempt["failed_at"] = now_ms;
                attempt["failed_reason"] = failure();
            }
        });
        self.announce(attempt, "paymentAttempt.updated");
        self.close(attempt);
    }
}

fn failure() -> Value {
    json!({ "code": "card_declined", "decline_code": "insufficient_funds" })
}
