//! The `Date` of an answer.

use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{ApiFault, WorldClock};

use crate::client::Scene;

/// Seconds since 1970, of a date as RFC 9110 writes it, by counting days.
fn seconds(date: &str) -> i64 {
    let parts: Vec<&str> = date.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = parts[..] else {
        panic!("{date:?} is a date");
    };
    let number = |text: &str| text.parse::<i64>().unwrap();
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = months.iter().position(|name| *name == month).unwrap();
    let mut days: i64 = (1970..number(year))
        .map(|year| 365 + i64::from(is_leap(year)))
        .sum();
    days += lengths[..month].iter().sum::<i64>() + number(day) - 1;
    days += i64::from(month > 1 && is_leap(number(year)));
    ((days * 24 + number(hour)) * 60 + number(minute)) * 60 + number(second)
}

#[test]
fn it_is_the_worlds_and_cut_off_to_the_second() {
    let scene = Scene::after(50);
    for ms in [0, 1, 400, 998, 37_123] {
        scene.clerk.world().pass(ms);
        let before = scene.clerk.world().now_ms();
        let answer = scene.get("/users");
        let after = scene.clerk.world().now_ms();
        let date = seconds(answer.header("date"));
        assert!(
            date >= before / 1_000 && date <= after / 1_000,
            "{before} {date} {after}"
        );
        assert!(after - before <= 2, "looking takes no more than a moment");
    }
}

/// No answer is as young as an event that came after it, so none outdoes one.
#[test]
fn events_that_come_later_are_later() {
    let scene = Scene::after(50);
    for _ in 0..50 {
        let date = seconds(scene.get("/users?limit=1").header("date"));
        let event = scene.clerk.world().step().remove(0);
        assert!(event.timestamp_ms > date * 1_000);
    }
}

#[test]
fn refusals_and_errors_have_it_too() {
    let scene = Scene::after(5);
    let world_seconds = || scene.clerk.world().now_ms() / 1_000;
    let refused = scene.request("/users", &[]).unwrap();
    assert_eq!(seconds(refused.header("date")), world_seconds());
    scene.clerk.api_fault(ApiFault::ServerError);
    assert_eq!(seconds(scene.get("/users").header("date")), world_seconds());
    assert_eq!(seconds(scene.get("/nowhere").header("date")), world_seconds());
    assert_eq!(scene.get("/nowhere").header("cf-ray").len(), 16);
}

#[test]
fn it_can_follow_this_machines_clock() {
    let scene = Scene::after(5);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!(seconds(scene.get("/users").header("date")) < now() - 86_400);
    for ahead_s in [0, 600] {
        scene.clerk.change_api(|api| {
            api.clock = WorldClock::Wall {
                ahead_ms: ahead_s * 1_000,
            }
        });
        let before = now();
        let date = seconds(scene.get("/users").header("date"));
        assert!(date >= before + ahead_s && date <= now() + ahead_s);
        let event = scene.clerk.world().step().remove(0);
        assert!(event.timestamp_ms >= (before + ahead_s) * 1_000, "life too");
    }
}
