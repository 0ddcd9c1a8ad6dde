//! Publishable keys, from which an application derives its issuer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The publishable key of the instance whose Frontend API is at `host`.
///
/// Clerk's form: `pk_live_` (production) or `pk_test_` (development), then the base64 of the host and a `$`.
pub fn publishable_key(host: &str, live: bool) -> String {
    let prefix = if live { "pk_live_" } else { "pk_test_" };
    format!("{prefix}{}", STANDARD_NO_PAD.encode(format!("{host}$")))
}

#[cfg(test)]
mod tests {
    use super::publishable_key;

    #[test]
    fn equals_published_keys() {
        assert_eq!(
            publishable_key("foo-bar-13.clerk.accounts.dev", false),
            "pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk"
        );
        assert_eq!(
            publishable_key("fake-clerk-test.clerk.accounts.dev", true),
            "pk_live_ZmFrZS1jbGVyay10ZXN0LmNsZXJrLmFjY291bnRzLmRldiQ"
        );
    }
}
