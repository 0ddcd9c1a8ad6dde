//! What PostgREST asks before each request.

use clerk_sim::{Fault, Options, Rotation, Simulator, Token};
use clerk_tests::{Cluster, Sql};
use serde_json::json;

use super::api::{Api, Seen, answer, payload, refused};

#[test]
fn by_default_clerks_tokens_must_be_sessions_and_others_pass() {
    let mut api = Api::new();
    let issuer = api.clerk.issuer().to_owned();
    let ada = api.token(api.session_token("user_ada"));
    assert_eq!(
        api.bearer(&ada).expect("a session").user.as_deref(),
        Some("user_ada")
    );
    let role = |token: Token| token.claim("role", json!("authenticated"));
    for token in [
        Token::template(&issuer, "user_ada"),
        Token::m2m(&issuer, "mch_1"),
        Token::oauth(&issuer, "user_ada"),
        Token::id_token(&issuer, "user_ada"),
    ] {
        let token = api.token(role(token));
        let (status, reason) = answer(api.bearer(&token));
        assert_eq!(status, 401);
        assert!(
            ["token-type-mismatch", "token-invalid-audience"].contains(&reason.as_str()),
            "{reason}"
        );
    }
    // PostgREST gives a token 30 s more.
    let late = api.token(api.session_token("user_ada").expires_in(-10));
    assert_eq!(answer(api.bearer(&late)), refused("token-expired"));
    api.owner()
        .run("SELECT clerk.configure(authorized_parties => '{https://app.example}')");
    let elsewhere = api.token(
        api.session_token("user_ada")
            .claim("azp", json!("https://evil.example")),
    );
    assert_eq!(
        answer(api.bearer(&elsewhere)),
        refused("token-invalid-authorized-parties")
    );

    for claims in [
        json!({"role": "anon"}),
        json!({"role": "anon", "iss": "supabase"}),
        json!({"role": "service_role", "iss": "supabase"}),
        json!({"role": "authenticated", "iss": "https://project.example/auth/v1", "sub": "0b9f6a3e-0000-4000-8000-000000000000"}),
    ] {
        let seen = api
            .request(&claims, &json!({"authorization": "Bearer x.y.z"}))
            .expect("not ours to judge");
        assert_eq!(
            seen,
            Seen {
                role: claims["role"].as_str().unwrap().to_owned(),
                user: None,
                claims
            }
        );
    }
}

#[test]
fn the_claims_alone_are_judged_where_there_is_no_token() {
    let mut api = Api::new();
    let token = api.token(api.session_token("user_ada"));
    let claims = payload(&token);
    for headers in [
        json!({}),
        json!({"authorization": "Basic dXNlcjpwYXNz"}),
        json!([]),
        json!(null),
        json!("x"),
    ] {
        let seen = api.request(&claims, &headers).expect("PostgREST has verified it");
        assert_eq!(seen.user.as_deref(), Some("user_ada"));
    }
    let mut template = claims;
    template.as_object_mut().unwrap().remove("sid");
    assert_eq!(
        answer(api.request(&template, &json!({}))),
        refused("token-type-mismatch")
    );
}

/// Every key is good for every issuer to PostgREST.
#[test]
fn one_instance_does_not_vouch_for_another() {
    let mut api = Api::new();
    let development = Simulator::start_with(Options {
        issuer: "https://brave-cat-1.clerk.accounts.dev".to_owned(),
        ..Options::default()
    })
    .expect("a loopback port is free");
    api.db.configure(&development);
    let forged = development.mint(api.session_token("user_ada"));
    let (status, reason) = answer(api.bearer(&forged));
    assert!(
        status == 401 && ["token-invalid-signature", "jwk-kid-mismatch"].contains(&reason.as_str()),
        "{reason}"
    );
    // PostgREST takes any of these for a space.
    for space in ["\t", "\u{b}", " \t ", "\u{a0}", "\u{fffd}"] {
        let headers = json!({"authorization": format!("Bearer{space}{forged}")});
        let (also, _) = answer(api.request(&payload(&forged), &headers));
        assert_eq!(also, 401, "{space:?}");
    }
}

