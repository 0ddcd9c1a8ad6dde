//! JSON text made to fit into jsonb, which holds a little less than JSON.
//!
//! NUL and lone surrogates become U+FFFD. Numbers that no double can hold become strings: jsonb would take some of them, but
//! write them back with up to 131,072 digits each.

use std::borrow::Cow;

use super::scan::next_quote_or_backslash;

const REPLACEMENT: &str = "\\ufffd";
/// More digits, or a larger exponent, than any double is written with.
const MAX_DIGITS: usize = 400;
const MAX_EXPONENT: i64 = 400;

/// Any JSON text so that jsonb takes it.
///
/// # Errors
/// If it is not JSON; says why.
pub fn fit_json(text: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    serde_json::from_str::<&serde_json::value::RawValue>(text)?;
    Ok(fit(text))
}

/// `json`, which must be valid, so that jsonb takes it.
pub(crate) fn fit(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut out = String::new();
    // Everything before `copied` has been written; nothing is written until the first change.
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string(json, at + 1, &mut copied, &mut out),
            b'-' | b'0'..=b'9' => {
                let end = number_end(bytes, at);
                let number = &json[at..end];
                if !is_ordinary(number) {
                    out.push_str(&json[copied..at]);
                    out.push('"');
                    out.push_str(number);
                    out.push('"');
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[copied..]);
    Cow::Owned(out)
}

/// Goes through a string that begins before `at`; gives where it has ended.
fn string(json: &str, mut at: usize, copied: &mut usize, out: &mut String) -> usize {
    let bytes = json.as_bytes();
    loop {
        at = next_quote_or_backslash(bytes, at);
        match bytes.get(at) {
            None => return at,
            Some(b'"') => return at + 1,
            Some(_) if bytes.get(at + 1) == Some(&b'u') => {
                let length = escape_length(bytes, at);
                if length == 0 {
                    out.push_str(&json[*copied..at]);
                    out.push_str(REPLACEMENT);
                    *copied = at + 6;
                }
                at += length.max(6);
            }
            Some(_) => at += 2,
        }
    }
}

/// How long the escape at `at` is, a pair of surrogates being one; 0 if jsonb cannot hold it.
fn escape_length(bytes: &[u8], at: usize) -> usize {
    match code_unit(bytes, at) {
        Some(0) => 0,
        Some(0xd800..=0xdbff) => match code_unit(bytes, at + 6) {
            Some(0xdc00..=0xdfff) => 12,
            _ => 0,
        },
        Some(0xdc00..=0xdfff) => 0,
        _ => 6,
    }
}

fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn number_end(bytes: &[u8], at: usize) -> usize {
    let length = bytes[at..]
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    length.map_or(bytes.len(), |length| at + length)
}

fn is_ordinary(number: &str) -> bool {
    if number.len() > MAX_DIGITS {
        return false;
    }
    match number.split_once(['e', 'E']) {
        None => true,
        Some((_, exponent)) => exponent
            .parse::<i64>()
            .is_ok_and(|exponent| exponent.abs() <= MAX_EXPONENT),
    }
}

#[cfg(test)]
mod unit {
    use std::borrow::Cow;

    use super::fit;

    #[test]
    fn what_fits_is_not_copied() {
        for json in [
            r#"{"a": "\u00e9\ud83d\ude00 \\u0000 \" \n", "b": [1, -2.5e10, 12345678901234567890.5]}"#,
            "[]",
            r#""x""#,
        ] {
            assert!(matches!(fit(json), Cow::Borrowed(same) if same == json), "{json}");
        }
    }

    #[test]
    fn nul_and_lone_surrogates_become_the_replacement_character() {
        assert_eq!(fit(r#"{"a\u0000":"x\u0000y"}"#), r#"{"a\ufffd":"x\ufffdy"}"#);
        assert_eq!(fit(r#""\\\u0000\"""#), r#""\\\ufffd\"""#);
        assert_eq!(fit(r#""\ud83d""#), r#""\ufffd""#);
        assert_eq!(fit(r#""\ud83dx""#), r#""\ufffdx""#);
        assert_eq!(fit(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
        assert_eq!(fit(r#""\ude00\uDBFF""#), r#""\ufffd\ufffd""#);
    }

    #[test]
    fn numbers_that_no_double_holds_become_strings() {
        assert_eq!(fit("[1e400000, -1E-99999]"), r#"["1e400000", "-1E-99999"]"#);
        assert_eq!(fit("1e99999999999999999999"), r#""1e99999999999999999999""#);
        let long = "9".repeat(401);
        assert_eq!(fit(&long), format!("\"{long}\""));
        assert_eq!(fit("1e400"), "1e400");
    }
}
