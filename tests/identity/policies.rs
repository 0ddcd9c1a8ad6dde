use clerk_sim::{Simulator, Token};
use clerk_tests::{Sql, TestDb};

#[test]
fn smoke() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let jwt = clerk.mint(Token::session(clerk.issuer(), "user_ada"));
    let mut app = db.connect("app");
    let mut t = app.transaction().unwrap();
    t.run(&format!("set local clerk.jwt = '{jwt}'"));
    assert_eq!(
        t.value::<Option<String>>("select clerk.current_user_id()")
            .as_deref(),
        Some("user_ada")
    );
}
#[test]
fn standby_smoke() {
    let c = clerk_tests::Cluster::start(&[]);
    let db = c.create_database();
    let s = c.standby();
    assert!(
        s.connect_to(db.name(), "anon")
            .value::<bool>("select pg_is_in_recovery()")
    );
    c.kill();
    c.restart();
    db.superuser();
    c.assert_no_crash();
    c.stop();
    c.restart();
}
