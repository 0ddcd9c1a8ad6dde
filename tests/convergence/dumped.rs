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
    scene.add_secret(&mut restored);
    for event in world.run(100) {
        let answer = scene.deliver(&mut restored, &event);
        assert_eq!(answer["http_status"], 200, "{answer}");
    }
    assert_truth(&mut restored, &world.truth(), "after the restore");
}
