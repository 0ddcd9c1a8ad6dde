//! Tokens as nobody should send them, at every door that takes one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_sim::{Algorithm, SigningKeys, Simulator, Token};
use clerk_tests::{Failure, Sql, TestDb};
use serde_json::{Value, json};

use crate::scene::{Caller, clerk, database, session, some, token};

/// A token of any header and any payload, genuinely signed.
fn signed(header: &[u8], payload: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = clerk().keys().sign(Algorithm::Rs256, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token of any payload, genuinely signed under a proper header.
fn with_payload(payload: &[u8]) -> String {
    let header = json!({"alg": "RS256", "kid": clerk().keys().kid(), "typ": "JWT"});
    signed(header.to_string().as_bytes(), payload)
}

/// The payload of a good token with something more in it, before its closing brace.
fn payload_with(more: &str) -> Vec<u8> {
    let good = json!({"iss": clerk().issuer(), "sub": "user_ada", "sid": "sess_1", "exp": 4_000_000_000_i64})
        .to_string();
    format!("{},{more}}}", good.strip_suffix('}').unwrap()).into_bytes()
}

/// The doors: the setting and its helpers, `whoami`, `authenticate`, `verify_jwt` and `inspect_jwt`. All refuse the token
/// for this reason, none of them repeats it, and the sessions live on.
fn assert_refused(db: &TestDb, tokens: &[(&str, String, &str)]) {
    let (mut app, mut owner) = (db.connect("app"), db.superuser());
    let pids: (i32, i32) = (
        app.value("SELECT pg_backend_pid()"),
        owner.value("SELECT pg_backend_pid()"),
    );
    for (name, token, reason) in tokens {
        let check = |door: &str, failure: Failure| {
            assert_eq!(
                failure.refusal(),
                ("28", *reason),
                "{name} at {door}: {failure:?}"
            );
            let secret = token.rsplit('.').next().unwrap_or_default();
            let told = format!("{failure:?}");
            assert!(
                secret.len() < 20 || !told.contains(secret),
                "{name} at {door} repeats the token"
            );
        };
        if !token.is_empty() {
            app.set_token(token);
            for helper in [
                "current_user_id()",
                "current_claims()",
                "has_role('admin')",
                "claim('sub')",
            ] {
                check(helper, app.failure(&format!("SELECT clerk.{helper}")));
            }
            let row = app
                .query_one("SELECT user_id, problems FROM clerk.whoami()", &[])
                .unwrap();
            assert_eq!(row.get::<_, Option<String>>(0), None, "{name}");
            assert!(
                !row.get::<_, Vec<String>>(1).is_empty(),
                "{name}: whoami sees no problem"
            );
            app.set_token("");
        }
        check(
            "authenticate",
            app.failure_of("SELECT clerk.authenticate($1)", &[token]),
        );
        check(
            "verify_jwt",
            owner.failure_of("SELECT clerk.verify_jwt($1)", &[token]),
        );
        let all_passed: bool = owner.value_of("SELECT bool_and(passed) FROM clerk.inspect_jwt($1)", &[token]);
        assert!(!all_passed, "{name}: inspect_jwt finds no fault");
    }
    app.set_token(&super::scene::token("user_ada"));
    assert_eq!(app.user(), some("user_ada"), "a good token is still good");
    assert_eq!(
        pids,
        (
            app.value("SELECT pg_backend_pid()"),
            owner.value("SELECT pg_backend_pid()")
        )
    );
}

/// The doors let it in as Ada.
fn assert_accepted(db: &TestDb, tokens: &[(&str, String)]) {
    let (mut app, mut owner) = (db.connect("app"), db.superuser());
    for (name, token) in tokens {
        app.set_token(token);
        assert_eq!(app.user(), some("user_ada"), "{name}");
        let user: String = owner.value_of("SELECT clerk.verify_jwt($1)->>'sub'", &[token]);
        assert_eq!(user, "user_ada", "{name}");
        let faults: Vec<String> = owner.value_of(
            "SELECT coalesce(array_agg(\"check\" || ': ' || detail) FILTER (WHERE NOT passed), '{}') FROM clerk.inspect_jwt($1)",
            &[token],
        );
        assert_eq!(faults, [""; 0], "{name}");
    }
}

#[test]
fn what_is_no_token() {
    let good = token("user_ada");
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts");
    };
    let mebibyte = "a".repeat(1 << 20);
    let invalid = "token-invalid";
    assert_refused(
        &database(),
        &[
            ("empty", String::new(), invalid),
            ("a word", "token".to_owned(), invalid),
            ("two parts", format!("{header}.{payload}"), invalid),
            ("four parts", format!("{good}.{signature}"), invalid),
            (
                "five parts, as a JWE",
                format!("{header}.{payload}.{signature}.{payload}.{signature}"),
                invalid,
            ),
            ("only dots", "..".to_owned(), invalid),
            ("many dots", ".".repeat(10_000), invalid),
            ("with Bearer", format!("Bearer {good}"), invalid),
            ("with a line end", format!("{good}\n"), invalid),
            (
                "header not base64url",
                format!("{header}!.{payload}.{signature}"),
                invalid,
            ),
            (
                "payload not base64url",
                format!("{header}.{payload}+/.{signature}"),
                invalid,
            ),
            (
                "signature not base64url",
                format!("{header}.{payload}.{signature}*"),
                invalid,
            ),
            ("not ASCII", format!("{header}.{payload}.ünïcödé"), invalid),
            ("1 MiB", mebibyte.clone(), invalid),
            (
                "1 MiB of payload",
                format!("{header}.{mebibyte}.{signature}"),
                invalid,
            ),
            (
                "1 MiB, signed",
                with_payload(&payload_with(&format!("\"x\":\"{mebibyte}\""))),
                invalid,
            ),
            ("an opaque M2M token", "mt_0123456789abcdef".to_owned(), invalid),
            (
                "an opaque OAuth token",
                "oat_0123456789abcdef".to_owned(),
                invalid,
            ),
            ("an API key", "ak_0123456789abcdef".to_owned(), invalid),
        ],
    );
}

#[test]
fn json_that_is_not_strict() {
    let deep = format!("\"x\":{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let invalid = "token-invalid";
    let header = |text: &str| signed(text.as_bytes(), &payload_with("\"x\":1"));
    let kid = clerk().keys().kid().to_owned();
    assert_refused(
        &database(),
        &[
            (
                "payload not UTF-8",
                with_payload(b"{\"iss\":\"\xff\xfe\"}"),
                invalid,
            ),
            ("payload empty", with_payload(b""), invalid),
            ("payload an array", with_payload(b"[]"), invalid),
            ("payload a string", with_payload(b"\"user_ada\""), invalid),
            (
                "payload cut off",
                with_payload(b"{\"iss\":\"https://clerk.sim.test\""),
                invalid,
            ),
            (
                "something after it",
                with_payload(b"{\"iss\":\"https://clerk.sim.test\"}{}"),
                invalid,
            ),
            ("deep", with_payload(&payload_with(&deep)), invalid),
            (
                "a name twice",
                with_payload(&payload_with("\"sub\":\"user_eve\"")),
                invalid,
            ),
            (
                "any name twice",
                with_payload(&payload_with("\"x\":1,\"x\":2")),
                invalid,
            ),
            (
                "the same name, escaped",
                with_payload(&payload_with("\"s\\u0075b\":\"user_eve\"")),
                invalid,
            ),
            (
                "a lone surrogate",
                with_payload(&payload_with("\"x\":\"\\ud800\"")),
                invalid,
            ),
            (
                "a number no double holds",
                with_payload(&payload_with("\"x\":1e999")),
                invalid,
            ),
            ("header not JSON", header("alg"), invalid),
            ("header an array", header("[\"RS256\"]"), invalid),
            (
                "header not UTF-8",
                signed(b"{\"alg\":\"RS256\xff\"}", b"{}"),
                invalid,
            ),
            (
                "alg twice",
                header(&format!(
                    "{{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"{kid}\"}}"
                )),
                invalid,
            ),
            (
                "alg a number",
                header(&format!("{{\"alg\":256,\"kid\":\"{kid}\"}}")),
                invalid,
            ),
        ],
    );
}

#[test]
fn algorithms_other_than_the_keys() {
    let keys = clerk().keys();
    let kid = Value::from(keys.kid());
    let ada = || session("user_ada").header("kid", kid.clone());
    let public_key = keys.public_key_pem();
    let refused = "token-invalid-algorithm";
    assert_refused(
        &database(),
        &[
            ("none", ada().unsigned(), refused),
            ("None", ada().header("alg", "None".into()).unsigned(), refused),
            (
                "none, but signed",
                ada().header("alg", "none".into()).sign(&keys),
                refused,
            ),
            ("empty", ada().header("alg", "".into()).sign(&keys), refused),
            ("missing", ada().header("alg", Value::Null).sign(&keys), refused),
            (
                "HS256 keyed with the public key",
                ada().hs256(public_key.as_bytes()),
                refused,
            ),
            ("HS256 keyed with nothing", ada().hs256(b""), refused),
            ("PS256", ada().sign_with(&keys, Algorithm::Ps256), refused),
            ("ES256", ada().header("alg", "ES256".into()).sign(&keys), refused),
            ("EdDSA", ada().header("alg", "EdDSA".into()).sign(&keys), refused),
            ("rs256", ada().header("alg", "rs256".into()).sign(&keys), refused),
            // The published key says that it is for RS256 alone.
            (
                "RS384 with a key for RS256",
                ada().sign_with(&keys, Algorithm::Rs384),
                refused,
            ),
            (
                "RS512 with a key for RS256",
                ada().sign_with(&keys, Algorithm::Rs512),
                refused,
            ),
            // RS256 is claimed, another was used.
            (
                "PS256 that says RS256",
                ada()
                    .header("alg", "RS256".into())
                    .sign_with(&keys, Algorithm::Ps256),
                "token-invalid-signature",
            ),
        ],
    );
}

#[test]
fn every_rsa_algorithm_of_clerks_with_a_key_that_names_none() {
    let db = database();
    let keys = clerk().keys();
    let mut jwks = keys.jwks();
    jwks["keys"][0].as_object_mut().unwrap().remove("alg");
    let imported: i32 = db.superuser().value_of(
        "SELECT clerk.import_jwks($1, $2::text::jsonb)",
        &[&clerk().issuer(), &jwks.to_string()],
    );
    assert_eq!(imported, 1);
    let ada = |algorithm| session("user_ada").sign_with(&keys, algorithm);
    assert_accepted(
        &db,
        &[
            ("RS256", ada(Algorithm::Rs256)),
            ("RS384", ada(Algorithm::Rs384)),
            ("RS512", ada(Algorithm::Rs512)),
        ],
    );
    assert_refused(
        &db,
        &[("PS256", ada(Algorithm::Ps256), "token-invalid-algorithm")],
    );
}

#[test]
fn headers_that_want_to_be_believed() {
    let keys = clerk().keys();
    let stranger = SigningKeys::new(keys.kid());
    let own_key = stranger.jwks()["keys"][0].clone();
    let forged = |name: &str, value: Value| session("user_ada").header(name, value).sign(&stranger);
    let odd = |name: &str, value: Value| session("user_ada").header(name, value).sign(&keys);
    let db = database();
    assert_refused(
        &db,
        &[
            (
                "a forgery",
                clerk().forge(session("user_ada")),
                "token-invalid-signature",
            ),
            (
                "brings its key as jwk",
                forged("jwk", own_key),
                "token-invalid-signature",
            ),
            (
                "brings its key as jku",
                forged("jku", "https://evil.example/jwks.json".into()),
                "token-invalid-signature",
            ),
            (
                "brings its key as x5u",
                forged("x5u", "https://evil.example/cert.pem".into()),
                "token-invalid-signature",
            ),
            (
                "brings its key as x5c",
                forged("x5c", json!(["MIIB"])),
                "token-invalid-signature",
            ),
            ("crit", odd("crit", json!(["exp"])), "token-invalid"),
            ("crit that is empty", odd("crit", json!([])), "token-invalid"),
            (
                "typ of OAuth tokens",
                odd("typ", "at+jwt".into()),
                "token-type-mismatch",
            ),
            (
                "cat of template tokens",
                odd("cat", "cl_B7d4PD222AAA".into()),
                "token-type-mismatch",
            ),
            (
                "cat of M2M tokens",
                odd("cat", "cl_B7d4PD333AAA".into()),
                "token-invalid",
            ),
            ("kid missing", odd("kid", Value::Null), "jwk-kid-mismatch"),
            ("kid empty", odd("kid", "".into()), "jwk-kid-mismatch"),
            (
                "kid unknown",
                odd("kid", "ins_unknown".into()),
                "jwk-kid-mismatch",
            ),
            (
                "kid of another spelling",
                odd("kid", "INS_SIM".into()),
                "jwk-kid-mismatch",
            ),
        ],
    );
    // Clerk may add header parameters at any time.
    assert_accepted(
        &db,
        &[
            ("a parameter nobody knows", odd("oiat", 1_700_000_000.into())),
            (
                "a key URL nobody reads",
                odd("jku", "https://evil.example/jwks.json".into()),
            ),
            ("no typ", odd("typ", Value::Null)),
            (
                "cat of an opted-out instance",
                odd("cat", "cl_I7d4PD111III".into()),
            ),
            ("a padded signature", format!("{}==", token("user_ada"))),
        ],
    );
}

#[test]
fn keys_of_another_instance() {
    let start = |kid: &str, issuer: &str| {
        let options = clerk_sim::Options {
            kid: kid.to_owned(),
            issuer: issuer.to_owned(),
            ..Default::default()
        };
        Simulator::start_with(options).expect("a port is free")
    };
    let other = start("ins_other", "https://clerk.other.test");
    let same_kid = start(clerk().keys().kid(), "https://clerk.third.test");
    let db = database();
    db.configure(&other);
    db.configure(&same_kid);
    let ours = |by: &Simulator| by.mint(Token::session(clerk().issuer(), "user_ada"));
    assert_refused(
        &db,
        &[
            ("another instance's key and kid", ours(&other), "jwk-kid-mismatch"),
            (
                "another instance's key under our kid",
                ours(&same_kid),
                "token-invalid-signature",
            ),
            (
                "our key under another's issuer",
                clerk().mint(Token::session(same_kid.issuer(), "user_ada")),
                "token-invalid-signature",
            ),
        ],
    );
    let of_others =
        [&other, &same_kid].map(|by| ("of another", by.mint(Token::session(by.issuer(), "user_ada"))));
    assert_accepted(&db, &of_others);
}

#[test]
fn times_that_are_none() {
    let keys = clerk().keys();
    let at = |name: &str, value: Value| session("user_ada").claim(name, value).sign(&keys);
    let failed = "token-verification-failed";
    let db = database();
    assert_refused(
        &db,
        &[
            (
                "exp missing",
                session("user_ada").without("exp").sign(&keys),
                failed,
            ),
            ("exp null", at("exp", Value::Null), failed),
            ("exp a string", at("exp", "4000000000".into()), failed),
            ("exp an array", at("exp", json!([4_000_000_000_i64])), failed),
            ("exp huge", at("exp", json!(1e300)), failed),
            (
                "exp beyond the year 9999",
                at("exp", json!(253_402_300_800_i64)),
                failed,
            ),
            ("exp negative", at("exp", json!(-1)), failed),
            ("exp long past", at("exp", json!(1)), "token-expired"),
            ("exp zero", at("exp", json!(0)), "token-expired"),
            ("nbf a string", at("nbf", "0".into()), failed),
            ("nbf huge", at("nbf", json!(1e300)), failed),
            (
                "nbf far ahead",
                at("nbf", json!(4_000_000_000_i64)),
                "token-not-active-yet",
            ),
            ("iat a boolean", at("iat", true.into()), failed),
            (
                "iat far ahead",
                at("iat", json!(4_000_000_000_i64)),
                "token-iat-in-the-future",
            ),
        ],
    );
    assert_accepted(
        &db,
        &[
            ("exp as a float", at("exp", json!(4_000_000_000.5))),
            ("exp in the year 9999", at("exp", json!(253_402_300_799_i64))),
            ("nbf missing", session("user_ada").without("nbf").sign(&keys)),
            ("iat missing", session("user_ada").without("iat").sign(&keys)),
        ],
    );
}

#[test]
fn claims_of_wrong_types_and_values() {
    let keys = clerk().keys();
    let issuer = clerk().issuer();
    let has = |name: &str, value: Value| session("user_ada").claim(name, value).sign(&keys);
    let db = database();
    db.superuser().run(
        "SELECT clerk.configure(audiences => ARRAY['https://api.example'], authorized_parties => ARRAY['https://app.example'],
                                allow_missing_azp => true)",
    );
    assert_refused(
        &db,
        &[
            (
                "iss missing",
                session("user_ada").without("iss").sign(&keys),
                "token-invalid-issuer",
            ),
            (
                "iss an array",
                has("iss", json!([issuer])),
                "token-invalid-issuer",
            ),
            (
                "iss with a slash",
                has("iss", format!("{issuer}/").into()),
                "token-invalid-issuer",
            ),
            (
                "iss of nobody we know",
                has("iss", "https://clerk.other.test".into()),
                "token-invalid-issuer",
            ),
            (
                "sub missing",
                session("user_ada").without("sub").sign(&keys),
                "token-verification-failed",
            ),
            ("sub a number", has("sub", 42.into()), "token-verification-failed"),
            (
                "sub with a NUL",
                has("sub", "user_\0".into()),
                "token-verification-failed",
            ),
            ("sub a machine", has("sub", "mch_1".into()), "token-type-mismatch"),
            (
                "aud a string",
                has("aud", "https://other.example".into()),
                "token-invalid-audience",
            ),
            (
                "aud an array",
                has("aud", json!(["https://other.example"])),
                "token-invalid-audience",
            ),
            ("aud an object", has("aud", json!({})), "token-invalid-audience"),
            (
                "azp not authorized",
                has("azp", "https://evil.example".into()),
                "token-invalid-authorized-parties",
            ),
            (
                "azp a number",
                has("azp", 7.into()),
                "token-invalid-authorized-parties",
            ),
        ],
    );
    assert_accepted(
        &db,
        &[
            ("aud as a string", has("aud", "https://api.example".into())),
            (
                "aud in an array",
                has("aud", json!(["https://other.example", "https://api.example"])),
            ),
            ("aud empty", has("aud", json!([]))),
            ("azp authorized", has("azp", "https://app.example".into())),
            ("v a number", has("v", 2.into())),
            ("v a string", has("v", "2".into())),
            ("v of the future", has("v", 3.into())),
        ],
    );
}

#[test]
fn tokens_of_other_kinds() {
    let issuer = clerk().issuer();
    let db = database();
    assert_refused(
        &db,
        &[
            (
                "template",
                clerk().mint(Token::template(issuer, "user_ada")),
                "token-type-mismatch",
            ),
            ("M2M", clerk().mint(Token::m2m(issuer, "mch_1")), "token-invalid"),
            (
                "OAuth",
                clerk().mint(Token::oauth(issuer, "user_ada")),
                "token-type-mismatch",
            ),
            (
                "OpenID Connect",
                clerk().mint(Token::id_token(issuer, "user_ada")),
                "token-type-mismatch",
            ),
        ],
    );
    db.superuser()
        .run("SELECT clerk.configure(accept_template_tokens => true)");
    let template = clerk().mint(Token::template(issuer, "user_ada"));
    assert_accepted(&db, &[("template", template)]);
}

#[test]
fn other_kinds_verify_as_what_they_are() {
    let db = database();
    let mut owner = db.superuser();
    let issuer = clerk().issuer();
    let tokens = [
        ("session", clerk().mint(session("user_ada")), "user_ada"),
        (
            "template",
            clerk().mint(Token::template(issuer, "user_ada")),
            "user_ada",
        ),
        ("m2m", clerk().mint(Token::m2m(issuer, "mch_1")), "mch_1"),
        (
            "oauth",
            clerk().mint(Token::oauth(issuer, "user_ada")),
            "user_ada",
        ),
    ];
    // Both ways round, because a token that was verified as one kind is remembered as that kind only.
    for kind in tokens.each_ref().map(|(kind, ..)| *kind) {
        for (own_kind, token, subject) in &tokens {
            let query = "SELECT clerk.verify_jwt($1, $2)->>'sub'";
            // A session token is also signed for its user, but is bound to a session, which a template token is not.
            if kind == *own_kind {
                assert_eq!(&owner.value_of::<String>(query, &[token, &kind]), subject);
            } else if kind != "template" {
                let failure = owner.failure_of(query, &[token, &kind]);
                assert_eq!(failure.refusal().0, "28", "{own_kind} as {kind}: {failure:?}");
            }
        }
    }
    let failure = owner.failure_of("SELECT clerk.verify_jwt($1, 'api_key')", &[&tokens[0].1]);
    assert_eq!(failure.sqlstate, "22023");
    assert!(failure.hint.is_some_and(|hint| hint.contains("'m2m'")));
    let nothing: Option<String> = owner.value("SELECT clerk.verify_jwt(NULL)::text");
    assert_eq!(nothing, None);
}
