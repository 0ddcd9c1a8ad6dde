//! Whatever a list does while it is read, no row that was there all the time is passed over, and the walk ends.

use std::collections::HashSet;

use clerk_core::backend_api::{Listing, Walk};
use clerk_core::mirror::Resource;
use proptest::prelude::*;

use crate::list_of_clerk::{ClerkList, Row, Ties, array, row, take};

fn walk_of(resource: Resource) -> Walk {
    Walk::new(Listing::all(resource).expect("it has a list"))
}

/// Reads to the end; `change` is called after every request.
fn read(walk: &mut Walk, list: &mut ClerkList, mut change: impl FnMut(&mut ClerkList, u32)) -> Vec<String> {
    let mut seen = Vec::new();
    while !walk.is_done() {
        let page = if walk.listing().path() == "/users" {
            if walk.wants_count() {
                walk.count(list.rows.len() as u64, 0);
            }
            let Some(body) = list.users(&walk.query()) else {
                if walk.refuse_cursor() {
                    continue;
                }
                // Every cursor that it knew was deleted, again and again: it gives up.
                break;
            };
            take(walk, &body)
        } else {
            let body = list.page(&walk.query());
            take(walk, &body)
        };
        seen.extend(page.expect("the list can be read"));
        // As another process would go on.
        *walk = Walk::resume(walk.listing().clone(), &walk.position());
        change(list, list.requests);
    }
    seen
}

