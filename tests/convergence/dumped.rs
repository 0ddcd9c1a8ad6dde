//! A dump of a database with data, restored, shows the same and goes on.

use clerk_sim::{Adversity, World, WorldOptions};
use clerk_tests::{Cluster, Sql};

use crate::scene::Scene;
use clerk_tests::expected::{Queries, assert_truth};

#[test]
fn a_restored_database_is_the_same_and_goes_on() {
    let cluster = Cluster::shared();
    let scene = Scene::on(cluster);
    let mut world = World::new(WorldOptions {
        seed: 12,
        adversity: Adversity::hostile(),
        ..WorldOptions::default()
    });
    let mut owner = scene.db.superuser();
    for event in world.run(400) {
        scene.deliver(&mut owner, &event);
    }
    // Somebody who was deleted, and whose address nothing shows any more.
    let gone = [
        r#"{"type": "user.created", "timestamp": 1750000000000, "data": {"id": "user_gone", "updated_at": 1750000000000,
            "email_addresses": [{"id": "idn_gone", "email_address": "gone@example.com"}]}}"#,
        r#"{"type": "user.deleted", "timestamp": 1750000009000, "data": {"id": "user_gone", "deleted": true}}"#,
    ];
    for event in gone {
        owner
            .execute("SELECT clerk.apply_event($1::text::jsonb)", &[&event])
            .expect("the event can be applied");
    }
    owner.run("SELECT clerk.maintain()");
    // An application's own table refers to the mirror.
    owner.run(
        "CREATE TABLE invoices (user_id text NOT NULL REFERENCES clerk.users (id));
         INSERT INTO invoices SELECT id FROM clerk.users",
    );
    let ledger =
        "SELECT md5(string_agg(e::text, '' ORDER BY svix_id COLLATE \"C\")) FROM clerk.webhook_events AS e";
    let (tables, events): (_, String) = (
        Queries::prepare(&mut owner).tables(&mut owner),
        owner.value(ledger),
    );

    let file = cluster.directory().join("mirror.dump");
    let dumped = cluster
        .pg_binary("pg_dump")
        .args(["--format=custom", "--file"])
        .arg(&file)
        .arg(scene.db.name())
        .status();
    assert!(dumped.expect("pg_dump can be run").success());
    let text = cluster
        .pg_binary("pg_restore")
        .arg("--file=-")
        .arg(&file)
        .output();
    let text = String::from_utf8_lossy(&text.expect("pg_restore can be run").stdout).into_owned();
    assert!(text.contains("COPY clerk.users"), "the dump holds the data");
    assert!(!scene.secret_is_in(&text), "the dump holds no secret");

    cluster.superuser().run("CREATE DATABASE mirror_restored");
    let restored = cluster
        .pg_binary("pg_restore")
        .args(["--exit-on-error", "--dbname=mirror_restored"])
        .arg(&file)
        .output()
        .expect("pg_restore can be run");
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );

    let mut restored = cluster.connect_to("mirror_restored", "postgres");
    assert_eq!(Queries::prepare(&mut restored).tables(&mut restored), tables);
    assert_eq!(restored.value::<String>(ledger), events);
    restored.run(
        r#"SELECT clerk.apply_event('{"type": "invitation.created", "timestamp": 1750000001000, "data": {"id": "inv_late",
               "email_address": "gone@example.com", "created_at": 1750000001000}}');
           SELECT clerk.maintain();
           DELETE FROM clerk.webhook_events WHERE subject_id = 'inv_late' AND erased_at IS NOT NULL"#,
    );
    let told: i64 = restored.value(
        "SELECT (SELECT count(*) FROM clerk.invitations AS i WHERE i::text LIKE '%gone@%')
              + (SELECT count(*) FROM clerk.webhook_events AS e WHERE e::text LIKE '%gone@%' OR e.subject_id = 'inv_late')",
    );
    assert_eq!(told, 0, "who is erased stays so");
    restored.run("DELETE FROM clerk.invitations WHERE id = 'inv_late'");

    scene.add_secret(&mut restored);
    for event in world.run(100) {
        let answer = scene.deliver(&mut restored, &event);
        assert_eq!(answer["http_status"], 200, "{answer}");
    }
    assert_truth(&mut restored, &world.truth(), "after the restore");
}
