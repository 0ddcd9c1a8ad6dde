//! A statement is planned once per session, perhaps while its table is nearly empty. It must not be one that reads the whole table
//! when the table has become large.

use clerk_tests::{Cluster, Sql};
use postgres::types::Json;
use serde_json::{Value, json};

use crate::scene::Scene;

fn membership(number: usize) -> Value {
    json!({
        "type": "organizationMembership.created",
        "timestamp": 1_750_000_000_000_i64 + number as i64,
        "data": {
            "id": format!("orgmem_{number}"),
            "role": "org:member",
            "updated_at": 1_750_000_000_000_i64,
            "organization": { "id": format!("org_{number}"), "name": "Acme", "updated_at": 1_750_000_000_000_i64 },
            "public_user_data": { "user_id": format!("user_{number}") },
        },
    })
}

#[test]
fn no_batch_reads_a_whole_table() {
    let scene = Scene::on(Cluster::shared());
    let mut owner = scene.db.superuser();
    // In one transaction, of which the statistics are this session's own. The first batch plans the statements.
    let mut transaction = owner.transaction().expect("there is none yet");
    for numbers in [0..20, 20..40] {
        let batch: Vec<Value> = numbers.map(membership).collect();
        let Json(answer): Json<Value> =
            transaction.value_of("SELECT clerk.apply_events($1)", &[&Json(&batch)]);
        assert_eq!(answer["applied"], 20, "{answer}");
    }
    let scanned = transaction
        .query(
            "SELECT relname::text, seq_scan FROM pg_stat_xact_user_tables
             WHERE schemaname = 'clerk' AND seq_scan > 0
               AND relname IN ('users', 'organizations', 'organization_memberships', 'webhook_events')",
            &[],
        )
        .expect("statistics can be read");
    let scanned: Vec<(String, i64)> = scanned.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(
        scanned,
        [],
        "tables that were read from end to end, and how often"
    );
}
