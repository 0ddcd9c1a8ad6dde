//! Values as they travel: what one statement gave can be handed to another, byte for byte.

use std::error::Error;

use bytes::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A value of any type in binary form; None is NULL.
#[derive(Clone, Debug)]
pub struct Raw(Option<Vec<u8>>);

impl Raw {
    /// A text, or anything else whose binary form is its text.
    pub fn text(text: &str) -> Self {
        Self(Some(text.as_bytes().to_vec()))
    }

    /// A jsonb: a version, and then its text.
    pub fn jsonb(json: &str) -> Self {
        Self(Some([b"\x01", json.as_bytes()].concat()))
    }

    /// Whether the value holds these bytes.
    pub fn contains(&self, part: &str) -> bool {
        let bytes = self.0.as_deref().unwrap_or_default();
        bytes.windows(part.len()).any(|window| window == part.as_bytes())
    }
}

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw.to_vec())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match &self.0 {
            None => IsNull::Yes,
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
