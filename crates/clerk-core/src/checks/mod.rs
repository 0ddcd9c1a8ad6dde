//! The checks a token must pass. Verifying and inspecting run the same tables, so they cannot disagree.

mod claim_checks;
mod criterion;
mod header_checks;
mod inspect;
mod times;
mod token_type;

pub use claim_checks::{Rules, judge_claims};
pub use criterion::Check;
pub use header_checks::judge_header;
pub use inspect::inspect;
pub use times::{DEFAULT_CLOCK_SKEW_SECONDS, Times, Validity};
pub use token_type::TokenType;
