//! Where the parts of JSON text begin and end.
//!
//! For text that is known to be JSON: nothing is checked again, and nothing is built. Nesting has no limit, because values are
//! skipped without recursion. Text that is not JSON gives nonsense, but never a panic.

/// Calls `member` with each name, in its quotes, and each value of an object. None if `json` is no object.
pub(super) fn members<'a>(json: &'a str, mut member: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut at = enter(json, b'{')?;
    while json.as_bytes().get(at)? != &b'}' {
        let name = part(json, at)?;
        at = skip(json, at + name.len(), b':');
        let value = part(json, at)?;
        at = skip(json, at + value.len(), b',');
        member(name, value);
    }
    Some(())
}

/// The elements of an array. None if `json` is no array.
pub(super) fn elements(json: &str) -> Option<Vec<&str>> {
    let mut at = enter(json, b'[')?;
    let mut elements = Vec::new();
    while json.as_bytes().get(at)? != &b']' {
        let element = part(json, at)?;
        at = skip(json, at + element.len(), b',');
        elements.push(element);
    }
    Some(elements)
}

/// The place of the first thing inside, if `json` opens so.
fn enter(json: &str, opening: u8) -> Option<usize> {
    let start = skip(json, 0, b' ');
    (json.as_bytes().get(start)? == &opening).then(|| skip(json, start + 1, b' '))
}

/// The place after white space and separators.
fn skip(json: &str, mut at: usize, separator: u8) -> usize {
    while let Some(byte) = json.as_bytes().get(at)
        && (*byte == separator || byte.is_ascii_whitespace())
    {
        at += 1;
    }
    at
}

/// The value that begins at `at`; None if nothing does.
fn part(json: &str, at: usize) -> Option<&str> {
    let bytes = json.as_bytes();
    let end = match bytes.get(at)? {
        b'"' => string_end(bytes, at)?,
        b'{' | b'[' => container_end(bytes, at)?,
        _ => scalar_end(bytes, at),
    };
    json.get(at..end).filter(|part| !part.is_empty())
}

fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at = next_quote_or_backslash(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The first quote or backslash from `at` on, or the end. Most of Clerk's JSON is strings, so eight bytes are looked at at once.
pub(super) fn next_quote_or_backslash(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The high bit of each byte that is zero; above the lowest such byte there may be false ones.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\')) {
        at += 1;
    }
    at
}

fn container_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| matches!(byte, b',' | b':' | b'}' | b']') || byte.is_ascii_whitespace();
    let length = bytes[start..].iter().position(is_end);
    length.map_or(bytes.len(), |length| start + length)
}

#[cfg(test)]
mod unit {
    use super::{elements, members, next_quote_or_backslash};

    fn split(json: &str) -> Option<Vec<(&str, &str)>> {
        let mut found = Vec::new();
        members(json, |name, value| found.push((name, value)))?;
        Some(found)
    }

    #[test]
    fn an_object_falls_into_its_members() {
        let json = r#" { "a" : 1 , "b\"}":[ {"c": "]\\"} , 2 ],"":{} ,"d":null,"e":"x,y" } "#;
        let parts = [
            (r#""a""#, "1"),
            (r#""b\"}""#, r#"[ {"c": "]\\"} , 2 ]"#),
            (r#""""#, "{}"),
            (r#""d""#, "null"),
            (r#""e""#, r#""x,y""#),
        ];
        assert_eq!(split(json).unwrap(), parts);
        assert_eq!(split("{ }").unwrap(), []);
        assert_eq!(split("[]"), None);
    }

    #[test]
    fn an_array_falls_into_its_elements() {
        assert_eq!(
            elements(" [1, [2,3] ,\"4,5\",{\"a\":[6]}\n]").unwrap(),
            ["1", "[2,3]", "\"4,5\"", "{\"a\":[6]}"]
        );
        assert_eq!(elements("[]").unwrap(), [""; 0]);
        assert_eq!(elements("{}"), None);
    }

    #[test]
    fn the_first_quote_or_backslash_is_found_wherever_it_is() {
        for mark in [b'"', b'\\'] {
            for length in 0..40 {
                // Neighbours of both in ASCII, and bytes with the high bit.
                let mut bytes: Vec<u8> = b"!#[]\xa2\xdc\x00\x01"
                    .iter()
                    .copied()
                    .cycle()
                    .take(length)
                    .collect();
                assert_eq!(next_quote_or_backslash(&bytes, 0), length);
                for at in 0..length {
                    let before = std::mem::replace(&mut bytes[at], mark);
                    assert_eq!(next_quote_or_backslash(&bytes, 0), at);
                    assert_eq!(next_quote_or_backslash(&bytes, at + 1), length);
                    bytes[at] = before;
                }
            }
        }
    }

    #[test]
    fn what_is_not_json_gives_no_panic() {
        for text in [
            "", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{,}", "{]", "[", "[é", "{\"\\",
            "[\"\\", "{:", "[}",
        ] {
            let _ = (split(text), elements(text));
        }
    }
}
