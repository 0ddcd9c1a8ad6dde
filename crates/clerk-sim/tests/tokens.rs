//! Minted tokens against what is known of Clerk's, and against an independent check of their signatures.

use std::collections::BTreeSet;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RsaParameters,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_sim::{Algorithm, Rotation, SigningKeys, Simulator, Token};
use serde_json::{Value, json};

const ISSUER: &str = "https://clerk.sim.test";

/// A compact token taken apart.
struct Parts {
    header: Value,
    claims: Value,
    message: String,
    signature: Vec<u8>,
}

fn parts(token: &str) -> Parts {
    let [header, claims, signature] = token
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("three parts");
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url without padding");
    Parts {
        header: serde_json::from_slice(&decode(header)).unwrap(),
        claims: serde_json::from_slice(&decode(claims)).unwrap(),
        message: format!("{header}.{claims}"),
        signature: decode(signature),
    }
}

/// Whether the key of a set that the token names made its signature.
fn verifies(token: &str, jwks: &Value, parameters: &'static RsaParameters) -> bool {
    let token = parts(token);
    let Some(key) = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == token.header["kid"])
    else {
        return false;
    };
    let number = |member: &str| URL_SAFE_NO_PAD.decode(key[member].as_str().unwrap()).unwrap();
    PublicKeyComponents {
        n: number("n"),
        e: number("e"),
    }
    .verify(parameters, token.message.as_bytes(), &token.signature)
    .is_ok()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_algorithm_signs_what_its_name_says() {
    let keys = SigningKeys::new("ins_a");
    let token = Token::session(ISSUER, "user_ada");
    for (algorithm, name, parameters) in [
        (Algorithm::Rs256, "RS256", &RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Rs384, "RS384", &RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::Rs512, "RS512", &RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::Ps256, "PS256", &RSA_PSS_2048_8192_SHA256),
    ] {
        let signed = token.sign_with(&keys, algorithm);
        assert_eq!(parts(&signed).header["alg"], name);
        assert!(verifies(&signed, &keys.jwks(), parameters), "{name}");
    }
    assert!(verifies(
        &token.sign(&keys),
        &keys.jwks(),
        &RSA_PKCS1_2048_8192_SHA256
    ));
}

#[test]
fn a_session_token_has_the_claims_of_version_2() {
    let keys = SigningKeys::new("ins_a");
    let Parts { header, claims, .. } = parts(&Token::session(ISSUER, "user_ada").sign(&keys));

    assert_eq!(
        header,
        json!({"alg": "RS256", "kid": "ins_a", "typ": "JWT", "cat": "cl_B7d4PD111AAA"})
    );
    assert_eq!(
        names(&claims),
        BTreeSet::from([
            "exp", "fva", "iat", "iss", "jti", "nbf", "role", "sid", "sts", "sub", "v"
        ])
    );
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!(ISSUER), &json!("user_ada"))
    );
    assert_eq!(
        (&claims["v"], &claims["role"], &claims["sts"]),
        (&json!(2), &json!("authenticated"), &json!("active"))
    );
    assert!(claims["sid"].as_str().unwrap().starts_with("sess_"));
    assert_eq!(claims["jti"].as_str().unwrap().len(), 20);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        60
    );
    assert_eq!(
        claims["iat"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(),
        10
    );
}

#[test]
fn the_other_classes_differ_as_clerks_do() {
    let keys = SigningKeys::new("ins_a");
    let mint = |token: Token| parts(&token.sign(&keys));

    let v1 = mint(Token::session_v1(ISSUER, "user_ada"));
    assert!(v1.claims["sid"].as_str().unwrap().starts_with("sess_"));
    assert!(v1.claims.get("v").is_none() && v1.claims.get("jti").is_none() && v1.header.get("cat").is_none());

    let template = mint(Token::template(ISSUER, "user_ada"));
    assert_eq!(
        (&template.header["typ"], &template.header["cat"]),
        (&json!("JWT"), &json!("cl_B7d4PD222AAA"))
    );
    assert_eq!(
        names(&template.claims),
        BTreeSet::from(["exp", "iat", "iss", "jti", "nbf", "sub"])
    );

    let m2m = mint(Token::m2m(ISSUER, "mch_a"));
    assert_eq!(
        (&m2m.header["typ"], &m2m.header["cat"]),
        (&json!("JWT"), &json!("cl_B7d4PD333AAA"))
    );
    assert_eq!(m2m.claims["sub"], "mch_a");
    assert!(m2m.claims["jti"].as_str().unwrap().starts_with("mt_"));

    let oauth = mint(Token::oauth(ISSUER, "user_ada"));
    assert_eq!(oauth.header["typ"], "at+jwt");
    assert!(oauth.claims["client_id"].is_string() && oauth.claims["scope"].is_string());
    assert!(oauth.claims["jti"].as_str().unwrap().starts_with("oat_") && oauth.claims.get("sid").is_none());

    let id_token = mint(Token::id_token(ISSUER, "user_ada"));
    assert!(id_token.claims["aud"].is_string() && id_token.claims.get("sid").is_none());
}

