//! Moving what somebody typed: the body of a function in SQL or PL/pgSQL.

use std::collections::BTreeSet;

use super::lexemes::{Kind, Lexeme, lexemes};
use super::{Names, SCHEMA};

/// A function's body after moving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The body, with the names moved that could be.
    pub moved: String,
    /// What still means our schema, or may: each a piece of the body for a person to look at.
    pub left: Vec<String>,
}

/// Moves the names in a body. `known` says of a name whether schema `clerk` has it at all.
///
/// Moved are `clerk.function(` and `clerk.relation`, in code and in comments. Left, and told of, are our names in strings, which
/// may be a statement or a message; names that do not move; and the bare word `clerk`, which may be an alias or part of a
/// search path.
pub fn move_body(body: &str, names: &Names, known: &dyn Fn(&str) -> bool) -> Body {
    let mut moved = String::with_capacity(body.len());
    let mut left = BTreeSet::new();
    let pieces = lexemes(body);
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        match piece.kind {
            Kind::Blank => moved.push_str(&moved_comment(piece.text, names)),
            Kind::Literal if mentions(&piece.text[1..], known) => {
                left.insert(piece.text.to_owned());
                moved.push_str(piece.text);
            }
            Kind::Word if piece.name().as_deref() == Some(SCHEMA) && !follows_dot(&pieces[..at]) => {
                match Reference::read(&pieces[at..]) {
                    Some(reference) if reference.moves(names) => {
                        moved.push_str(names.target());
                        at += 1;
                        continue;
                    }
                    Some(reference) => left.insert(format!("{SCHEMA}.{}", reference.name)),
                    None => left.insert(piece.text.to_owned()),
                };
                moved.push_str(piece.text);
            }
            _ => moved.push_str(piece.text),
        }
        at += 1;
    }
    Body {
        moved,
        left: left.into_iter().collect(),
    }
}

/// `clerk.name`, perhaps called.
struct Reference {
    name: String,
    called: bool,
}

impl Reference {
    /// Reads it from its first word, which is the schema.
    fn read(pieces: &[Lexeme]) -> Option<Self> {
        let mut pieces = pieces.iter().skip(1).filter(|piece| piece.kind != Kind::Blank);
        pieces.next().filter(|piece| piece.is("."))?;
        let name = pieces.next()?.name()?;
        let called = pieces.next().is_some_and(|piece| piece.is("("));
        Some(Self { name, called })
    }

    fn moves(&self, names: &Names) -> bool {
        self.called && names.has_function(&self.name) || names.has_relation(&self.name)
    }
}

fn follows_dot(before: &[Lexeme]) -> bool {
    let last = before.iter().rev().find(|piece| piece.kind != Kind::Blank);
    last.is_some_and(|piece| piece.is("."))
}

/// Whether a text, read as SQL, names something in our schema, in a string inside it too. With a space after the dot it is prose.
fn mentions(text: &str, known: &dyn Fn(&str) -> bool) -> bool {
    let pieces = lexemes(text);
    (0..pieces.len()).any(|at| match pieces[at].kind {
        Kind::Literal => mentions(&pieces[at].text[1..], known),
        _ if pieces[at].name().as_deref() != Some(SCHEMA) || follows_dot(&pieces[..at]) => false,
        _ => match pieces.get(at + 1..at + 3) {
            Some([dot, name]) => dot.is(".") && name.name().is_some_and(|name| known(&name)),
            _ => false,
        },
    })
}

/// In a comment a name is followed by anything; it is only text.
fn moved_comment(text: &str, names: &Names) -> String {
    let mut moved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("clerk.") {
        let (before, mention) = rest.split_at(found);
        let behind = &mention[SCHEMA.len() + 1..];
        let name_length = behind
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(behind.len());
        let starts = !before.ends_with(|c: char| c.is_alphanumeric() || "_.\"/".contains(c));
        moved.push_str(before);
        moved.push_str(if starts && names.has(&behind[..name_length]) {
            names.target()
        } else {
            SCHEMA
        });
        moved.push('.');
        rest = behind;
    }
    moved + rest
}
