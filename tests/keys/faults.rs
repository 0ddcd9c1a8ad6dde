//! Whatever the key endpoint does wrong has a name, and costs no key that is known already.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use clerk_sim::{Fault, Rotation, Simulator, Token};
use clerk_tests::{Sql, TestDb};

use crate::bearer::{assert_user, import, set, token_of, user, wait_until};

const FAILED_TO_LOAD: (&str, &str) = ("08006", "jwk-remote-failed-to-load");
const INVALID: (&str, &str) = ("22023", "jwk-remote-invalid");
const MISSING: (&str, &str) = ("22023", "jwk-remote-missing");

/// Every fault with its SQLSTATE, Clerk's code and a part of the message.
fn faults() -> Vec<(Fault, (&'static str, &'static str), &'static str)> {
    let elsewhere = |location: &str| Fault::Redirect {
        location: location.to_owned(),
    };
    vec![
        (
            Fault::Slow { ms: 60_000 },
            FAILED_TO_LOAD,
            "no complete answer within 1000 ms",
        ),
        (Fault::Stall, FAILED_TO_LOAD, "no complete answer within 1000 ms"),
        (
            Fault::Endless,
            FAILED_TO_LOAD,
            "no complete answer within 1000 ms",
        ),
        (Fault::Down, FAILED_TO_LOAD, "HTTP 503"),
        (Fault::Status { code: 404 }, FAILED_TO_LOAD, "HTTP 404"),
        (Fault::Status { code: 201 }, FAILED_TO_LOAD, "HTTP 201"),
        (Fault::Huge, FAILED_TO_LOAD, "longer than 262144 bytes"),
        (Fault::Half, FAILED_TO_LOAD, "failed: "),
        (
            elsewhere("http://127.0.0.2/jwks.json"),
            FAILED_TO_LOAD,
            "another host, 127.0.0.2",
        ),
        (
            elsewhere("//127.0.0.2/jwks.json"),
            FAILED_TO_LOAD,
            "redirected to",
        ),
        (
            elsewhere("/.well-known/jwks.json"),
            FAILED_TO_LOAD,
            "redirected more than",
        ),
        (Fault::Html, INVALID, "not a JSON Web Key Set"),
        (Fault::Wrong, INVALID, "not a JSON Web Key Set"),
        (Fault::PrivateKeys, INVALID, "private or symmetric"),
        (Fault::SymmetricKey, INVALID, "private or symmetric"),
        (Fault::ShortRsa, INVALID, "1024 bits"),
        (Fault::Empty, MISSING, "no RSA public signing key"),
    ]
}

#[test]
fn a_fault_is_an_error_of_refresh_and_a_warning_of_configure() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    set(&db, "clerk.http_timeout", "1s");
    let (mut owner, notices) = db.connect_with_notices("postgres");
    let token = token_of(&clerk, "user_ada");
    for (fault, (sqlstate, reason), words) in faults() {
        clerk.fault(fault.clone());
        let failure = owner.failure("SELECT clerk.refresh_jwks()");
        assert_eq!(failure.sqlstate, sqlstate, "{fault:?}: {failure:?}");
        assert_eq!(failure.detail.as_deref(), Some(reason), "{fault:?}: {failure:?}");
        assert!(failure.message.contains(words), "{fault:?}: {failure:?}");
        assert!(
            failure.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
            "{fault:?}"
        );

        let row = owner.query_one("SELECT keys, warnings FROM clerk.configure()", &[]);
        let row = row.expect("a fault is no error of configure()");
        assert_eq!(row.get::<_, i32>("keys"), 1, "{fault:?}");
        let warnings: Vec<String> = row.get("warnings");
        assert!(
            warnings.iter().any(|warning| warning.contains(words)),
            "{fault:?}: {warnings:?}"
        );
        assert_eq!(notices.take(), [failure], "{fault:?}");

        assert_user(&mut db.connect("anon"), &token, "user_ada");
    }
}

#[test]
fn a_fault_that_a_token_met_is_recorded() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    set(&db, "clerk.http_timeout", "1s");
    let mut owner = db.superuser();
    let forged = clerk.forge(Token::session(clerk.issuer(), "user_mallory"));
    for (fault, (_, reason), words) in faults() {
        clerk.fault(fault.clone());
        owner.run("UPDATE clerk.jwks_fetches SET attempted_at = attempted_at - interval '1 hour'");
        // A new session, because each also has a cool-down of its own.
        let failure = user(&mut db.connect("anon"), &forged).expect_err("the token is forged");
        assert_eq!(failure.refusal(), ("28", "token-invalid-signature"), "{fault:?}");
        let error: String = owner.value("SELECT last_error FROM clerk.jwks_fetches");
        assert!(
            error.starts_with(reason) && error.contains(words),
            "{fault:?}: {error}"
        );
        assert!(owner.value::<bool>("SELECT last_error_at >= attempted_at FROM clerk.jwks_fetches"));
    }
    clerk.fault(Fault::Ok);
    owner.run("SELECT clerk.refresh_jwks()");
    assert_eq!(
        owner.value::<Option<String>>("SELECT last_error FROM clerk.jwks_fetches"),
        None
    );
}

/// Every fault that may pass, and a wait that an answer asks for and that fits into the time.
fn passing() -> Vec<Fault> {
    let mut faults: Vec<Fault> = [500, 502, 503, 504, 429]
        .map(|code| Fault::Status { code })
        .to_vec();
    let retry_after = "1".to_owned();
    faults.extend([
        Fault::Down,
        Fault::Stall,
        Fault::Endless,
        Fault::Half,
        Fault::Busy { retry_after },
    ]);
    faults
}

