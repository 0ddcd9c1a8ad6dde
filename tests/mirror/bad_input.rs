//! Deliveries that are broken, forged, strange or far too large: through SQL, and through the endpoint in PostgREST's transaction.
//! Each gets a clear answer, and the connection is as good as before.

mod bodies;
mod headers;

use clerk_tests::Sql;
use postgres::Client;
use postgres::types::Json;
use serde_json::Value;

use crate::pooled::Pooled;
use crate::scene::{Scene, unique_id, user_created};

/// The two ways in.
enum Way {
    Sql(Client),
    Endpoint(Pooled),
}

impl Way {
    fn both(scene: &Scene) -> [Way; 2] {
        [Way::Sql(scene.db.superuser()), Way::Endpoint(scene.pooled())]
    }

    /// HTTP status, status and reason.
    fn deliver(&mut self, body: &str, headers: &Value) -> (u16, String, String) {
        let (http_status, answer) = match self {
            Way::Sql(client) => {
                let Json(answer): Json<Value> =
                    client.value_of("SELECT clerk.receive_webhook($1, $2)", &[&body, &Json(headers)]);
                (
                    answer["http_status"].as_u64().expect("it is a number") as u16,
                    answer,
                )
            }
            Way::Endpoint(pooled) => {
                let answer = pooled.deliver(body, headers);
                (answer.status, answer.body)
            }
        };
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (http_status, text("status"), text("reason"))
    }

    /// Another delivery, a good one, is taken in.
    fn assert_alive(&mut self, scene: &Scene) {
        let body = user_created("user_alive");
        let answer = self.deliver(&body, &scene.headers(&unique_id(), &body));
        assert!(answer.0 == 200 && answer.2.is_empty(), "{answer:?}");
    }
}

fn with(headers: &Value, name: &str, value: Value) -> Value {
    let mut headers = headers.clone();
    headers[name] = value;
    headers
}

fn without(headers: &Value, name: &str) -> Value {
    let mut headers = headers.clone();
    headers.as_object_mut().expect("an object").remove(name);
    headers
}

fn counts(owner: &mut Client) -> (i64, i64) {
    let row = owner
        .query_one(
            "SELECT (SELECT count(*) FROM clerk.webhook_events), (SELECT count(*) FROM clerk.users WHERE id <> 'user_alive')",
            &[],
        )
        .expect("tables can be counted");
    (row.get(0), row.get(1))
}
