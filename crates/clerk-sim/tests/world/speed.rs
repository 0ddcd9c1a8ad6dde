//! Tests make ten thousand worlds, and streams of twenty thousand events.

use std::fs::read_to_string;

use clerk_sim::{World, WorldOptions};

use crate::life::hostile;

/// Microseconds this thread has had of a processor: other work on the machine does not count.
fn processor_us() -> u64 {
    let statistics = read_to_string("/proc/thread-self/schedstat").expect("Linux counts per thread");
    let nanoseconds: u64 = statistics.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1_000
}

#[test]
fn an_event_costs_little() {
    // The aims are 500 and 50; machines differ.
    let most = if cfg!(debug_assertions) { 1_500 } else { 150 };
    let mut events = 0;
    let started = processor_us();
    for options in [hostile(1), WorldOptions::default()] {
        events += World::new(options).run(5_000).len() as u64;
    }
    for seed in 0..200 {
        events += World::new(hostile(seed)).run(30).len() as u64;
    }
    let cost = (processor_us() - started) / events;
    println!("{cost} µs for each event");
    assert!(cost < most, "{cost} µs for each event");
}
