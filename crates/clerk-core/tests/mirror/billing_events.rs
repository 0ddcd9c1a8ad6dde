//! Subscriptions, their items, and attempts to pay.

use clerk_core::mirror::Policy;
use clerk_core::mirror::Resource::{PaymentAttempts, SubscriptionItems, Subscriptions, Users};
use serde_json::{Value, json};

use crate::reading::{
    assert_alive, columns, data, every_resource, is_placeholder, observe, observe_object, observe_with,
    payload_with, rows, told,
};
use crate::samples::{
    CREATED, UPDATED, event, payment_attempt, subscription, subscription_item, with, without,
};

/// The unused side of a payer is an empty string at Clerk, and nothing here.
fn cut_payer() -> Value {
    json!({"id": "cpayer_1", "user_id": "user_1"})
}

#[test]
fn a_subscription_event_fills_the_subscription_and_its_items() {
    for event_type in [
        "subscription.created",
        "subscription.updated",
        "subscription.active",
        "subscription.pastDue",
    ] {
        let observations = observe(&event(event_type, subscription()));
        assert_eq!(rows(&observations)[0], (Subscriptions, "csub_1"), "{event_type}");
        assert_alive(&observations[0]);
        let expected = json!({
            "status": "past_due", "payer_id": "cpayer_1", "payer_user_id": "user_1", "payer_organization_id": null,
            "latest_payment_id": "cpay_1", "active_at": CREATED, "past_due_at": UPDATED, "canceled_at": null,
            "ended_at": null,
        });
        assert_eq!(columns(&observations[0]), expected);
        let kept = json!({"payer": cut_payer(), "items": [{"id": "csi_1"}]});
        assert_eq!(data(&observations[0]), with(subscription(), kept));

        let item = told(&observations, SubscriptionItems, "csi_1");
        assert_alive(item);
        assert_eq!(
            columns(item)["subscription_id"],
            "csub_1",
            "whose it is, its subscription says"
        );
        assert_eq!(columns(item)["payer_user_id"], "user_1", "and who pays");
        assert!(is_placeholder(&observations, Users, "user_1"));
    }
}

#[test]
fn an_item_event_fills_its_row() {
    for verb in [
        "created",
        "updated",
        "active",
        "canceled",
        "upcoming",
        "ended",
        "abandoned",
        "incomplete",
        "pastDue",
        "freeTrialEnding",
        "expired",
    ] {
        let observations = observe(&event(
            &format!("subscriptionItem.{verb}"),
            subscription_item("csi_1"),
        ));
        assert_eq!(rows(&observations)[0], (SubscriptionItems, "csi_1"), "{verb}");
        assert_alive(&observations[0]);
        let expected = json!({
            "subscription_id": "csub_1", "status": "active", "plan_id": "cplan_1", "plan_slug": "pro",
            "interval": "month", "is_free_trial": false, "period_start": CREATED,
            "period_end": 1_746_868_393_626_i64, "payer_id": "cpayer_1", "payer_user_id": "user_1",
            "payer_organization_id": null,
        });
        assert_eq!(columns(&observations[0]), expected);
        assert_eq!(
            data(&observations[0]),
            with(
                subscription_item("csi_1"),
                json!({"payer": cut_payer(), "payer_id": "cpayer_1"})
            )
        );
        assert!(is_placeholder(&observations, Users, "user_1"));
    }
}

#[test]
fn an_item_says_the_same_inside_its_subscription() {
    let own = observe(&event("subscriptionItem.updated", subscription_item("csi_1")));
    let inside = observe(&event("subscription.updated", subscription()));
    let inside = told(&inside, SubscriptionItems, "csi_1");
    assert_eq!(columns(inside), columns(&own[0]));
    assert_eq!(data(inside), data(&own[0]));
}

#[test]
fn an_item_may_have_no_plan_and_no_end() {
    let bare = json!({"plan": null, "plan_id": null, "period_end": null});
    let observations = observe(&event(
        "subscriptionItem.active",
        with(subscription_item("csi_1"), bare),
    ));
    let columns = columns(&observations[0]);
    assert_eq!(
        [&columns["plan_id"], &columns["plan_slug"], &columns["period_end"]],
        [&Value::Null; 3]
    );
}