#[test]
fn the_token_that_is_shown_must_be_the_one_that_was_verified() {
    let mut api = Api::new();
    let ada = payload(&api.token(api.session_token("user_ada")));
    let eve = api.token(api.session_token("user_eve"));
    let twice = json!({"authorization": format!("bearer {eve}")});
    assert_eq!(answer(api.request(&ada, &twice)), refused("token-invalid"));
    let garbage = json!({"authorization": "Bearer garbage"});
    assert_eq!(answer(api.request(&ada, &garbage)), refused("token-invalid"));
}

#[test]
fn others_than_clerk_can_be_kept_out() {
    let mut api = Api::new();
    let mut owner = api.owner();
    owner.run("SELECT clerk.configure_requests(only_clerk => true)");
    let none = json!({});
    let gotrue = json!({"role": "authenticated", "iss": "https://project.example/auth/v1", "sub": "x"});
    assert_eq!(
        answer(api.request(&gotrue, &none)),
        refused("token-invalid-issuer")
    );
    assert_eq!(
        answer(api.request(&json!({"role": "authenticated"}), &none)),
        refused("token-invalid-issuer")
    );
    assert_eq!(
        api.request(&json!({"role": "anon"}), &none)
            .expect("a stranger")
            .role,
        "anon"
    );
    assert_eq!(
        api.request(&json!({"role": "service_role"}), &none)
            .expect("exempt")
            .role,
        "service_role"
    );
    owner.run("SELECT clerk.configure_requests(exempt_roles => '{}')");
    assert_eq!(
        answer(api.request(&json!({"role": "service_role"}), &none)),
        refused("token-invalid-issuer")
    );
    let ada = api.token(api.session_token("user_ada"));
    assert_eq!(api.bearer(&ada).expect("Clerk's").role, "authenticated");
}

#[test]
fn a_token_in_its_own_header_signs_the_request_in() {
    let mut api = Api::new();
    let mut owner = api.owner();
    let ada = api.token(Token::session(api.clerk.issuer(), "user_ada"));
    // Not looked at unless it is configured.
    assert_eq!(
        api.header("x-clerk-token", &ada).expect("a stranger").role,
        "anon"
    );
    owner.run("SELECT clerk.configure_requests(token_header => 'X-Clerk-Token')");
    for source in ["auto", "claims", "token"] {
        owner.run(&format!("SELECT clerk.set_identity_source('{source}')"));
        for value in [ada.clone(), format!("Bearer {ada}")] {
            let seen = api.header("x-clerk-token", &value).expect("a session");
            assert_eq!(
                (seen.role.as_str(), seen.user.as_deref()),
                ("authenticated", Some("user_ada")),
                "{source}"
            );
            let mut claims = payload(&ada);
            claims["role"] = "authenticated".into();
            assert_eq!(seen.claims, claims, "{source}");
        }
        // Nothing is left for the next request of the connection.
        let next = api
            .request(&json!({"role": "anon"}), &json!({}))
            .expect("a stranger");
        assert_eq!((next.role.as_str(), next.user), ("anon", None), "{source}");
        assert_eq!(api.session.value::<String>("SELECT current_user::text"), "app");
    }
    // A role in the token counts for nothing: whoever could write there could become anybody.
    let sly = api.token(Token::session(api.clerk.issuer(), "user_eve").claim("role", json!("service_role")));
    let seen = api.header("x-clerk-token", &sly).expect("a session");
    assert_eq!(
        (seen.role.as_str(), &seen.claims["role"]),
        ("authenticated", &json!("authenticated"))
    );

    let pending = api.token(Token::session(api.clerk.issuer(), "user_ada").claim("sts", json!("pending")));
    let seen = api
        .header("x-clerk-token", &pending)
        .expect("not signed in, and not refused");
    assert_eq!((seen.role.as_str(), seen.user), ("anon", None));
    for (token, reason) in [
        (
            api.clerk.forge(Token::session(api.clerk.issuer(), "user_eve")),
            "token-invalid-signature",
        ),
        (
            api.token(Token::session(api.clerk.issuer(), "user_eve").expires_in(-60)),
            "token-expired",
        ),
        (
            api.token(Token::oauth(api.clerk.issuer(), "user_eve")),
            "token-type-mismatch",
        ),
        ("garbage".to_owned(), "token-invalid"),
    ] {
        assert_eq!(answer(api.header("x-clerk-token", &token)), refused(reason));
    }
}

