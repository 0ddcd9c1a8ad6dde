//! Headers that must not be believed: algorithms, keys brought along, key ids.

use clerk_sim::{Algorithm, SigningKeys, Simulator, Token};
use clerk_tests::Sql;
use serde_json::{Value, json};

use super::{assert_accepted, assert_refused};
use crate::scene::{clerk, database, session, token};

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
        "SELECT clerk.import_jwks($1, $2)",
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
