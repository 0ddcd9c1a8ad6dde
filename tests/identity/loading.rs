//! Settings that are there before the library is.

use clerk_tests::{Cluster, Sql};

use crate::scene::{Caller, Setting, database, some};

#[test]
fn a_library_loaded_after_set_local_knows_the_caller() {
    let db = database();
    for setting in Setting::BOTH {
        let mut app = db.connect("app");
        app.run("BEGIN");
        app.run(&setting.set_local("user_ada"));
        assert_eq!(app.user(), some("user_ada"), "{setting:?}");
        app.run("COMMIT");
        assert_eq!(app.user(), None, "{setting:?}: what was local is gone");
        app.run(&setting.set("user_bob"));
        assert_eq!(app.user(), some("user_bob"), "{setting:?}");
    }
}

#[test]
fn a_library_loaded_amid_savepoints_takes_over_what_they_put_aside() {
    let db = database();
    for setting in Setting::BOTH {
        let mut app = db.connect("app");
        app.run(&setting.set("user_session"));
        app.run("BEGIN");
        app.run(&setting.set_local("user_transaction"));
        app.run("SAVEPOINT before");
        app.run(&setting.set_local("user_savepoint"));
        assert_eq!(app.user(), some("user_savepoint"), "{setting:?}");
        app.run("ROLLBACK TO before");
        assert_eq!(app.user(), some("user_transaction"), "{setting:?}");
        app.run("COMMIT");
        assert_eq!(app.user(), some("user_session"), "{setting:?}");
    }
}

#[test]
fn a_library_loaded_in_a_transaction_that_rolls_back_stays_right() {
    let db = database();
    for setting in Setting::BOTH {
        let mut app = db.connect("app");
        app.run(&setting.set("user_ada"));
        app.run("BEGIN");
        app.run(&setting.set("user_bob"));
        assert_eq!(app.user(), some("user_bob"), "{setting:?}");
        app.run("ROLLBACK");
        assert_eq!(app.user(), some("user_ada"), "{setting:?}");
    }
}

/// PostgreSQL itself, when it defines a setting, makes the former value of the session count again.
#[test]
fn a_library_loaded_after_a_reset_does_not_bring_the_caller_back() {
    let db = database();
    for setting in Setting::BOTH {
        for (end, lasting) in [("ROLLBACK", some("user_ada")), ("COMMIT", None)] {
            let mut app = db.connect("app");
            app.run(&setting.set("user_ada"));
            app.run(&format!("BEGIN; RESET {}", setting.name()));
            assert_eq!(app.user(), None, "{setting:?}");
            app.run(end);
            assert_eq!(app.user(), lasting, "{setting:?}: {end}");
        }
    }
}

#[test]
fn a_preloaded_library_behaves_the_same() {
    let db = database();
    db.superuser().run(&format!(
        "ALTER DATABASE {} SET session_preload_libraries = 'clerk_sync'",
        db.name()
    ));
    for setting in Setting::BOTH {
        let mut app = db.connect("app");
        app.run("BEGIN");
        app.run(&setting.set_local("user_ada"));
        assert_eq!(app.user(), some("user_ada"), "{setting:?}");
        app.run("COMMIT");
        assert_eq!(app.user(), None, "{setting:?}");
    }
}

/// Before the library is loaded its settings are mere names that anybody can set.
#[test]
fn what_an_ordinary_role_set_beforehand_gives_it_no_power() {
    let db = database();
    let mut app = db.connect("app");
    for early in [
        "SET clerk.allow_http_loopback = off",
        "SET clerk.jwks_cooldown = 1",
        "SET clerk.own_request_claims = off",
    ] {
        if Cluster::shared_is_preloaded() {
            assert_eq!(app.failure(early).sqlstate, "42501", "{early}");
        } else {
            app.run(early);
        }
    }
    assert_eq!(app.user(), None);
    assert_eq!(
        app.value::<String>("SHOW clerk.allow_http_loopback"),
        "on",
        "as in the server's configuration"
    );
    assert_eq!(app.value::<String>("SHOW clerk.jwks_cooldown"), "30s");
    assert_eq!(app.value::<String>("SHOW clerk.own_request_claims"), "on");
    for forbidden in [
        "SET clerk.jwks_cooldown = 1",
        "SET clerk.http_proxy = 'http://127.0.0.1:1'",
        "SHOW clerk.http_proxy",
    ] {
        assert_eq!(app.failure(forbidden).sqlstate, "42501", "{forbidden}");
    }
}
