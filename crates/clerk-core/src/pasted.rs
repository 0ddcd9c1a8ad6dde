//! What people paste together with a value, and what they paste in its place.
//!
//! A key is copied with its quotes, or with its name from a file of settings. Only blanks and line ends around a value are taken
//! away in silence; everything else is named, so that the person can take it away.

/// Pairs of characters around a value, and their name.
const AROUND: [(&str, &str, &str); 8] = [
    ("\\\"", "\\\"", "escaped double quotes"),
    ("\"", "\"", "double quotes"),
    ("'", "'", "single quotes"),
    ("`", "`", "backticks"),
    ("“", "”", "typographic quotes"),
    ("‘", "’", "typographic quotes"),
    ("<", ">", "angle brackets"),
    ("[", "]", "brackets"),
];

/// What stands before or behind a value, and its name.
const BEFORE: [(&str, &str); 3] = [
    ("Bearer ", "\"Bearer \""),
    ("bearer ", "\"bearer \""),
    ("\u{feff}", "a byte order mark"),
];
const BEHIND: [(&str, &str); 6] = [
    ("\\n", "the two characters \\n"),
    ("\\r", "the two characters \\r"),
    (",", "a comma"),
    (";", "a semicolon"),
    ("\u{200b}", "an invisible character"),
    ("\u{feff}", "a byte order mark"),
];

/// Longest name of a setting that a message repeats.
const MAX_NAME: usize = 40;

/// A value and what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surrounded<'t> {
    /// The value alone.
    pub(crate) value: &'t str,
    /// `CLERK_SECRET_KEY= before it and double quotes around it`
    pub(crate) what: String,
}

/// What stands around the value in `text` besides blanks and line ends. None if there is nothing.
pub(crate) fn surrounded(text: &str) -> Option<Surrounded<'_>> {
    let mut value = text.trim();
    let mut found = Vec::new();
    while let Some((what, inside)) = peel(value).filter(|(_, inside)| !inside.is_empty()) {
        found.push(what);
        value = inside;
    }
    (!found.is_empty()).then(|| Surrounded {
        value,
        what: found.join(" and "),
    })
}

/// The outermost thing around a value, and what is inside.
fn peel(text: &str) -> Option<(String, &str)> {
    let pair = AROUND.iter().find_map(|(open, close, name)| {
        let inside = text.strip_prefix(open)?.strip_suffix(close)?;
        Some((format!("{name} around it"), inside))
    });
    let named = || {
        let (name, value) = setting(text)?;
        Some((format!("{} before it", name_of_setting(name)), value))
    };
    let ended = || {
        let (end, name) = BEHIND.iter().find(|(end, _)| text.ends_with(end))?;
        Some((format!("{name} behind it"), text.strip_suffix(end)?))
    };
    let begun = || {
        let (start, name) = BEFORE.iter().find(|(start, _)| text.starts_with(start))?;
        Some((format!("{name} before it"), text.strip_prefix(start)?))
    };
    let half = || {
        AROUND.iter().find_map(|(open, close, name)| {
            let before = text
                .strip_prefix(open)
                .map(|inside| (format!("{name} before it"), inside));
            before.or_else(|| Some((format!("{name} behind it"), text.strip_suffix(close)?)))
        })
    };
    let (what, inside) = pair.or_else(named).or_else(ended).or_else(begun).or_else(half)?;
    Some((what, inside.trim()))
}

/// A name that is not in capitals may be a part of a secret.
fn name_of_setting(name: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() <= MAX_NAME && name.bytes().all(is_name) {
        format!("{name}=")
    } else {
        "the name of a setting".to_owned()
    }
}

/// Name and value of `NAME=value`, `export NAME=value` or `NAME: value`. The `=` of base64's padding has nothing or another one
/// behind it.
pub(crate) fn setting(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("export ").unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let (name, rest) = text.split_at(end);
    let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    let (separator, value) = rest.split_at_checked(1)?;
    let is_setting = match separator {
        "=" => !value.is_empty() && !value.starts_with('='),
        ":" => value.starts_with(' '),
        _ => false,
    };
    (is_name && is_setting).then_some((name, value))
}

/// Whether what follows the prefix of a key stands in its place in a manual, or is what a dashboard shows of it: `…`, `xxxx`,
/// `your_key`, `abcd...wxyz`.
pub(crate) fn is_placeholder(rest: &str) -> bool {
    let first = rest.chars().next().filter(|first| "xX0?#".contains(*first));
    let is_one_character = first.is_some_and(|first| rest.chars().all(|other| other == first));
    // Real ones are long and of letters and digits, or base64, and may begin with any word.
    let may_be_words = rest.len() < 24 || rest.contains(['_', '-', ' ']);
    let lower = rest.to_ascii_lowercase();
    is_one_character
        || ["...", "…", "*", "•", "<", "${"]
            .iter()
            .any(|part| rest.contains(part))
        || may_be_words
            && ["your", "my_", "xxx", "replace", "insert", "changeme"]
                .iter()
                .any(|start| lower.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_value_is_named_from_outside_to_inside() {
        for (text, what, value) in [
            ("\"v\"", "double quotes around it", "v"),
            (" 'v'\n", "single quotes around it", "v"),
            ("“v”", "typographic quotes around it", "v"),
            ("\"v", "double quotes before it", "v"),
            ("v'", "single quotes behind it", "v"),
            ("<v>", "angle brackets around it", "v"),
            ("CLERK_SECRET_KEY=v", "CLERK_SECRET_KEY= before it", "v"),
            (
                "export CLERK_SECRET_KEY=\"v\"",
                "CLERK_SECRET_KEY= before it and double quotes around it",
                "v",
            ),
            ("CLERK_SECRET_KEY: v", "CLERK_SECRET_KEY= before it", "v"),
            ("secretKey=v", "the name of a setting before it", "v"),
            ("\"v\",", "a comma behind it and double quotes around it", "v"),
            (
                "\"v\\n\"",
                "double quotes around it and the two characters \\n behind it",
                "v",
            ),
            (
                "\"Authorization: Bearer v\"",
                "double quotes around it and the name of a setting before it and \"Bearer \" before it",
                "v",
            ),
            ("\u{feff}v", "a byte order mark before it", "v"),
        ] {
            let expected = Surrounded {
                value,
                what: what.to_owned(),
            };
            assert_eq!(surrounded(text), Some(expected), "{text:?}");
        }
        for text in [
            "",
            "v",
            " v\n",
            "whsec_AAECAwQ=",
            "whsec_AAECAwQ==",
            "\"\"",
            "\"",
            "a.b.c",
        ] {
            assert_eq!(surrounded(text), None, "{text:?}");
        }
    }

    #[test]
    fn placeholders() {
        for rest in [
            "...",
            "…",
            "xxxxxxxx",
            "????????",
            "****",
            "your_secret_key",
            "abcd...wxyz",
            "<key>",
            "${KEY}",
        ] {
            assert!(is_placeholder(rest), "{rest}");
        }
        for rest in [
            "",
            "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "XxX9r8GKYqrTwjUPD8ILPZIo2LaLaSw=",
        ] {
            assert!(!is_placeholder(rest), "{rest}");
        }
    }
}
