//! `NOTIFY clerk_sync`, if asked for: type and ids of each event, and never what is in it.

use std::time::Duration;

use clerk_tests::Sql;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::{Value, json};

use crate::scene::{Scene, event, user_created};

/// What arrived so far on our channel.
fn heard(listener: &mut Client) -> Vec<Value> {
    // Notifications come with the answer to whatever is asked next.
    listener.run("SELECT 1");
    let mut notifications = listener.notifications();
    let mut heard = Vec::new();
    let mut pending = notifications.timeout_iter(Duration::from_millis(300));
    while let Some(notification) = pending.next().expect("the connection is alive") {
        if notification.channel() == "clerk_sync" {
            heard.push(serde_json::from_str(notification.payload()).expect("it is JSON"));
        }
    }
    heard
}

#[test]
fn each_event_is_told_of_once_when_it_is_there() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    // Anybody may listen.
    let mut listener = scene.db.connect("anon");
    listener.run("LISTEN clerk_sync");
    let mut pooled = scene.pooled();
    let mut deliver = |svix_id: &str, body: &str| {
        let answer = pooled.deliver(body, &scene.headers(svix_id, body));
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    deliver("msg_quiet", &user_created("user_quiet"));
    assert_eq!(heard(&mut listener), Vec::<Value>::new(), "it was not asked for");

    owner.run("SELECT clerk.configure_mirror(notify => true)");
    deliver("msg_1", &user_created("user_ada"));
    deliver("msg_1", &user_created("user_ada"));
    let unknown = event(
        "comet.sighted",
        1_750_000_000_000,
        json!({"id": "comet_1", "tail": "secret"}),
    )
    .to_string();
    deliver("msg_2", &unknown);
    assert_eq!(
        heard(&mut listener),
        [
            json!({"svix_id": "msg_1", "type": "user.created", "subject_id": "user_ada"}),
            json!({"svix_id": "msg_2", "type": "comet.sighted", "subject_id": "comet_1"}),
        ]
    );
    // What is rolled back never was, and what fails to apply is there all the same.
    let mut transaction = owner.transaction().expect("no transaction is open");
    transaction.run(
        "SELECT clerk.apply_event('{\"type\": \"user.created\", \"data\": {\"id\": \"user_x\"}}', 'msg_3')",
    );
    transaction.rollback().expect("it can be undone");
    owner.run(
        "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END';
         CREATE TRIGGER broken BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.broken()",
    );
    deliver("msg_4", &user_created("user_bob"));
    assert_eq!(
        heard(&mut listener),
        [json!({"svix_id": "msg_4", "type": "user.created", "subject_id": "user_bob"})]
    );
    owner.run("SELECT clerk.configure_mirror(notify => false)");
    deliver("msg_5", &unknown);
    assert_eq!(heard(&mut listener), Vec::<Value>::new());
}
