//! Keys, trust and the workers that fetch.
