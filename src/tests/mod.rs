//! Tests that run inside a server, one transaction each.
