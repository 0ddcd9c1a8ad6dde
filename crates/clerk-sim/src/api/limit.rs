//! How much may be asked in how much time.

use std::time::Instant;

use super::error::ApiError;
use super::settings::RateLimit;

/// Counts the requests of the present window. Time is this machine's here: clients wait in it.
#[derive(Default)]
pub(super) struct Limiter {
    began: Option<Instant>,
    asked: u32,
}

impl Limiter {
    /// Counts a request, or refuses it.
    pub(super) fn count(&mut self, limit: RateLimit) -> Result<(), ApiError> {
        let now = Instant::now();
        let window = limit.window();
        let began = match self.began.filter(|began| now - *began < window) {
            Some(began) => began,
            None => {
                self.asked = 0;
                *self.began.insert(now)
            }
        };
        if self.asked < limit.requests {
            self.asked += 1;
            return Ok(());
        }
        let left = window - (now - began);
        Err(ApiError::too_many(Some(left.as_millis().div_ceil(1000) as u64)))
    }
}
