//! The stand-in for Clerk, and the tokens that everything is measured with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_sim::{Simulator, Token};

/// Who is signed in; every thousandth row of the table is this user's.
pub const USER: &str = "user_2nYfLb4C9rV0kQ7sT1wXe5HzMaG";
/// The active organization; all rows are its own.
pub const ORG: &str = "org_2pJx8mWd3uR6bN0vK4tZc9EyQsL";
/// A permission that the token grants.
pub const PERMISSION: &str = "org:documents:read";

/// Starts the stand-in.
pub fn start() -> Simulator {
    Simulator::start()
}

/// A session token of version 2 with an organization, like one that a web application sends. No two are equal.
pub fn mint(clerk: &Simulator) -> String {
    let token = Token::session(clerk.issuer(), USER)
        .organization(
            ORG,
            "acme",
            "admin",
            &[
                ("documents", &["read", "manage"]),
                ("invoices", &["read", "create", "delete"]),
            ],
        )
        .claim("azp", "https://app.example.com".into())
        .claim("pla", "o:pro".into())
        .expires_in(24 * 60 * 60);
    clerk.mint(token)
}

/// A token's claims, which PostgREST would put into `request.jwt.claims`.
pub fn claims(token: &str) -> String {
    let payload = token.split('.').nth(1).expect("a token has three parts");
    let bytes = URL_SAFE_NO_PAD.decode(payload).expect("a payload is base64url");
    String::from_utf8(bytes).expect("claims are JSON")
}
