//! Foreign values in messages.

/// Longest part of a foreign value that a message repeats, in characters.
const MAX_CHARS: usize = 100;

/// `value` in double quotes, fit for a message: cut to 100 characters, control and invisible characters escaped.
pub fn quote(value: &str) -> String {
    let mut chars = value.chars();
    let mut quoted = String::from("\"");
    quoted.extend(chars.by_ref().take(MAX_CHARS).flat_map(char::escape_debug));
    if chars.next().is_some() {
        quoted.push('…');
    }
    quoted.push('"');
    quoted
}

/// `value` as a literal of SQL, fit for a hint: cut and escaped as by [`quote`].
pub fn literal(value: &str) -> String {
    let quoted = quote(value);
    let inner = &quoted[1..quoted.len() - 1];
    format!("'{}'", inner.replace(r"\'", "'").replace('\'', "''"))
}

/// `values` quoted and joined: `"a", "b"`.
pub(crate) fn quote_all(values: &[String]) -> String {
    values
        .iter()
        .map(|value| quote(value))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_escapes() {
        assert_eq!(quote("https://a.example"), r#""https://a.example""#);
        assert_eq!(quote("a\nb\u{0}"), r#""a\nb\0""#);
        assert_eq!(quote(&"x".repeat(100)), format!("\"{}\"", "x".repeat(100)));
        assert_eq!(quote(&"x".repeat(101)), format!("\"{}…\"", "x".repeat(100)));
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(quote_all(&["a".into(), "b".into()]), r#""a", "b""#);
    }
}
