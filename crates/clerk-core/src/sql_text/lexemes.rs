//! SQL cut into pieces, as Postgres' scanner cuts it where it matters here: what is a name, and what only looks like one.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a key word, in quotes or not.
    Word,
    /// A string, of whatever kind, with its quotes.
    Literal,
    /// A comment, or what separates pieces.
    Blank,
    /// A number, an operator, punctuation: one character.
    Other,
}

/// A piece of SQL. The pieces of a text make up the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lexeme<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Lexeme<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        self.kind == Kind::Other && self.text == text
    }

    /// The value of a string, without escapes being read; None for anything else.
    pub(super) fn string(&self) -> Option<String> {
        if self.kind != Kind::Literal {
            return None;
        }
        let quotes = |c| c == '\'' || c == '$';
        let opening = self.text.find(quotes)?;
        let text = &self.text[opening..];
        if let Some(inside) = text.strip_prefix('\'') {
            return Some(inside.strip_suffix('\'').unwrap_or(inside).replace("''", "'"));
        }
        let delimiter = &text[..=1 + text[1..].find('$')?];
        let inside = &text[delimiter.len()..];
        Some(inside.strip_suffix(delimiter).unwrap_or(inside).to_owned())
    }

    /// The name that a word means: folded to lower case, or what is in its quotes.
    pub(super) fn name(&self) -> Option<String> {
        if self.kind != Kind::Word {
            return None;
        }
        match self
            .text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(quoted) => Some(quoted.replace("\"\"", "\"")),
            None => Some(self.text.to_lowercase()),
        }
    }
}

/// Cuts a text. Where quotes or comments do not end, the rest is one piece.
pub(super) fn lexemes(sql: &str) -> Vec<Lexeme<'_>> {
    let mut pieces = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = piece(rest, first);
        let (text, behind) = rest.split_at(length);
        pieces.push(Lexeme { kind, text });
        rest = behind;
    }
    pieces
}

fn piece(rest: &str, first: char) -> (Kind, usize) {
    match first {
        '\'' => (Kind::Literal, quoted_length(rest, '\'', false)),
        'e' | 'E' if rest[1..].starts_with('\'') => {
            (Kind::Literal, 1 + quoted_length(&rest[1..], '\'', true))
        }
        '"' => (Kind::Word, quoted_length(rest, '"', false)),
        '$' => match dollar_quoted_length(rest) {
            Some(length) => (Kind::Literal, length),
            None => (Kind::Other, 1),
        },
        '-' if rest.starts_with("--") => (Kind::Blank, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (Kind::Blank, comment_length(rest)),
        first if first.is_whitespace() => (Kind::Blank, length_while(rest, char::is_whitespace)),
        first if begins_word(first) => (Kind::Word, length_while(rest, continues_word)),
        // A number keeps the letters behind it, so that no name begins in its middle.
        first if first.is_ascii_digit() => (Kind::Other, length_while(rest, continues_word)),
        first => (Kind::Other, first.len_utf8()),
    }
}

fn begins_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn continues_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit() || c == '$'
}

fn length_while(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Up to the closing quote. A quote inside is doubled, or in an escape string also behind a backslash.
fn quoted_length(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((index, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return index + 1;
        }
    }
    text.len()
}

/// `$tag$ … $tag$`; None if the dollar begins no such string.
fn dollar_quoted_length(text: &str) -> Option<usize> {
    let tag = 1 + length_while(&text[1..], |c| c != '$' && continues_word(c));
    let inside = &text[tag..];
    if !inside.starts_with('$') || text[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let delimiter = &text[..=tag];
    let body = &text[delimiter.len()..];
    Some(match body.find(delimiter) {
        Some(end) => delimiter.len() + end + delimiter.len(),
        None => text.len(),
    })
}

/// Comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}
