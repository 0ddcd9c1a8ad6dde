//! The other kinds of token that the same key signs.

use clerk_sim::Token;
use clerk_tests::Sql;

use super::{assert_accepted, assert_refused};
use crate::scene::{clerk, database, session};

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
        // Nothing in its header says what it is.
        (
            "session or template",
            clerk().mint(Token::session_v1(issuer, "user_ada")),
            "user_ada",
        ),
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
    for kind in ["session", "template", "m2m", "oauth"] {
        for (own_kinds, token, subject) in &tokens {
            let query = "SELECT clerk.verify_jwt($1, $2)->>'sub'";
            if own_kinds.split(" or ").any(|own_kind| own_kind == kind) {
                assert_eq!(&owner.value_of::<String>(query, &[token, &kind]), subject);
            } else {
                let failure = owner.failure_of(query, &[token, &kind]);
                assert_eq!(failure.refusal().0, "28", "{own_kinds} as {kind}: {failure:?}");
            }
        }
    }
    let failure = owner.failure_of("SELECT clerk.verify_jwt($1, 'api_key')", &[&tokens[0].1]);
    assert_eq!(failure.sqlstate, "22023");
    assert!(failure.hint.is_some_and(|hint| hint.contains("'m2m'")));
    let nothing: Option<String> = owner.value("SELECT clerk.verify_jwt(NULL)::text");
    assert_eq!(nothing, None);
}
