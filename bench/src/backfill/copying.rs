//! Pages joined into the mirror, beside `COPY` of the rows they become.

use std::time::Duration;

use super::crowd::{self, PAGE, Pages};
use crate::mirror::raw::Raw;
use crate::mirror::rows::Copied;
use crate::mirror::{cpu, floor};
use crate::page::{Goal, Page, times};
use crate::rounds::{median, ratio, time};
use crate::server::Server;

const ROUNDS: usize = 40;

/// Adds the section to the page.
pub fn measure(server: &Server, page: &mut Page) {
    let clerk = crowd::start((PAGE * (ROUNDS + 2)) as u64);
    let mut client = crowd::prepare(server, "copying", &clerk);
    floor::prepare(&mut client);
    let mut prepare = |text: &str| client.prepare(text).expect("the extension is there");
    let apply = prepare("SELECT clerk.apply_objects('users', $1, now())");
    let pass = prepare("SELECT jsonb_typeof($1), $1::text");
    let pid = cpu::backend(&mut client);

    let mut pages = Pages::of(&clerk);
    let mut samples = [const { Vec::new() }; 3];
    // The first round plans statements and fills caches.
    for round in 0..=ROUNDS {
        let text = pages.next();
        let ids = crowd::ids(&text);
        pages.go_on_after(&ids);
        let objects = Raw::jsonb(&text);
        let mut cost = |work: &mut dyn FnMut(&mut postgres::Client)| {
            let before = cpu::used(pid);
            let wall = time(|| work(&mut client));
            (wall, cpu::used(pid) - before)
        };
        let applied = cost(&mut |client| {
            let answer: Raw = client
                .query_one(&apply, &[&objects])
                .expect("a page can be applied")
                .get(0);
            assert!(answer.contains(&format!(r#""applied": {PAGE}"#)), "{answer:?}");
        });
        // What only this way of handing a page over costs: a worker has it as text.
        let passed = cost(&mut |client| {
            client.query_one(&pass, &[&objects]).expect("it is JSON");
        });
        let rows = Copied::out(&mut client, "users", "id", &ids);
        let before = cpu::used(pid);
        let wall = time(|| rows.write_floor(&mut client));
        let copied = (wall, cpu::used(pid) - before);
        if round > 0 {
            for (samples, sample) in samples.iter_mut().zip([applied, passed, copied]) {
                samples.push(sample);
            }
        }
    }
    report(page, samples);
}

fn report(page: &mut Page, samples: [Vec<(Duration, Duration)>; 3]) {
    let medians = samples.map(|samples| {
        let (walls, used): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        (median(walls), median(used))
    });
    let [applied, passed, copied] = medians;
    let in_a_worker = (
        applied.0.saturating_sub(passed.0),
        applied.1.saturating_sub(passed.1),
    );
    page.heading("Pages of the Backend API");
    page.text(&format!(
        "Pages of {PAGE} new users of 3 KB in one backend, each in a transaction: parsed, cut to what is kept, and joined by \
         `apply_objects`; beside it `COPY` of the very rows they became into a table made `LIKE … INCLUDING ALL`, also {PAGE} at a \
         time, also in that backend. `apply_objects` takes jsonb, which costs it the third row: that the server reads the argument as \
         jsonb and writes it out as text; a worker, which has the page as text, does not pay it. Medians of {ROUNDS} pages."
    ));
    let row = |what: &str, (wall, used): (Duration, Duration)| {
        [
            what.to_owned(),
            format!("{:.0}", PAGE as f64 / wall.as_secs_f64()),
            format!("{:.1}", used.as_secs_f64() * 1e6 / PAGE as f64),
            times(ratio(used, copied.1)),
        ]
    };
    page.table(
        ["", "rows per second", "µs of CPU per row", "CPU, ratio"],
        [
            row("`apply_objects`", applied),
            row("the same less its argument: a worker's part", in_a_worker),
            row("the argument, jsonb in and text out", passed),
            row("`COPY`", copied),
        ],
    );
    page.goal(Goal::at_least(
        "pages joined, as a worker has them, against `COPY` of their rows, in rows per second of CPU",
        ratio(copied.1, in_a_worker.1),
        0.6,
        "×",
    ));
}
