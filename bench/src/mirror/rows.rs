//! Events in bulk, beside `COPY` of the rows they end in.

use std::io::{Read, Write};
use std::time::Duration;

use postgres::Client;

use super::floor;
use super::raw::Raw;
use super::site::Site;
use super::stream::{Delivery, array_of};
use crate::page::{Page, times};
use crate::rounds::{median, ratio, time};
use crate::server::Server;

const ROUNDS: usize = 21;
const BATCH: usize = 500;

/// Rows of one table as `COPY` writes and reads them.
pub struct Copied {
    table: &'static str,
    columns: String,
    rows: Vec<u8>,
}

impl Copied {
    /// The rows whose `key` is one of `values`.
    pub fn out(client: &mut Client, table: &'static str, key: &str, values: &[String]) -> Self {
        let columns = floor::columns(client, table).join(", ");
        let list = values.join("', '");
        let query = format!("COPY (SELECT {columns} FROM clerk.{table} WHERE {key} IN ('{list}')) TO STDOUT");
        let mut rows = Vec::new();
        client
            .copy_out(&query)
            .expect("rows can be copied")
            .read_to_end(&mut rows)
            .expect("they are sent");
        Self { table, columns, rows }
    }

    pub fn write_floor(&self, client: &mut Client) {
        let query = format!("COPY floor.{} ({}) FROM STDIN", self.table, self.columns);
        let mut writer = client.copy_in(&query).expect("the columns are the same");
        writer.write_all(&self.rows).expect("the server takes them");
        writer.finish().expect("the rows are new");
    }
}

/// Adds the section to the page.
pub fn measure(server: &Server, page: &mut Page) {
    let site = Site::prepare(server, "bulk");
    let (mut client, mut copier) = (site.connect(), site.connect());
    floor::prepare(&mut client);
    let apply = client
        .prepare("SELECT clerk.apply_events($1)")
        .expect("the extension is there");
    let mut stream = site.stream(300, (ROUNDS + 1) * BATCH, |event_type| {
        event_type == "user.created"
    });

    let mut samples = [const { Vec::new() }; 3];
    // The first round fills caches.
    for round in 0..=ROUNDS {
        let batch = stream.take(BATCH);
        let events = Raw::jsonb(&array_of(batch.iter().map(|delivery| &delivery.event)));
        let applied = time(|| {
            let answer: Raw = client
                .query_one(&apply, &[&events])
                .expect("events can be applied")
                .get(0);
            assert!(answer.contains(&format!(r#""applied": {BATCH}"#)), "{answer:?}");
        });
        let ids: Vec<String> = batch.iter().map(user_id).collect();
        let svix_ids: Vec<String> = batch
            .iter()
            .map(|delivery| delivery.event.svix_id.clone())
            .collect();
        let users = Copied::out(&mut copier, "users", "id", &ids);
        let ledger = Copied::out(&mut copier, "webhook_events", "svix_id", &svix_ids);
        let copied_users = time(|| users.write_floor(&mut copier));
        let copied_ledger = time(|| ledger.write_floor(&mut copier));
        if round > 0 {
            for (samples, sample) in
                samples
                    .iter_mut()
                    .zip([applied, copied_users, copied_users + copied_ledger])
            {
                samples.push(sample);
            }
        }
    }
    report(page, samples.map(median));
}

fn user_id(delivery: &Delivery) -> String {
    let envelope = delivery.event.envelope();
    envelope["data"]["id"]
        .as_str()
        .expect("a user has an id")
        .to_owned()
}

fn report(page: &mut Page, medians: [Duration; 3]) {
    page.heading("Events in bulk");
    page.text(&format!(
        "`apply_events` with {BATCH} new `user.created` in one call, which writes the users and as many rows of the ledger; and \
         `COPY` of the very rows it wrote into tables made `LIKE … INCLUDING ALL`. `COPY` has nothing to parse, judge, redact or \
         join. Medians of {ROUNDS} rounds."
    ));
    let [applied, users, both] = medians;
    let row = |what: &str, duration: Duration| {
        [
            what.to_owned(),
            format!("{:.0}", BATCH as f64 / duration.as_secs_f64()),
            times(ratio(duration, both)),
        ]
    };
    page.table(
        ["", "events per second", "time"],
        [
            row("`apply_events`", applied),
            row("`COPY` of users and ledger", both),
            row("`COPY` of users alone", users),
        ],
    );
}
