//! Tests make ten thousand worlds, and streams of twenty thousand events.

use std::time::Instant;

use clerk_sim::{World, WorldOptions};

use crate::life::hostile;

#[test]
fn an_event_costs_little() {
    // Generous against a busy machine: 500 and 50 microseconds are the aim.
    let most = if cfg!(debug_assertions) { 2_500 } else { 250 };
    for options in [hostile(1), WorldOptions::default()] {
        let started = Instant::now();
        let events = World::new(options).run(20_000).len() as u128;
        let cost = started.elapsed().as_micros() / events;
        println!("{cost} µs for each event");
        assert!(cost < most, "{cost} µs for each event");
    }
}

#[test]
fn a_short_history_costs_little() {
    let started = Instant::now();
    for seed in 0..1_000 {
        World::new(hostile(seed)).run(30);
    }
    let cost = started.elapsed().as_millis();
    println!("{cost} ms for 1000 histories");
    assert!(cost < 60_000, "{cost} ms");
}