#[test]
fn an_organization_is_nested_in_version_2() {
    let keys = SigningKeys::new("ins_a");
    let features: &[(&str, &[&str])] = &[("dashboard", &["manage", "read"]), ("teams", &["read"])];

    let token = Token::session(ISSUER, "user_ada").organization("org_acme", "acme", "org:admin", features);
    let claims = parts(&token.sign(&keys)).claims;
    assert_eq!(claims["fea"], "o:dashboard,o:teams");
    assert_eq!(
        claims["o"],
        json!({"id": "org_acme", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"})
    );

    let bare = Token::session(ISSUER, "user_ada").organization("org_acme", None, "member", &[]);
    let claims = parts(&bare.sign(&keys)).claims;
    assert_eq!(claims["o"], json!({"id": "org_acme", "rol": "member"}));
    assert!(claims.get("fea").is_none());
}

#[test]
fn an_organization_is_flat_in_version_1() {
    let token = Token::session_v1(ISSUER, "user_ada").organization(
        "org_acme",
        "acme",
        "admin",
        &[("dashboard", &["manage", "read"]), ("uo:teams", &["read"])],
    );
    let claims = parts(&token.sign(&SigningKeys::new("ins_a"))).claims;
    assert_eq!(
        (&claims["org_id"], &claims["org_slug"]),
        (&json!("org_acme"), &json!("acme"))
    );
    assert_eq!(claims["org_role"], "org:admin");
    assert_eq!(
        claims["org_permissions"],
        json!(["org:dashboard:manage", "org:dashboard:read", "org:teams:read"])
    );
    assert!(claims.get("o").is_none() && claims.get("fea").is_none());
}

#[test]
fn an_expired_token_was_once_valid() {
    let claims = parts(&Token::session(ISSUER, "user_ada").expires_in(-100).unsigned()).claims;
    let time = |name: &str| claims[name].as_i64().unwrap();
    assert!(time("nbf") < time("iat") && time("iat") < time("exp"));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(time("exp") <= i64::try_from(now).unwrap() - 100);
}

#[test]
fn claims_and_headers_can_be_anything() {
    let keys = SigningKeys::new("ins_a");
    let token = Token::session(ISSUER, "user_ada")
        .claim("azp", json!(["not", "a", "string"]))
        .without("sid")
        .header("kid", Value::Null)
        .header("crit", json!(["exp"]))
        .header("alg", json!("ES256"));
    let Parts { header, claims, .. } = parts(&token.sign(&keys));
    assert_eq!(claims["azp"], json!(["not", "a", "string"]));
    assert!(claims.get("sid").is_none());
    assert_eq!(
        header,
        json!({"alg": "ES256", "typ": "JWT", "cat": "cl_B7d4PD111AAA", "crit": ["exp"]})
    );
}

#[test]
fn forgeries_are_what_their_names_say() {
    let keys = SigningKeys::new("ins_a");
    let token = Token::session(ISSUER, "user_ada");

    let unsigned = parts(&token.unsigned());
    assert_eq!(
        (&unsigned.header["alg"], unsigned.signature.len()),
        (&json!("none"), 0)
    );

    let secret = keys.public_key_pem();
    let symmetric = parts(&token.hs256(secret.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    assert_eq!(symmetric.header["alg"], "HS256");
    assert_eq!(symmetric.signature.len(), digest::SHA256_OUTPUT_LEN);
    assert!(hmac::verify(&key, symmetric.message.as_bytes(), &symmetric.signature).is_ok());
}

#[test]
fn only_published_keys_verify() {
    let clerk = Simulator::start();
    let verifies_now = |token: &str| verifies(token, &clerk.jwks(), &RSA_PKCS1_2048_8192_SHA256);
    let mint = || clerk.mint(Token::session(clerk.issuer(), "user_ada"));

    let first = mint();
    assert!(verifies_now(&first));
    let forged = clerk.forge(Token::session(clerk.issuer(), "user_ada"));
    assert_eq!(parts(&forged).header["kid"], parts(&first).header["kid"]);
    assert!(!verifies_now(&forged));

    assert_eq!(clerk.rotate(Rotation::Same), "ins_sim");
    let second = mint();
    assert!(verifies_now(&second) && !verifies_now(&first));

    assert_ne!(clerk.rotate(Rotation::Overlap), "ins_sim");
    let third = mint();
    assert!(verifies_now(&third) && verifies_now(&second));

    let kid = clerk.rotate(Rotation::New);
    assert_eq!(parts(&mint()).header["kid"], *kid);
    assert!(verifies_now(&mint()) && !verifies_now(&third) && !verifies_now(&second));
}