fn ids(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

#[test]
fn every_row_of_a_quiet_list_is_seen_by_cursor() {
    for count in [0, 1, 499, 500, 501, 1000, 1234] {
        let (mut list, mut walk) = (ClerkList::of(count), walk_of(Resource::Users));
        let mut seen = read(&mut walk, &mut list, |_, _| ());
        // The last of each page comes again, because others of its time may follow.
        seen.dedup();
        assert_eq!(seen, ids(&list.rows), "{count} users");
        assert!(walk.is_complete());
        assert_eq!((walk.seen(), walk.total()), (count as u64, Some(count as u64)));
        assert!(
            i64::from(list.requests) <= count / 499 + 1,
            "{} requests for {count}",
            list.requests
        );
    }
}

#[test]
fn every_row_of_a_quiet_list_is_seen_by_offset() {
    for count in [0, 1, 9, 10, 11, 499, 500, 501, 1234] {
        let (mut list, mut walk) = (ClerkList::of(count), walk_of(Resource::Organizations));
        let seen: HashSet<_> = read(&mut walk, &mut list, |_, _| ()).into_iter().collect();
        assert_eq!(seen, ids(&list.rows).into_iter().collect(), "{count} rows");
        assert!(walk.is_complete());
        assert_eq!((walk.seen(), walk.total()), (count as u64, Some(count as u64)));
        assert!(
            i64::from(list.requests) <= count / 490 + 1,
            "{} requests for {count}",
            list.requests
        );
    }
}

#[test]
fn deleted_rows_make_no_later_ones_disappear() {
    // More at once than pages overlap, so that the walk must step back; from the front, where they move everything.
    for deleted in [1, 9, 10, 11, 300, 700] {
        let (mut list, mut walk) = (ClerkList::of(5_000), walk_of(Resource::OrganizationMemberships));
        let mut gone = HashSet::new();
        let seen: HashSet<_> = read(&mut walk, &mut list, |list, request| {
            if request % 2 == 0 {
                gone.extend(ids(&list.rows[..deleted.min(list.rows.len() / 2)]));
                list.rows.drain(..deleted.min(list.rows.len() / 2));
            }
        })
        .into_iter()
        .collect();
        let missed: Vec<_> = ids(&list.rows)
            .into_iter()
            .filter(|id| !seen.contains(id))
            .collect();
        assert_eq!(missed, Vec::<String>::new(), "{deleted} deleted at a time");
        assert!(walk.is_complete());
    }
}

#[test]
fn rows_that_are_sorted_by_the_same_time_are_all_seen() {
    // An import makes many in the same millisecond.
    let (mut list, mut walk) = (ClerkList::of(2_000), walk_of(Resource::Organizations));
    for row in &mut list.rows {
        row.created_at = 1_700_000_000_000 + i64::from(row.created_at % 1000 > 600);
    }
    list.rows.sort();
    let seen: HashSet<_> = read(&mut walk, &mut list, |list, request| {
        if request == 2 {
            list.rows.drain(..30);
        }
    })
    .into_iter()
    .collect();
    assert!(list.rows.iter().all(|row| seen.contains(&row.id)));
    assert!(walk.is_complete());
}

#[test]
fn rows_of_one_time_that_change_places_are_all_seen() {
    for (resource, ties) in [
        (Resource::Organizations, Ties::Shuffled),
        (Resource::Users, Ties::Shuffled),
        (Resource::Users, Ties::BehindTheCursor),
    ] {
        for of_one_time in [2, 3, 17, 150, 400] {
            let (mut list, mut walk) = (ClerkList::of(2_881), walk_of(resource));
            list.ties = ties;
            for (at, row) in list.rows.iter_mut().enumerate() {
                row.created_at = 1_700_000_000_000 + (at / of_one_time) as i64;
            }
            let seen: HashSet<_> = read(&mut walk, &mut list, |_, _| ()).into_iter().collect();
            let lost = list.rows.iter().filter(|row| !seen.contains(&row.id)).count();
            assert_eq!(lost, 0, "{resource:?}, {ties:?}, {of_one_time} of one time");
            assert!(walk.is_complete());
            // Of more than a page can show again some are counted twice.
            assert!(if of_one_time < 20 {
                walk.seen() == 2_881
            } else {
                walk.seen() >= 2_881
            });
        }
    }
}

#[test]
fn the_newest_are_read_first_without_passing_over_any() {
    let listing = Listing::newest_first(Resource::Users).expect("it has a list");
    let (mut list, mut walk) = (ClerkList::of(3_000), Walk::new(listing));
    let mut edges = Vec::new();
    let mut seen = HashSet::new();
    while !walk.is_done() {
        if walk.wants_count() {
            walk.count(list.rows.len() as u64, 0);
        }
        let body = list.users(&walk.query()).expect("there is no cursor");
        seen.extend(take(&mut walk, &body).expect("the list can be read"));
        edges.extend(walk.edge());
        // Some change and move to the front; some go.
        let oldest = list.rows.remove(100);
        list.rows.push(Row {
            created_at: 1_800_000_000_000 + i64::from(list.requests),
            ..oldest
        });
        list.rows.drain(list.rows.len() - 40..list.rows.len() - 20);
    }
    assert!(edges.is_sorted_by(|one, other| one >= other), "{edges:?}");
    let old = list.rows.iter().filter(|row| row.created_at < 1_800_000_000_000);
    assert!(old.into_iter().all(|row| seen.contains(&row.id)));
}

#[test]
fn a_user_that_was_deleted_is_no_cursor_any_more() {
    let (mut list, mut walk) = (ClerkList::of(2_000), walk_of(Resource::Users));
    let seen = read(&mut walk, &mut list, |list, request| {
        if request == 1 {
            list.rows.drain(497..500);
        }
    });
    assert!(list.rows.iter().all(|row| seen.contains(&row.id)));
    assert!(walk.is_complete());
    // All that were kept: from the beginning, once and again, and not for ever.
    let (mut list, mut walk) = (ClerkList::of(2_000), walk_of(Resource::Users));
    let seen = read(&mut walk, &mut list, |list, request| {
        if request == 1 {
            list.rows.drain(490..500);
        }
    });
    assert!(list.rows.iter().all(|row| seen.contains(&row.id)));
    let mut walk = walk_of(Resource::Users);
    let mut restarts = 0;
    loop {
        let _ = take(&mut walk, &array(&ClerkList::of(500).rows));
        let mut is_patient = true;
        for _ in 0..10 {
            is_patient = walk.refuse_cursor();
        }
        if !is_patient {
            break;
        }
        restarts += 1;
    }
    assert_eq!(restarts, 2);
}

#[test]
fn a_page_that_comes_again_is_asked_for_again() {
    for resource in [Resource::Users, Resource::Organizations] {
        let (mut list, mut walk) = (ClerkList::of(1_500), walk_of(resource));
        let mut answers = 0;
        let mut last = String::new();
        let mut seen = HashSet::new();
        while !walk.is_done() {
            if walk.wants_count() {
                walk.count(1_500, 0);
            }
            let query = walk.query();
            answers += 1;
            // Every other answer is the one before.
            if answers % 2 == 1 {
                last = if resource == Resource::Users {
                    list.users(&query).expect("the cursor is known")
                } else {
                    list.page(&query)
                };
            }
            seen.extend(take(&mut walk, &last).expect("the walk goes on"));
        }
        assert_eq!(seen.len(), 1_500);
        assert!(walk.is_complete(), "{resource:?}");
    }
}

#[test]
fn a_list_that_goes_round_is_given_up() {
    let rows = |page: i64| (page * 500..page * 500 + 500).map(row).collect::<Vec<_>>();
    // Behind the last row of the last page comes the first page again; or the cursor counts for nothing.
    for circle in [1, 3, 7] {
        let mut walk = walk_of(Resource::Users);
        walk.count(1_000_000, 0);
        let end = (0..100).find_map(|_| {
            let cursor = walk
                .query()
                .into_iter()
                .find(|(name, _)| *name == "starting_after");
            let page =
                (0..circle).find(|page| cursor.as_ref().is_some_and(|(_, id)| *id == rows(*page)[498].id));
            take(
                &mut walk,
                &array(&rows(page.map_or(0, |page| (page + 1) % circle))),
            )
            .err()
        });
        assert_eq!(end, Some("the same page comes again and again"), "{circle} pages");
        assert!(!walk.is_complete());
    }
    // The offset counts for nothing.
    let mut walk = walk_of(Resource::Organizations);
    let body = format!(r#"{{"data": {}, "total_count": 9000}}"#, array(&rows(0)));
    let end = (0..100).find_map(|_| take(&mut walk, &body).err());
    assert_eq!(end, Some("the same page comes again and again"));
    // Pages come in turn, whatever is asked for, and nothing says that they go back in time.
    let mut walk = walk_of(Resource::Users);
    walk.count(1_500, 0);
    let timeless = |page| array(&rows(page)).replace("created_at", "made_at");
    let end = (0..1_000).find_map(|answer| take(&mut walk, &timeless(answer % 3)).err());
    assert_eq!(
        end,
        Some("it goes on far beyond the number of rows that Clerk counts")
    );
}

#[test]
fn an_empty_or_short_answer_is_not_the_end() {
    let (mut list, mut walk) = (ClerkList::of(2_600), walk_of(Resource::Users));
    let mut seen = HashSet::new();
    let mut answers = 0;
    while !walk.is_done() {
        if walk.wants_count() {
            walk.count(2_600, 0);
        }
        answers += 1;
        let query = walk.query();
        let body = match answers % 4 {
            2 => "[]".to_owned(),
            3 => {
                let body = list.users(&query).expect("the cursor is known");
                let cut = body
                    .match_indices("},{")
                    .nth(5)
                    .map_or(body.len() - 1, |(at, _)| at + 1);
                format!("{}]", &body[..cut])
            }
            _ => list.users(&query).expect("the cursor is known"),
        };
        seen.extend(take(&mut walk, &body).expect("the list can be read"));
    }
    assert_eq!(seen.len(), 2_600);
    assert!(walk.is_complete());
}

#[test]
fn fewer_rows_than_clerk_counts_are_not_all() {
    for resource in [Resource::Users, Resource::Organizations] {
        let mut walk = walk_of(resource);
        let mut answers = 0;
        while !walk.is_done() {
            answers += 1;
            assert!(answers < 20, "{resource:?}");
            if walk.wants_count() {
                walk.count(700, 0);
            }
            let body = if resource == Resource::Users {
                "[]"
            } else {
                r#"{"data": [], "total_count": 700}"#
            };
            assert_eq!(take(&mut walk, body), Ok(Vec::new()));
        }
        assert!(!walk.is_complete(), "{resource:?}");
    }
}

#[test]
fn invitations_are_read_with_and_without_the_revoked_ones() {
    let mut walk = walk_of(Resource::Invitations);
    let mut queries = Vec::new();
    while !walk.is_done() {
        let query = walk.query();
        let revoked = query.contains(&("status", "revoked".to_owned()));
        queries.push(revoked);
        let rows = if revoked {
            vec![row(7)]
        } else {
            vec![row(1), row(2)]
        };
        let body = format!(r#"{{"data": {}, "total_count": {}}}"#, array(&rows), rows.len());
        take(&mut walk, &body).expect("the list can be read");
    }
    assert_eq!(queries, [false, true]);
    assert_eq!((walk.seen(), walk.is_complete()), (3, true));
}

#[test]
fn less_is_asked_for_after_an_answer_that_was_too_large() {
    let mut walk = walk_of(Resource::Organizations);
    let limit = |walk: &Walk| {
        walk.query()
            .into_iter()
            .find(|(name, _)| *name == "limit")
            .map(|(_, value)| value)
    };
    for expected in ["250", "125", "62", "31", "15", "7", "3", "2"] {
        assert!(walk.shrink());
        assert_eq!(limit(&walk).as_deref(), Some(expected));
    }
    assert!(!walk.shrink());
    // Two rows at a time it still gets on.
    let mut list = ClerkList::of(30);
    let seen: HashSet<_> = read(&mut walk, &mut list, |_, _| ()).into_iter().collect();
    assert_eq!(seen.len(), 30);
}

#[test]
fn a_position_that_makes_no_sense_is_the_beginning() {
    for position in [
        "null",
        "[]",
        r#"{"limit": 0}"#,
        r#"{"limit": 5000}"#,
        r#"{"round": 9}"#,
        r#"{"tail": "x"}"#,
    ] {
        let position = serde_json::from_str(position).expect("it is JSON");
        let walk = Walk::resume(Listing::all(Resource::Roles).expect("it has a list"), &position);
        assert_eq!(walk.query(), walk_of(Resource::Roles).query());
        assert!(!walk.is_done());
    }
}

#[test]
fn what_is_no_list_is_named() {
    let walk = walk_of(Resource::Users);
    for (body, words) in [
        ("", "no JSON but nothing else"),
        ("<!DOCTYPE html><title>x</title>", "no JSON but a page in HTML"),
        ("busy", "no JSON but the text \"busy\""),
        ("{}", "no list: missing field `data`"),
        (r#"{"errors": []}"#, "no list: missing field `data`"),
        (r#"{"data": 1}"#, "no list of objects with ids"),
        (r#"{"data": [], "total"#, "no list: EOF"),
        ("[{}]", "missing field `id`"),
        (r#"[{"id": 7}]"#, "no list of objects with ids"),
        (r#"[{"id": "a"}"#, "no list of objects with ids: EOF"),
        ("[7]", "no list of objects with ids"),
    ] {
        let error = walk.read(body).expect_err(body);
        assert!(error.contains(words), "{body}: {error}");
    }
    let body = r#" {"total_count": 2, "data": [{"id": "a"}, {"id": "b\u00e9"}], "x": 1} "#;
    let answered = walk.read(body).expect("it is a list");
    assert_eq!(
        &body[answered.objects.clone()],
        r#"[{"id": "a"}, {"id": "b\u00e9"}]"#
    );
    assert_eq!(answered.into_ids(), ["a", "bé"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Rows come and go at random between pages; those that stay are seen, each way of walking.
    #[test]
    fn no_row_that_stays_is_passed_over(
        count in 0i64..2_500,
        changes in prop::collection::vec((0usize..3, 0usize..3_000, 0usize..400), 0..40),
        by_cursor in any::<bool>(),
    ) {
        let mut list = ClerkList::of(count);
        let mut walk = walk_of(if by_cursor { Resource::Users } else { Resource::OrganizationMemberships });
        let stay: HashSet<_> = {
            let mut changes = changes.iter();
            let mut next = count;
            let seen: HashSet<_> = read(&mut walk, &mut list, |list, _| {
                let Some((kind, at, many)) = changes.next() else { return };
                let at = at % list.rows.len().max(1);
                match kind {
                    0 => drop(list.rows.drain(at.min(list.rows.len())..(at + many).min(list.rows.len()))),
                    _ => {
                        list.rows.extend((next..next + *many as i64).map(row));
                        next += *many as i64;
                    }
                }
            })
            .into_iter()
            .collect();
            prop_assume!(walk.is_done());
            list.rows.iter().filter(|row| row.created_at < 1_700_000_000_000 + count && !seen.contains(&row.id)).map(|row| row.id.clone()).collect()
        };
        prop_assert_eq!(stay, HashSet::new());
    }
}