#[test]
fn what_the_backend_api_calls_otherwise_has_one_name() {
    let mut sent = subscription();
    sent["subscription_items"] = sent["items"].take();
    let observations = observe(&event("subscription.updated", without(sent, "items")));
    assert_eq!(data(&observations[0])["items"], json!([{"id": "csi_1"}]));
    assert_eq!(data(&observations[0]).get("subscription_items"), None);
    assert_alive(told(&observations, SubscriptionItems, "csi_1"));

    let mut item = without(without(subscription_item("csi_1"), "payer"), "interval");
    item["plan_period"] = json!("annual");
    item["payer_id"] = json!("cpayer_1");
    let item = &observe_object(SubscriptionItems, item)[0];
    assert_eq!(columns(item)["interval"], "annual");
    assert_eq!(columns(item)["payer_id"], "cpayer_1");
    assert_eq!(data(item).get("plan_period"), None);

    let mut attempt = without(without(payment_attempt(), "totals"), "payer");
    attempt["amount"] = json!({"amount": 700, "currency": "EUR"});
    attempt["payer_id"] = json!("cpayer_1");
    attempt["subscription_item"] = subscription_item("csi_1");
    let attempt = &observe_object(PaymentAttempts, attempt)[0];
    let told = columns(attempt);
    assert_eq!(
        [&told["amount"], &told["currency"], &told["payer_id"]],
        [&json!(700), &json!("EUR"), &json!("cpayer_1")]
    );
    assert_eq!(data(attempt)["subscription_item"], json!({"id": "csi_1"}));
}

#[test]
fn a_name_that_is_excluded_is_excluded_under_every_name() {
    for excluded in ["interval", "subscription_items.plan_period"] {
        let policy = Policy {
            exclude_fields: vec![excluded.to_owned()],
            ..every_resource()
        };
        let mut shown = without(subscription_item("csi_1"), "interval");
        shown["plan_period"] = json!("annual");
        for item in [shown, subscription_item("csi_1")] {
            let body = event("subscriptionItem.updated", item);
            let told = &observe_with(&body, &policy)[0];
            assert_eq!(
                (columns(told)["interval"].clone(), data(told).get("interval")),
                (Value::Null, None)
            );
            let payload = payload_with(&body, &policy);
            assert_eq!(
                (
                    payload["data"].get("interval"),
                    payload["data"].get("plan_period")
                ),
                (None, None)
            );
        }
    }
}

#[test]
fn a_payment_attempt_event_fills_its_row() {
    for event_type in ["paymentAttempt.created", "paymentAttempt.updated"] {
        let observations = observe(&event(event_type, payment_attempt()));
        assert_eq!(
            rows(&observations)[0],
            (PaymentAttempts, "cpat_1"),
            "{event_type}"
        );
        assert_alive(&observations[0]);
        let expected = json!({
            "status": "paid", "payment_id": "cpay_1", "invoice_id": "cinv_1", "statement_id": "cstm_1",
            "charge_type": "recurring", "amount": 1250, "currency": "USD", "payer_id": "cpayer_1",
            "payer_user_id": "user_1", "payer_organization_id": null, "billing_date": CREATED, "paid_at": UPDATED,
            "failed_at": null,
        });
        assert_eq!(columns(&observations[0]), expected);
        let kept = json!({
            "payer": cut_payer(), "payer_id": "cpayer_1", "subscription_items": [{"id": "csi_1"}],
            "amount": payment_attempt()["totals"]["grand_total"],
        });
        assert_eq!(
            data(&observations[0]),
            with(without(payment_attempt(), "payment_source"), kept)
        );
        let item = told(&observations, SubscriptionItems, "csi_1");
        assert_alive(item);
        assert_eq!(columns(item)["subscription_id"], "csub_1");
    }
}

#[test]
fn an_item_inside_a_payment_that_names_no_subscription_is_no_version_of_it() {
    let item = with(subscription_item("csi_1"), json!({"subscription_id": null}));
    let body = event(
        "paymentAttempt.created",
        with(payment_attempt(), json!({"subscription_items": [item]})),
    );
    assert!(is_placeholder(&observe(&body), SubscriptionItems, "csi_1"));
}

#[test]
fn an_organization_may_pay() {
    let payer =
        json!({"id": "cpayer_2", "user_id": "", "organization_id": "org_1", "organization_name": "Acme"});
    let observations = observe(&event(
        "subscription.created",
        with(subscription(), json!({"payer": payer})),
    ));
    let columns = columns(&observations[0]);
    assert_eq!(
        (&columns["payer_user_id"], &columns["payer_organization_id"]),
        (&Value::Null, &json!("org_1"))
    );
    let placeholder = |row: &(_, &str)| *row == (clerk_core::mirror::Resource::Organizations, "org_1");
    assert!(rows(&observations).iter().any(placeholder));
    assert!(!rows(&observations).iter().any(|(resource, _)| *resource == Users));
}
