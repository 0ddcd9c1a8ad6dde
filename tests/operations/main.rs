//! Operations: keys handed over to PostgREST and its neighbours.

mod handover;