#[test]
fn a_fault_that_passes_costs_one_more_request() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    for fault in passing() {
        clerk.rotate(Rotation::New);
        let requests = clerk.jwks_requests();
        clerk.faults_to_come([fault.clone()]);
        assert_eq!(owner.value::<i32>("SELECT clerk.refresh_jwks()"), 1, "{fault:?}");
        assert_eq!(clerk.jwks_requests(), requests + 2, "{fault:?}");
        let kid: String = owner.value("SELECT kid FROM clerk.jwks");
        assert_eq!(kid, clerk.jwks()["keys"][0]["kid"], "{fault:?}");
    }
    // Several in a row, and whoever shows a token has nothing to do with it.
    clerk.rotate(Rotation::New);
    clerk.faults_to_come([Fault::Down, Fault::Half, Fault::Down]);
    assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");
}

/// Whatever it answers, and however long it wants to be left alone: no request too many.
#[test]
fn a_fault_that_does_not_pass_is_not_asked_for_again() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    let busy = |retry_after: &str| Fault::Busy {
        retry_after: retry_after.to_owned(),
    };
    let in_a_year = "Tue, 30 Nov 2100 08:49:37 GMT";
    let location = "http://127.0.0.2/jwks.json".to_owned();
    let lasting = [
        Fault::Status { code: 404 },
        Fault::Status { code: 401 },
        Fault::Html,
        Fault::Empty,
        Fault::PrivateKeys,
        Fault::Huge,
        Fault::Redirect { location },
        busy("3600"),
        busy(in_a_year),
    ];
    for fault in lasting {
        let requests = clerk.jwks_requests();
        clerk.faults_to_come([fault.clone()]);
        let failure = owner.failure("SELECT clerk.refresh_jwks()");
        assert_eq!(clerk.jwks_requests(), requests + 1, "{fault:?}: {failure:?}");
        clerk.fault(Fault::Ok);
    }
    // One that lasts is left to the next round, after some tries.
    clerk.fault(Fault::Down);
    let requests = clerk.jwks_requests();
    owner.failure("SELECT clerk.refresh_jwks()");
    let tries = clerk.jwks_requests() - requests;
    assert!((2..=5).contains(&tries), "{tries} requests");
}

#[test]
fn a_host_that_takes_no_connection_yet_is_tried_again() {
    let clerk = Simulator::start();
    let port = {
        let gone = Simulator::start();
        gone.jwks_url()
    };
    let port: u16 = port
        .split([':', '/'])
        .find_map(|part| part.parse().ok())
        .expect("the URL has a port");
    let db = TestDb::shared();
    db.configure(&clerk);
    let url = format!("http://127.0.0.1:{port}/.well-known/jwks.json");
    db.superuser()
        .run(&format!("UPDATE clerk.instances SET jwks_url = '{url}'"));
    let call = {
        let mut owner = db.superuser();
        thread::spawn(move || owner.value::<i32>("SELECT clerk.refresh_jwks()"))
    };
    wait_until("a worker asks", || {
        db.superuser().value::<bool>(
            "SELECT count(*) = 1 FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'clerk_sync: fetch keys'",
        )
    });
    // It cannot have been there at the first try, or hardly.
    let _late = Simulator::start_on(port).expect("the port is still free");
    assert_eq!(call.join().expect("the call ends well"), 1);
}

#[test]
fn a_redirect_within_the_host_is_followed() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    for location in ["/sim/jwks".to_owned(), format!("{}/sim/jwks", clerk.url())] {
        // Another set, to be replaced by the one that is fetched.
        import(&mut db.superuser(), clerk.issuer(), &Simulator::start());
        clerk.fault(Fault::Redirect { location });
        db.superuser().run("SELECT clerk.refresh_jwks()");
        assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");
    }
}

#[test]
fn an_answer_may_have_256_kib_and_no_byte_more() {
    let clerk = Simulator::start();
    let set = clerk.jwks().to_string();
    let db = TestDb::shared();
    let mut owner = db.superuser();
    for (length, keys) in [(256 * 1024, 1), (256 * 1024 + 1, 0)] {
        let url = serve_once(set.clone() + &" ".repeat(length - set.len()));
        let configure = "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2)";
        let known: i32 = owner.value_of(configure, &[&clerk.issuer(), &url]);
        assert_eq!(known, keys, "{length} bytes");
    }
}

/// Answers one request with that body; gives the URL to ask.
fn serve_once(body: String) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
    let url = format!("http://{}/jwks.json", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a worker connects");
        let mut request = [0; 4096];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            let _ = connection.read(&mut request).expect("the request arrives");
        }
        // The client may hang up before it has read everything.
        let _ = write!(
            connection,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    });
    url
}

#[test]
fn plain_http_is_refused() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    let refresh_from = |owner: &mut postgres::Client, url: &str| {
        owner.run(&format!("UPDATE clerk.instances SET jwks_url = '{url}'"));
        let failure = owner.failure("SELECT clerk.refresh_jwks()");
        assert_eq!(failure.sqlstate, "08006", "{failure:?}");
        assert!(failure.message.contains("plain http is refused"), "{failure:?}");
    };
    // Names, too, whatever they look like: a name can be made to mean anything.
    for url in [
        "http://192.0.2.1/jwks.json",
        "http://localhost/jwks.json",
        "http://127.0.0.1.example.com/jwks.json",
    ] {
        refresh_from(&mut owner, url);
    }
    set(&db, "clerk.allow_http_loopback", "off");
    refresh_from(&mut owner, &clerk.jwks_url());
    let mut anon = db.connect("anon");
    anon.run("SELECT clerk.current_user_id()");
    let failure = anon.failure("SET clerk.allow_http_loopback = on");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
}
