//! Moving what Postgres prints.

use super::lexemes::{Kind, Lexeme, lexemes};
use super::{Names, SCHEMA};

/// The two printings are not of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misaligned;

/// `qualified` with its names moved. It is something as Postgres prints it when the search path holds nothing but `pg_catalog`;
/// `unqualified` is the same, printed when it holds `clerk` too. A `clerk.` that is in the first and not in the second names a
/// thing in our schema; one that stays is somebody's alias, and one in a string differs only if it is an object's name
/// (`'clerk.users'::regclass`). What is not among `names` stays as it is.
///
/// # Errors
/// If the two differ in more than that.
pub fn move_printed(qualified: &str, unqualified: &str, names: &Names) -> Result<String, Misaligned> {
    let long = lexemes(qualified);
    let mut short = lexemes(unqualified)
        .into_iter()
        .filter(|piece| piece.kind != Kind::Blank)
        .peekable();
    let mut moved = String::with_capacity(qualified.len());
    let mut at = 0;
    while let Some(piece) = long.get(at).copied() {
        if piece.kind == Kind::Blank {
            moved.push_str(piece.text);
            at += 1;
            continue;
        }
        let other = short.next().ok_or(Misaligned)?;
        if piece == other {
            moved.push_str(piece.text);
            at += 1;
        } else if is_schema(&long[at..]) && long.get(at + 2) == Some(&other) {
            let name = other.name().ok_or(Misaligned)?;
            moved.push_str(if names.has(&name) { names.target() } else { SCHEMA });
            moved.push('.');
            moved.push_str(other.text);
            at += 3;
        } else {
            moved.push_str(&object_name(piece, other, names).ok_or(Misaligned)?);
            at += 1;
        }
    }
    match short.next() {
        None => Ok(moved),
        Some(_) => Err(Misaligned),
    }
}

fn is_schema(pieces: &[Lexeme]) -> bool {
    matches!(pieces, [schema, dot, ..] if schema.name().as_deref() == Some(SCHEMA) && dot.is("."))
}

/// A string that holds the name of one of our objects.
fn object_name(long: Lexeme, short: Lexeme, names: &Names) -> Option<String> {
    let inside = |piece: Lexeme<'_>| -> Option<String> {
        let text = piece.text.strip_prefix('\'')?.strip_suffix('\'')?;
        Some(text.replace("''", "'"))
    };
    let (long, short) = (inside(long)?, inside(short)?);
    if long.strip_prefix(SCHEMA)?.strip_prefix('.')? != short {
        return None;
    }
    let name = lexemes(&short).first()?.name()?;
    let schema = if names.has(&name) { names.target() } else { SCHEMA };
    let text = format!("{schema}.{short}").replace('\'', "''");
    // A backslash means itself in a plain string only while standard_conforming_strings is on.
    Some(match text.contains('\\') {
        true => format!("E'{}'", text.replace('\\', "\\\\")),
        false => format!("'{text}'"),
    })
}
