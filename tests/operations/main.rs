//! Operations: what the database says of itself.

mod doctor;
