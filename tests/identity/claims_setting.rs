//! `request.jwt.claims`: what makes somebody, what makes nobody, and what is refused.

use clerk_tests::{Failure, Sql};
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::{Caller, claims, clerk, database, some, with};

/// Every helper agrees: nobody is signed in, and that is no error.
fn assert_nobody(app: &mut Client, text: &str) {
    app.set_claims(text);
    let row = app
        .query_one(
            "SELECT clerk.current_user_id(), clerk.current_session_id(), clerk.current_org_id(), clerk.current_org_slug(),
                    clerk.current_org_role(), clerk.current_actor_id(), clerk.claim('sub'),
                    clerk.current_claims()::text, clerk.current_org_permissions()::text",
            &[],
        )
        .unwrap_or_else(|error| panic!("{text}: {:?}", Failure::from(error)));
    for column in 0..row.len() {
        assert_eq!(
            row.get::<_, Option<String>>(column),
            None,
            "{text}: column {column}"
        );
    }
    let yes: Option<bool> = app.value(
        "SELECT clerk.has_role('admin') OR clerk.has_permission('org:a:b') OR clerk.has_feature('a')
             OR clerk.has_plan('a') OR clerk.has_reverification('lax') OR clerk.has(role => 'admin')",
    );
    assert_eq!(yes, Some(false), "{text}");
}

/// Every helper refuses with the same reason, and the session lives on.
fn assert_refused(app: &mut Client, claims: &Value, reason: &str) {
    app.set_claims(&claims.to_string());
    for helper in [
        "clerk.current_user_id()",
        "clerk.current_session_id()",
        "clerk.current_org_id()",
        "clerk.current_org_slug()",
        "clerk.current_org_role()",
        "clerk.current_org_permissions()",
        "clerk.current_actor_id()",
        "clerk.current_actor_type()",
        "clerk.current_claims()",
        "clerk.claim('sub')",
        "clerk.has_role('admin')",
        "clerk.has_permission('org:a:b')",
        "clerk.has_feature('a')",
        "clerk.has_plan('a')",
        "clerk.has_reverification('lax')",
        "clerk.has(role => 'admin')",
    ] {
        let failure = app.failure(&format!("SELECT {helper}"));
        assert_eq!(
            failure.refusal(),
            ("28", reason),
            "{helper} of {claims}: {failure:?}"
        );
        assert!(failure.hint.is_some(), "{failure:?}");
    }
}

#[test]
fn what_is_no_object_or_from_nobody_we_know_is_nobody() {
    let db = database();
    let mut app = db.connect("app");
    assert_eq!(app.user(), None, "never set");
    for text in [
        "",
        " ",
        "not json",
        "{",
        "null",
        "true",
        "42",
        "\"user_ada\"",
        "[]",
        "{} {}",
        "{\"a\": 1,}",
    ] {
        assert_nobody(&mut app, text);
    }
    let ada = claims("user_ada");
    app.set_claims(&json!([ada]).to_string());
    assert_nobody(&mut app, &json!([ada]).to_string());
    let issuer = clerk().issuer();
    for iss in [
        Value::Null,
        json!("https://clerk.other.test"),
        json!(""),
        json!(format!("{issuer}/")),
        json!(format!("{issuer} ")),
        json!(issuer.to_uppercase()),
        json!("clerk.sim.test"),
        json!([issuer]),
        json!({"iss": issuer}),
        json!(7),
    ] {
        assert_nobody(&mut app, &with(ada.clone(), json!({"iss": iss})).to_string());
    }
    // An explicit null is no issuer either.
    assert_nobody(
        &mut app,
        &ada.to_string().replace(&format!("\"{issuer}\""), "null"),
    );
    // One name twice has no one meaning.
    let twice = ada.to_string().replacen('{', "{\"sub\":\"user_eve\",", 1);
    assert_nobody(&mut app, &twice);
    app.set_claims(&ada.to_string());
    assert_eq!(app.user(), some("user_ada"), "and in between nothing broke");
}

#[test]
fn keys_of_supabase_are_nobody() {
    let db = database();
    let mut app = db.connect("app");
    for claims in [
        json!({"role": "anon"}),
        json!({"role": "anon", "iss": "supabase", "ref": "project", "iat": 1_700_000_000, "exp": 4_000_000_000_i64}),
        json!({"role": "service_role", "iss": "supabase-demo"}),
        json!({"iss": "https://project.example/auth/v1", "sub": "user_ada", "sid": "sess_1", "role": "authenticated"}),
    ] {
        assert_nobody(&mut app, &claims.to_string());
    }
}

