//! Tests of `clerk_core::mirror` through its public interface. Expected values follow from Clerk's documented payloads and
//! from the rules of the mirror, never from what the code answers.

mod bad_input;
mod billing_events;
mod deletions;
mod excluded;
mod fit;
mod join;
mod listed;
mod members;
mod objects;
mod organization_events;
mod other_events;
mod people;
mod properties;
mod random;
mod reading;
mod redaction;
mod samples;
mod strangers;
