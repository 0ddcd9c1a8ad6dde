//! What a SQL text does, without what it only says.

use super::lexemes::{Kind, lexemes};

/// The code of a text in SQL or PL/pgSQL, to be searched: its words, numbers, operators and punctuation with one space between
/// them, without comments. Words without quotes are in lower case. A string is `''`, unless its value is one of `kept`.
///
/// An operator is split into its characters: `::` is `: :`.
pub fn code(sql: &str, kept: &[String]) -> String {
    let pieces = lexemes(sql);
    let code: Vec<String> = pieces
        .iter()
        .filter_map(|piece| match piece.kind {
            Kind::Blank => None,
            Kind::Literal => {
                let value = piece.string().filter(|value| kept.contains(value));
                Some(format!("'{}'", value.unwrap_or_default().replace('\'', "''")))
            }
            Kind::Word if !piece.text.starts_with('"') => Some(piece.text.to_lowercase()),
            Kind::Word | Kind::Other => Some(piece.text.to_owned()),
        })
        .collect();
    code.join(" ")
}
