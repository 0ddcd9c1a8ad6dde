//! Tokens that cannot even be read.

use super::{assert_refused, payload_with, signed, with_payload};
use crate::scene::{clerk, database, token};

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
