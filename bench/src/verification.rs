//! Verifying a token in SQL, beside the bare signature check and beside the libraries of other servers.

use std::time::Duration;

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clerk_sim::Simulator;
use postgres::Client;

use crate::node::Peers;
use crate::page::{Goal, Page, times};
use crate::rounds::{self, ratio, time};
use crate::server::Server;
use crate::signer;

/// Distinct tokens: more than the 256 that a backend remembers, so that each is new again in each round. Few enough for
/// some milliseconds of work, because longer ones are interrupted more often on a busy machine.
const TOKENS: usize = 500;
/// Calls with one and the same token.
const REPEATS: usize = 50_000;
const ROUNDS: usize = 101;

/// Calls as many times as the peer below it, without the function.
const NEW: &str = "SELECT count(clerk.verify_jwt(token)) FROM tokens";
const NEW_WITHOUT: &str = "SELECT count(octet_length(token)) FROM tokens";
const REPEATED: &str =
    "SELECT count(clerk.verify_jwt(token)) FROM (SELECT token FROM tokens LIMIT 1) AS one, repeats";
const REPEATED_WITHOUT: &str =
    "SELECT count(octet_length(token)) FROM (SELECT token FROM tokens LIMIT 1) AS one, repeats";

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    New,
    NewWithout,
    Repeated,
    RepeatedWithout,
    Parsed,
    Unparsed,
    Jose,
    ClerkBackend,
}

const CASES: [Case; 8] = [
    Case::New,
    Case::NewWithout,
    Case::Parsed,
    Case::Unparsed,
    Case::Jose,
    Case::ClerkBackend,
    Case::Repeated,
    Case::RepeatedWithout,
];

/// Adds the section to the page.
pub fn measure(server: &Server, clerk: &Simulator, page: &mut Page) {
    let tokens: Vec<String> = (0..TOKENS).map(|_| signer::mint(clerk)).collect();
    let mut client = server.connect("postgres");
    make_tables(&mut client, &tokens);
    let signatures = Signatures::new(clerk, &tokens);
    let mut node = Peers::start(clerk, &tokens);

    let medians = rounds::medians(
        ROUNDS,
        &CASES,
        |_| 1,
        |case| match case {
            Case::New => time(|| assert_eq!(count(&mut client, NEW), TOKENS)),
            Case::NewWithout => time(|| assert_eq!(count(&mut client, NEW_WITHOUT), TOKENS)),
            Case::Repeated => time(|| assert_eq!(count(&mut client, REPEATED), REPEATS)),
            Case::RepeatedWithout => time(|| assert_eq!(count(&mut client, REPEATED_WITHOUT), REPEATS)),
            Case::Parsed => time(|| signatures.verify_with_parsed_key()),
            Case::Unparsed => time(|| signatures.verify_with_unparsed_key()),
            Case::Jose => node.verify_all("jose"),
            Case::ClerkBackend => node.verify_all("@clerk/backend"),
        },
    );
    report(page, &medians, tokens[0].len());
    page.peers(&node.versions);
}

fn make_tables(client: &mut Client, tokens: &[String]) {
    client
        .batch_execute(&format!(
            "CREATE TEMP TABLE tokens (token text);
             CREATE TEMP TABLE repeats AS SELECT FROM generate_series(1, {REPEATS})"
        ))
        .expect("tables can be made");
    client
        .execute("INSERT INTO tokens SELECT unnest($1::text[])", &[&tokens])
        .expect("tokens are text");
    client
        .batch_execute("VACUUM (FREEZE, ANALYZE) tokens, repeats")
        .expect("tables can be vacuumed");
}

fn count(client: &mut Client, query: &str) -> usize {
    let count: i64 = client.query_one(query, &[]).expect("every token is valid").get(0);
    count as usize
}

/// The tokens as signed text and signature, already taken apart: what is left is the bare signature check.
struct Signatures {
    parsed_key: ParsedPublicKey,
    unparsed_key: UnparsedPublicKey<Vec<u8>>,
    signed: Vec<(String, Vec<u8>)>,
}

