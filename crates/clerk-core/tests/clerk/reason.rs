//! The codes are Clerk's, and each is there once.

use std::collections::HashSet;

use clerk_core::{Reason, Refusal};

#[test]
fn every_code_is_clerks_spelling_of_the_variant() {
    for reason in Reason::ALL {
        let kebab: String = format!("{reason:?}")
            .chars()
            .flat_map(|c| {
                if c.is_uppercase() {
                    vec!['-', c.to_ascii_lowercase()]
                } else {
                    vec![c]
                }
            })
            .collect();
        assert_eq!(reason.as_str(), kebab.trim_start_matches('-'));
    }
    let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
}

#[test]
fn a_refusal_shows_code_and_message() {
    let refusal = Refusal::new(Reason::JwkKidMismatch, "no such key", "fetch");
    assert_eq!(refusal.to_string(), "jwk-kid-mismatch: no such key");
}
