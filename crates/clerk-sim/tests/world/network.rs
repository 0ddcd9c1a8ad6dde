//! What networks do to a stream.

use std::collections::{BTreeMap, BTreeSet};

use clerk_sim::{Delivery, Event, Network, World};

use crate::life::hostile;

fn events() -> Vec<Event> {
    World::new(hostile(8)).run(1_000)
}

fn arrived(deliveries: &[Delivery]) -> BTreeSet<usize> {
    deliveries.iter().map(|delivery| delivery.event).collect()
}

fn in_order(deliveries: &[Delivery]) -> bool {
    deliveries.is_sorted_by_key(|delivery| delivery.event)
}

#[test]
fn a_good_network_delivers_each_once_in_order_at_once() {
    let events = events();
    let deliveries = Network::default().deliver(&events);
    assert_eq!(deliveries.len(), events.len());
    for (index, delivery) in deliveries.iter().enumerate() {
        let at_ms = events[index].timestamp_ms;
        assert_eq!(
            *delivery,
            Delivery {
                event: index,
                attempt: 0,
                at_ms
            }
        );
    }
}

#[test]
fn a_seed_gives_one_journey() {
    let events = events();
    let network = |seed| Network {
        seed,
        loss: 0.3,
        duplicate: 0.3,
        delay_ms: 900,
        reorder: 0.3,
        burst: 0.3,
        ..Network::default()
    };
    assert_eq!(network(1).deliver(&events), network(1).deliver(&events));
    assert_ne!(network(1).deliver(&events), network(2).deliver(&events));
    assert!(
        network(1)
            .deliver(&events)
            .is_sorted_by_key(|delivery| delivery.at_ms)
    );
}

#[test]
fn what_is_lost_comes_later_as_svix_tries_again() {
    let events = events();
    let deliveries = Network {
        loss: 0.5,
        ..Network::default()
    }
    .deliver(&events);
    assert_eq!(deliveries.len(), events.len(), "each once");
    assert_eq!(arrived(&deliveries).len(), events.len());
    let second: Vec<_> = deliveries
        .iter()
        .filter(|delivery| delivery.attempt == 1)
        .collect();
    assert!(second.len() > 150);
    for delivery in second {
        assert_eq!(delivery.at_ms, events[delivery.event].timestamp_ms + 5_000);
    }

    let deliveries = Network {
        loss: 1.0,
        ..Network::default()
    }
    .deliver(&events);
    let day = 27 * 3_600_000 + 35 * 60_000 + 5_000;
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.at_ms == events[delivery.event].timestamp_ms + day)
    );
}

#[test]
fn what_is_dropped_for_good_never_comes() {
    let events = events();
    let deliveries = Network {
        drop_for_good: 0.2,
        duplicate: 0.5,
        ..Network::default()
    }
    .deliver(&events);
    let arrived = arrived(&deliveries).len();
    assert!((700..900).contains(&arrived), "{arrived}");
}

#[test]
fn duplicates_come_at_once_and_later() {
    let events = events();
    let deliveries = Network {
        duplicate: 0.4,
        delay_ms: 50,
        ..Network::default()
    }
    .deliver(&events);
    assert_eq!(arrived(&deliveries).len(), events.len());
    let mut attempts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for delivery in &deliveries {
        attempts.entry(delivery.event).or_default().push(delivery.attempt);
    }
    let with = |expected: &[usize]| attempts.values().filter(|attempts| *attempts == expected).count();
    assert!(with(&[0]) > 500 && with(&[0, 0]) > 100 && with(&[0, 1]) > 50);
}

#[test]
fn delay_reordering_and_bursts() {
    let events = events();
    let late = Network {
        delay_ms: 30,
        ..Network::default()
    }
    .deliver(&events);
    assert!(
        late.iter()
            .all(|delivery| (0..=30).contains(&(delivery.at_ms - events[delivery.event].timestamp_ms)))
    );

    let mixed = Network {
        reorder: 0.3,
        ..Network::default()
    }
    .deliver(&events);
    assert!(!in_order(&mixed) && mixed.len() == events.len());

    let held = Network {
        burst: 1.0,
        ..Network::default()
    }
    .deliver(&events);
    assert!(held.iter().all(|delivery| delivery.at_ms % 10_000 == 0));
    assert!(!in_order(&held) && held.len() == events.len());
}