#[test]
fn a_request_is_signed_in_once() {
    let mut api = Api::new();
    api.owner()
        .run("SELECT clerk.configure_requests(token_header => 'x-clerk-token')");
    let ada = api.token(api.session_token("user_ada"));
    for claims in [json!({"role": "service_role"}), payload(&ada)] {
        let headers = json!({"x-clerk-token": ada});
        assert_eq!(answer(api.request(&claims, &headers)), refused("token-invalid"));
    }
}

/// With the source token, what an earlier request planted in the pooled connection is somebody's valid token.
#[test]
fn nothing_planted_in_the_connection_counts() {
    let mut api = Api::new();
    api.owner().run("SELECT clerk.set_identity_source('token'); SELECT clerk.configure_requests(token_header => 'x-clerk-token')");
    let eve = api.token(api.session_token("user_eve"));
    let ada = api.token(api.session_token("user_ada"));
    api.session.run(&format!(
        "SET clerk.jwt = '{eve}'; SET request.headers = '{{\"x-clerk-token\": \"{eve}\"}}'; SET request.jwt.claims = '{{\"role\": \"service_role\"}}'"
    ));
    let stranger = api
        .request(&json!({"role": "anon"}), &json!({}))
        .expect("a stranger");
    assert_eq!((stranger.role.as_str(), stranger.user), ("anon", None));
    assert_eq!(
        api.bearer(&ada).expect("a session").user.as_deref(),
        Some("user_ada")
    );
    assert_eq!(
        api.header("x-clerk-token", &ada)
            .expect("a session")
            .user
            .as_deref(),
        Some("user_ada")
    );
}

/// Whoever runs SQL as anon can call it too, with settings of their own; it gives what a token gives, and no more.
#[test]
fn a_stranger_with_sql_gains_nothing() {
    let api = Api::new();
    api.owner()
        .run("SELECT clerk.configure_requests(token_header => 'x-clerk-token')");
    let mut stranger = api.db.connect("anon");
    let eve = api.token(Token::session(api.clerk.issuer(), "user_eve"));
    stranger.run(&format!(
        "SET request.headers = '{{\"x-clerk-token\": \"{eve}\"}}'"
    ));
    // A login as anon may not become authenticated.
    let failure = stranger.failure("SELECT clerk.pre_request()");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    let forged = api.clerk.forge(Token::session(api.clerk.issuer(), "user_ada"));
    stranger.run(&format!(
        "SET request.headers = '{{\"x-clerk-token\": \"{forged}\"}}'"
    ));
    assert_eq!(stranger.failure("SELECT clerk.pre_request()").sqlstate, "PGRST");
    for headers in [
        "",
        "{",
        "[1]",
        "{\"x-clerk-token\": 1}",
        "{\"x-clerk-token\": \"\"}",
        "{\"x-clerk-token\": {\"a\": 1}}",
    ] {
        let _: String = stranger.value_of("SELECT set_config('request.headers', $1, false)", &[&headers]);
        stranger.run("SELECT clerk.pre_request()");
    }
}

#[test]
fn a_key_that_could_not_be_looked_for_is_no_fault_of_the_token() {
    let cluster = Cluster::start(&[("max_worker_processes", "0")]);
    let db = cluster.create_database();
    let clerk = Simulator::start();
    let mut owner = db.superuser();
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{}', jwks_url => '{}'); SELECT clerk.import_jwks('{0}', '{}');
         SELECT clerk.configure_requests(token_header => 'x-clerk-token')",
        clerk.issuer(),
        clerk.jwks_url(),
        clerk.jwks()
    ));
    clerk.rotate(Rotation::New);
    let token = clerk.mint(Token::session(clerk.issuer(), "user_ada"));
    let mut api = Api {
        session: db.connect("app"),
        db: Cluster::shared().create_database(),
        clerk,
    };
    assert_eq!(
        answer(api.header("x-clerk-token", &token)),
        (503, "jwk-failed-to-resolve".to_owned())
    );
}

