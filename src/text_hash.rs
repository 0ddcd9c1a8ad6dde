//! Postgres' own hash of a text.

unsafe extern "C" {
    /// Postgres' hash of bytes; pgrx has no binding for it.
    fn hash_bytes_extended(bytes: *const u8, length: i32, seed: u64) -> u64;
}

/// The same as SQL's `hashtextextended(text, 0)`, whatever the locale.
pub fn of(text: &str) -> i64 {
    // SAFETY: a pure function of as many bytes at the pointer.
    unsafe { hash_bytes_extended(text.as_ptr(), text.len() as i32, 0) as i64 }
}