#[test]
fn other_tokens_of_the_same_instance_are_refused() {
    let db = database();
    let mut app = db.connect("app");
    let ada = || claims("user_ada");
    let cases = [
        (with(ada(), json!({"sid": null})), "token-type-mismatch"),
        (with(ada(), json!({"sid": ""})), "token-type-mismatch"),
        (with(ada(), json!({"sid": 7})), "token-type-mismatch"),
        // M2M
        (
            with(
                ada(),
                json!({"sub": "mch_1", "sid": null, "jti": "mt_1", "azp": null}),
            ),
            "token-type-mismatch",
        ),
        (with(ada(), json!({"sub": "mch_1"})), "token-type-mismatch"),
        (with(ada(), json!({"sub": "client_1"})), "token-type-mismatch"),
        // OAuth
        (
            with(
                ada(),
                json!({"sid": null, "client_id": "client_1", "scope": "profile", "jti": "oat_1"}),
            ),
            "token-type-mismatch",
        ),
        (
            with(ada(), json!({"client_id": "client_1"})),
            "token-type-mismatch",
        ),
        // OpenID Connect ID token
        (
            with(ada(), json!({"sid": null, "aud": "client_1"})),
            "token-type-mismatch",
        ),
        (with(ada(), json!({"aud": "client_1"})), "token-invalid-audience"),
        (
            with(ada(), json!({"aud": ["client_1", "client_2"]})),
            "token-invalid-audience",
        ),
        (
            with(ada(), json!({"aud": {"client": 1}})),
            "token-invalid-audience",
        ),
        // No user at all
        (with(ada(), json!({"sub": null})), "token-verification-failed"),
        (with(ada(), json!({"sub": 42})), "token-verification-failed"),
        (
            with(ada(), json!({"sub": ["user_ada"]})),
            "token-verification-failed",
        ),
        (
            with(ada(), json!({"sub": "user_\0"})),
            "token-verification-failed",
        ),
    ];
    for (claims, reason) in &cases {
        assert_refused(&mut app, claims, reason);
    }
    app.set_claims(&ada().to_string());
    assert_eq!(app.user(), some("user_ada"));
}

#[test]
fn only_authorized_parties_are_let_in() {
    let db = database();
    let mut owner = db.superuser();
    owner.run("SELECT clerk.configure(authorized_parties => ARRAY['https://app.example', 'https://www.app.example'])");
    let mut app = db.connect("app");
    let from = |azp: Value| with(claims("user_ada"), json!({"azp": azp}));
    for azp in ["https://app.example", "https://www.app.example"] {
        app.set_claims(&from(json!(azp)).to_string());
        assert_eq!(app.user(), some("user_ada"), "{azp}");
    }
    for azp in [
        json!("https://evil.example"),
        json!("https://app.example/"),
        json!("HTTPS://APP.EXAMPLE"),
        json!(""),
        json!(["https://app.example"]),
        Value::Null,
    ] {
        assert_refused(&mut app, &from(azp), "token-invalid-authorized-parties");
    }
    owner.run("SELECT clerk.configure(allow_missing_azp => true)");
    app.set_claims(&from(Value::Null).to_string());
    assert_eq!(app.user(), some("user_ada"), "native apps have no origin");
    assert_refused(
        &mut app,
        &from(json!("https://evil.example")),
        "token-invalid-authorized-parties",
    );
}

#[test]
fn configured_audiences_are_let_in() {
    let db = database();
    db.superuser()
        .run("SELECT clerk.configure(audiences => ARRAY['https://api.example'])");
    let mut app = db.connect("app");
    let for_audience = |aud: Value| with(claims("user_ada"), json!({"aud": aud}));
    for aud in [
        json!("https://api.example"),
        json!(["https://other.example", "https://api.example"]),
        json!([]),
        json!(""),
        Value::Null,
    ] {
        app.set_claims(&for_audience(aud.clone()).to_string());
        assert_eq!(app.user(), some("user_ada"), "{aud}");
    }
    assert_refused(
        &mut app,
        &for_audience(json!("https://other.example")),
        "token-invalid-audience",
    );
}

#[test]
fn a_pending_session_is_signed_out_unless_its_instance_says_otherwise() {
    let db = database();
    let mut app = db.connect("app");
    let pending = with(claims("user_ada"), json!({"sts": "pending"})).to_string();
    assert_nobody(&mut app, &pending);
    db.superuser()
        .run("SELECT clerk.configure(treat_pending_as_signed_out => false)");
    assert_eq!(app.user(), some("user_ada"));
    db.superuser()
        .run("SELECT clerk.configure(treat_pending_as_signed_out => true)");
    assert_nobody(&mut app, &pending);
    // A token whose status is unknown or left out is an ordinary session.
    for status in [Value::Null, json!("active")] {
        app.set_claims(&with(claims("user_ada"), json!({"sts": status})).to_string());
        assert_eq!(app.user(), some("user_ada"));
    }
}

#[test]
fn template_tokens_are_users_only_where_configured() {
    let db = database();
    let mut app = db.connect("app");
    // Whatever a template writes into claims of these names, no organization comes of it.
    let template = with(
        claims("user_ada"),
        json!({"sid": null, "v": null, "org_id": "org_victim", "org_role": "org:admin", "fva": [0, 0],
               "o": {"id": "org_victim", "rol": "admin"}, "fea": "o:all", "pla": "o:pro"}),
    );
    assert_refused(&mut app, &template, "token-type-mismatch");
    db.superuser()
        .run("SELECT clerk.configure(accept_template_tokens => true)");
    assert_eq!(app.user(), some("user_ada"));
    let nothing_else: bool = app.value(
        "SELECT clerk.current_session_id() IS NULL AND clerk.current_org_id() IS NULL AND clerk.current_org_role() IS NULL
             AND NOT clerk.has_role('admin') AND NOT clerk.has_feature('all') AND NOT clerk.has_plan('pro')
             AND NOT clerk.has_reverification('lax')",
    );
    assert!(nothing_else);
    // An OAuth token is no template's.
    let oauth = with(claims("user_ada"), json!({"sid": null, "client_id": "client_1"}));
    assert_refused(&mut app, &oauth, "token-type-mismatch");
}

#[test]
fn times_are_the_business_of_whoever_set_the_claims() {
    let db = database();
    let mut app = db.connect("app");
    for exp in [json!(1), json!("never"), Value::Null] {
        app.set_claims(&with(claims("user_ada"), json!({"exp": exp})).to_string());
        assert_eq!(app.user(), some("user_ada"), "{exp}");
    }
}