impl Signatures {
    fn new(clerk: &Simulator, tokens: &[String]) -> Self {
        let jwks = clerk.jwks();
        let number = |name| decode(jwks["keys"][0][name].as_str().expect("an RSA key"));
        let components = RsaPublicKeyComponents {
            n: number("n"),
            e: number("e"),
        };
        let pem = clerk.keys().public_key_pem();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        Self {
            parsed_key: components
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .expect("the key is good"),
            unparsed_key: UnparsedPublicKey::new(
                &RSA_PKCS1_2048_8192_SHA256,
                STANDARD.decode(body).expect("PEM is base64"),
            ),
            signed: tokens.iter().map(|token| take_apart(token)).collect(),
        }
    }

    fn verify_with_parsed_key(&self) {
        for (message, signature) in &self.signed {
            let verdict = self.parsed_key.verify_sig(message.as_bytes(), signature);
            verdict.expect("every token is valid");
        }
    }

    fn verify_with_unparsed_key(&self) {
        for (message, signature) in &self.signed {
            let verdict = self.unparsed_key.verify(message.as_bytes(), signature);
            verdict.expect("every token is valid");
        }
    }
}

fn take_apart(token: &str) -> (String, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').expect("a token has three parts");
    (message.to_owned(), decode(signature))
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("a valid token is base64url")
}

fn report(page: &mut Page, medians: &[Duration], token_length: usize) {
    let median = |wanted| {
        let index = CASES.iter().position(|case| *case == wanted);
        medians[index.expect("every case is measured")]
    };
    let per_call = |total: Duration, calls: usize| total.div_f64(calls as f64);
    let of_peer = |case| per_call(median(case), TOKENS);
    let new = per_call(median(Case::New).saturating_sub(median(Case::NewWithout)), TOKENS);
    let repeated = per_call(
        median(Case::Repeated).saturating_sub(median(Case::RepeatedWithout)),
        REPEATS,
    );
    let bare = of_peer(Case::Parsed);

    page.goal(Goal::at_most(
        "`verify_jwt` of a new token against `UnparsedPublicKey`",
        ratio(new, of_peer(Case::Unparsed)),
        1.4,
        "×",
    ));
    page.goal(Goal::at_most(
        "`verify_jwt` of a new token against `ParsedPublicKey`",
        ratio(new, bare),
        1.4,
        "×",
    ));
    page.goal(Goal::at_most(
        "`verify_jwt` of a repeated token",
        microseconds(repeated),
        2.0,
        "µs",
    ));

    page.heading("Verifying a token");
    page.text(&format!(
        "RS256 with a key of 2048 bits, tokens of {token_length} bytes with the claims of above. `verify_jwt` is the time of \
         `SELECT count(clerk.verify_jwt(token))` less that of the same query with `octet_length(token)`, and includes the \
         claims as jsonb. The bare signature check gets signed text and signature already decoded; `ParsedPublicKey` has \
         also read its key before, once, and all ratios are to it. Medians of {ROUNDS} rounds over {TOKENS} distinct tokens, or \
         {REPEATS} calls with the same one."
    ));
    let row = |what: &str, time| {
        [
            what.to_owned(),
            format!("{:.3}", microseconds(time)),
            times(ratio(time, bare)),
        ]
    };
    page.table(
        ["", "µs per token", "ratio"],
        [
            row("bare signature check, aws-lc-rs `ParsedPublicKey`", bare),
            row(
                "bare signature check, aws-lc-rs `UnparsedPublicKey`",
                of_peer(Case::Unparsed),
            ),
            row("`clerk.verify_jwt`, new token", new),
            row("`clerk.verify_jwt`, repeated token", repeated),
            row("`jose` `jwtVerify`, Node", of_peer(Case::Jose)),
            row(
                "`@clerk/backend` `verifyToken`, Node",
                of_peer(Case::ClerkBackend),
            ),
        ],
    );
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
