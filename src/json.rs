//! JSON text to jsonb, which can hold a little less than JSON.

use std::borrow::Cow;
use std::ffi::{CStr, CString};

use pgrx::direct_function_call_as_datum;
use pgrx::prelude::*;

use crate::error::Fault;

/// The bytes of a jsonb value. NUL characters, which jsonb cannot hold, become U+FFFD.
pub fn to_jsonb(json: &str) -> Box<[u8]> {
    let text = CString::new(replace_nul(json).as_bytes()).unwrap_or_default();
    // SAFETY: jsonb_in reads a NUL-terminated string and returns a varlena with a plain four-byte header.
    unsafe {
        let input = text.as_c_str().into_datum();
        let Some(datum) = direct_function_call_as_datum(pg_sys::jsonb_in, &[input]) else {
            Fault::prerequisite("claims could not be converted to jsonb", "").raise()
        };
        let value = datum.cast_mut_ptr::<pg_sys::varlena>();
        let bytes = std::slice::from_raw_parts(value.cast::<u8>(), pgrx::varlena::varsize_any(value));
        let bytes = bytes.to_vec().into_boxed_slice();
        pg_sys::pfree(value.cast());
        bytes
    }
}

/// The text of a jsonb value.
pub fn text_of(jsonb: pg_sys::Datum) -> String {
    // SAFETY: jsonb_out takes a jsonb value and returns a NUL-terminated string.
    unsafe {
        let text = direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(jsonb)]);
        text.map_or_else(String::new, |text| {
            CStr::from_ptr(text.cast_mut_ptr()).to_string_lossy().into_owned()
        })
    }
}

/// A copy of the bytes as a value, in the current memory context.
pub fn to_datum(bytes: &[u8]) -> pg_sys::Datum {
    // SAFETY: palloc gives as many bytes, aligned for any value.
    unsafe {
        let copy = pg_sys::palloc(bytes.len()).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        pg_sys::Datum::from(copy)
    }
}

/// Valid JSON in which no string holds the escape of NUL.
fn replace_nul(json: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return Cow::Borrowed(json);
    }
    let mut fit = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        fit.push_str(before);
        // An escaped backslash takes the next character with it, so that `\\u0000` stays what it is.
        let length = if escape.starts_with(NUL) {
            NUL.len()
        } else {
            2.min(escape.len())
        };
        fit.push_str(if length == NUL.len() {
            "\\ufffd"
        } else {
            &escape[..length]
        });
        rest = &escape[length..];
    }
    fit.push_str(rest);
    Cow::Owned(fit)
}

#[cfg(test)]
mod unit {
    use super::replace_nul;

    #[test]
    fn only_the_escape_of_nul_is_replaced() {
        assert_eq!(replace_nul(r#"{"a":"x\u0000y"}"#), r#"{"a":"x\ufffdy"}"#);
        assert_eq!(replace_nul(r#"{"a":"\\u0000"}"#), r#"{"a":"\\u0000"}"#);
        assert_eq!(replace_nul(r#"{"a":"\\\u0000\""}"#), r#"{"a":"\\\ufffd\""}"#);
    }
}
