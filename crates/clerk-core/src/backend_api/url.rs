//! The URL of a request.

/// Names and values, in order; a name may come more than once.
pub type Query = Vec<(&'static str, String)>;

/// `path`, which begins with a slash and whose parts are encoded already, below `base`, with the query.
pub fn request_url(base: &str, path: &str, query: &[(&str, String)]) -> String {
    let mut url = format!("{}{path}", base.trim_end_matches('/'));
    for (index, (name, value)) in query.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.push_str(&encode(value));
    }
    url
}

/// Everything but unreserved characters (RFC 3986, 2.3) as %XX: also the plus sign, which many would read as a blank.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod unit {
    use super::request_url;

    #[test]
    fn values_are_encoded() {
        let query = [
            ("order_by", "+created_at".to_owned()),
            ("user_id", "a&b=ü/".to_owned()),
        ];
        assert_eq!(
            request_url("https://api.clerk.com/v1/", "/users", &query),
            "https://api.clerk.com/v1/users?order_by=%2Bcreated_at&user_id=a%26b%3D%C3%BC%2F"
        );
        assert_eq!(request_url("https://a.test", "/jwks", &[]), "https://a.test/jwks");
    }
}
