//! Operations: leaving.

mod leaving;
