//! People and organizations subscribe to plans.

use serde_json::{Value, json};

use super::World;
use super::dice::Dice;
use super::records::{Place, Record};
use super::resource::Resource;
use super::words::PLANS;

impl World {
    pub(super) fn live_and_pay(&mut self) {
        match (self.any(Resource::Subscriptions), self.dice.below(6)) {
            (Some(subscription), 0) => self.change_plan(subscription),
            (Some(subscription), 1) => self.fall_behind_or_catch_up(subscription),
            (Some(subscription), 2) => self.cancel(subscription),
            (Some(subscription), 3..=4) => self.pay(subscription),
            _ => self.subscribe(),
        }
    }

    fn subscribe(&mut self) {
        let for_organization = self.dice.chance(0.5);
        let payer = self.any(if for_organization {
            Resource::Organizations
        } else {
            Resource::Users
        });
        let Some(payer) = payer else { return };
        // Whoever pays again does so as the same payer.
        let new_payer_id = self.dice.id("cpayer_");
        let payer_id = self
            .record_mut(payer)
            .payer_id
            .get_or_insert(new_payer_id)
            .clone();
        let pen = self.pen();
        let subscription = json!({
            "object": "commerce_subscription",
            "id": pen.dice.id("csub_"),
            "status": "active",
            "active_at": pen.now_ms,
            "canceled_at": null,
            "ended_at": null,
            "past_due_at": null,
            "latest_payment_id": null,
            "payer_id": payer_id,
            "payment_source_id": null,
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let mut record = Record::new(subscription);
        record.payer_id = Some(payer_id);
        if for_organization {
            record.organization = Some(payer);
        } else {
            record.person = Some(payer);
        }
        let subscription = self.add(Resource::Subscriptions, record);
        let item = self.add_item(subscription);
        self.announce(subscription, "subscription.created");
        self.announce(item, "subscriptionItem.active");
    }

    fn add_item(&mut self, subscription: Place) -> Place {
        let now_ms = self.clock.now_ms();
        let mut record = Record::new(item(&mut self.dice, now_ms));
        record.whole = Some(subscription);
        let item = self.add(Resource::SubscriptionItems, record);
        self.record_mut(subscription).parts.push(item);
        item
    }

    /// The old items end, and one of another plan is added.
    fn change_plan(&mut self, subscription: Place) {
        for item in self.active_items(subscription) {
            self.end_item(item, "ended");
        }
        let item = self.add_item(subscription);
        self.change(subscription, |_, _| {});
        self.announce(subscription, "subscription.updated");
        self.announce(item, "subscriptionItem.active");
    }

    fn fall_behind_or_catch_up(&mut self, subscription: Place) {
        let falls_behind = self.record(subscription).object()["status"] == "active";
        self.change(subscription, |subscription, pen| {
            subscription["status"] = json!(if falls_behind { "past_due" } else { "active" });
            subscription["past_due_at"] = if falls_behind {
                json!(pen.now_ms)
            } else {
                Value::Null
            };
        });
        self.announce(
            subscription,
            if falls_behind {
                "subscription.pastDue"
            } else {
                "subscription.active"
            },
        );
    }

    /// There is no `subscription.canceled`: the items tell.
    fn cancel(&mut self, subscription: Place) {
        for item in self.active_items(subscription) {
            self.end_item(item, "canceled");
        }
        self.change(subscription, |subscription, pen| {
            subscription["status"] = json!("canceled");
            subscription["canceled_at"] = json!(pen.now_ms);
        });
        self.announce(subscription, "subscription.updated");
        self.close(subscription);
    }

    fn active_items(&self, subscription: Place) -> Vec<Place> {
        let items = self.record(subscription).parts.iter().copied();
        items
            .filter(|item| self.record(*item).object()["status"] == "active")
            .collect()
    }

    fn end_item(&mut self, item: Place, status: &str) {
        self.change(item, |item, _| item["status"] = json!(status));
        self.announce(item, &format!("subscriptionItem.{status}"));
        self.close(item);
    }
}

fn item(dice: &mut Dice, now_ms: i64) -> Value {
    let (slug, name, amount) = PLANS[dice.below(PLANS.len())];
    let money = money(amount);
    json!({
        // Clerk's schema and its own examples disagree about the name.
        "object": *dice.pick(&["commerce_subscription_item", "subscription_item"]),
        "id": dice.id("csubi_"),
        "status": "active",
        "is_free_trial": false,
        "interval": *dice.pick(&["month", "annual"]),
        "plan_id": format!("cplan_{slug}"),
        "plan": {
            "id": format!("cplan_{slug}"),
            "slug": slug,
            "name": name,
            "is_recurring": true,
            "amount": amount,
            "currency": "USD",
            "unit_prices": [{ "name": "seats", "amount": money }],
        },
        "period_start": now_ms,
        "period_end": now_ms + 30 * 86_400_000,
        "seats": { "quantity": dice.below(20) },
        "created_at": now_ms,
        "updated_at": now_ms,
    })
}

/// An amount in minor units.
pub(super) fn money(amount: i64) -> Value {
    json!({
        "amount": amount,
        "amount_formatted": format!("{}.{:02}", amount / 100, amount % 100),
        "currency": "USD",
        "currency_symbol": "$",
    })
}
