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
/// With `once`, a call of a moved function that does not depend on a row is put into a sub-select, which Postgres works out once
/// for a statement: the moved function may cost more than ours. Only where sub-selects are allowed, as in a policy.
///
/// # Errors
/// If the two differ in more than that.
pub fn move_printed(
    qualified: &str,
    unqualified: &str,
    names: &Names,
    once: bool,
) -> Result<String, Misaligned> {
    let long = lexemes(qualified);
    let mut short = lexemes(unqualified)
        .into_iter()
        .filter(|piece| piece.kind != Kind::Blank)
        .peekable();
    let mut moved = String::with_capacity(qualified.len());
    let mut at = 0;
    let mut closes = None;
    while let Some(piece) = long.get(at).copied() {
        if piece.kind == Kind::Blank {
            moved.push_str(piece.text);
            at += 1;
            continue;
        }
        let other = short.next().ok_or(Misaligned)?;
        if piece == other {
            moved.push_str(piece.text);
            if closes == Some(at) {
                moved.push(')');
            }
            at += 1;
        } else if is_schema(&long[at..]) && long.get(at + 2) == Some(&other) {
            let name = other.name().ok_or(Misaligned)?;
            if once && names.has_function(&name) && !is_selected(&long[..at]) {
                closes = end_of_constant_call(&long, at + 3);
                moved.push_str(if closes.is_some() { "(SELECT " } else { "" });
            }
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

fn is_selected(before: &[Lexeme]) -> bool {
    let last = before.iter().rev().find(|piece| piece.kind != Kind::Blank);
    last.and_then(Lexeme::name).as_deref() == Some("select")
}

/// Where the call ends whose arguments begin at `opening`, if all of them are constants: there is no name among them but those of
/// types and arguments.
fn end_of_constant_call(pieces: &[Lexeme], opening: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for at in opening..pieces.len() {
        let (before, piece, after) = (&pieces[..at], pieces[at], &pieces[at + 1..]);
        match piece.text {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return piece.is(")").then_some(at);
        }
        let is_type = matches!(before, [.., first, second] if first.is(":") && second.is(":"));
        let names_argument = matches!(after, [blank, first, second, ..]
            if blank.kind == Kind::Blank && first.is("=") && second.is(">"));
        let is_constant = piece
            .name()
            .is_none_or(|name| ["null", "true", "false", "array", "variadic"].contains(&name.as_str()));
        if !(is_constant || is_type || names_argument) {
            return None;
        }
    }
    None
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