/// PostgREST gives anon three seconds, and Clerk gets five.
#[test]
fn a_clerk_that_does_not_answer_is_no_fault_of_the_token() {
    let mut api = Api::new();
    api.owner()
        .run("SELECT clerk.configure_requests(token_header => 'x-clerk-token')");
    api.clerk.rotate(Rotation::New);
    let forged = api.clerk.forge(Token::session(api.clerk.issuer(), "user_eve"));
    api.clerk.fault(Fault::Stall);
    let token = api.token(Token::session(api.clerk.issuer(), "user_ada"));
    api.session.run("SET statement_timeout = '3s'");
    let unknown = (503, "jwk-remote-failed-to-load".to_owned());
    // The second finds a worker that is fetching.
    for _ in 0..2 {
        assert_eq!(answer(api.header("x-clerk-token", &token)), unknown);
    }
    // The next ones find that it failed, and the cool-down keeps them from asking again.
    let mut owner = api.owner();
    while !owner
        .value::<bool>("SELECT coalesce(last_error_at >= attempted_at, false) FROM clerk.jwks_fetches")
    {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for token in [&token, &forged] {
        assert_eq!(answer(api.header("x-clerk-token", token)), unknown);
    }
    // Once the keys are there everybody is told what is so.
    api.clerk.fault(Fault::Ok);
    owner.run("SELECT clerk.refresh_jwks()");
    assert_eq!(
        api.header("x-clerk-token", &token).expect("a session").role,
        "authenticated"
    );
    assert_eq!(
        answer(api.header("x-clerk-token", &forged)),
        refused("token-invalid-signature")
    );
}

#[test]
fn in_read_only_transactions_too() {
    let mut api = Api::new();
    api.owner()
        .run("SELECT clerk.configure_requests(token_header => 'x-clerk-token')");
    let ada = api.token(Token::session(api.clerk.issuer(), "user_ada"));
    api.session.run("SET default_transaction_read_only = on");
    assert_eq!(
        api.header("x-clerk-token", &ada).expect("a session").role,
        "authenticated"
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let api = Api::new();
    let mut owner = api.owner();
    for (arguments, sqlstate) in [
        ("token_header => 'authorization'", "22023"),
        ("token_header => 'APIKEY'", "22023"),
        ("token_header => 'x_clerk'", "22023"),
        ("token_header => 'x clerk'", "22023"),
        (
            "token_header => 'x-clerk-token', signed_in_role => 'service_role'",
            "22023",
        ),
        ("signed_in_role => 'postgres'", "22023"),
        ("signed_in_role => 'nobody_at_all'", "42704"),
        ("anonymous_role => 'nobody_at_all'", "42704"),
        ("exempt_roles => '{service_role,NULL}'", "22004"),
    ] {
        let failure = owner.failure(&format!("SELECT clerk.configure_requests({arguments})"));
        assert_eq!(failure.sqlstate, sqlstate, "{arguments}: {failure:?}");
    }
    let all: String = owner.value("SELECT c::text FROM clerk.configure_requests() AS c");
    assert_eq!(all, "(f,{service_role},\"\",anon,authenticated)");
    let all: String = owner.value(
        "SELECT c::text FROM clerk.configure_requests(true, '{service_role,postgres}', 'X-Clerk-Token', 'anon', 'authenticated') AS c",
    );
    assert_eq!(
        all,
        "(t,\"{service_role,postgres}\",x-clerk-token,anon,authenticated)"
    );
    assert_eq!(
        owner.value::<String>("SELECT token_header FROM clerk.configure_requests(only_clerk => false)"),
        "x-clerk-token"
    );
    assert_eq!(
        owner.value::<String>("SELECT token_header FROM clerk.configure_requests(token_header => '')"),
        ""
    );
}
