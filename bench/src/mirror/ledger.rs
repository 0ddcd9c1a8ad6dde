//! Whether a webhook costs more when many have come before it.

use postgres::Client;

use super::receiving::{Cost, Receiver};
use super::site::Site;
use crate::page::{Goal, Page, times};
use crate::rounds::ratio;
use crate::server::Server;

const ROUNDS: usize = 21;
const EVENTS: usize = 200;
/// Deliveries after the ledger was emptied, until statements are planned again.
const WARM_UP: usize = 20;
const FEW: i64 = 10;
const MANY: i64 = 5_000_000;

/// Adds the section to the page.
pub fn measure(server: &Server, page: &mut Page) {
    let few = Site::prepare(server, "few");
    let many = Site::prepare_with(server, "many", few.secret());
    let (mut in_few, mut in_many) = (few.connect(), many.connect());
    fill(&mut in_many, MANY);
    let size: String = in_many
        .query_one(
            "SELECT pg_size_pretty(pg_total_relation_size('clerk.webhook_events'))",
            &[],
        )
        .expect("a table has a size")
        .get(0);
    for settle in ["VACUUM (ANALYZE) clerk.webhook_events", "CHECKPOINT"] {
        in_many.batch_execute(settle).expect("the table is nobody else's");
    }

    let mut receivers = [few.connect(), many.connect()].map(Receiver::new);
    let mut samples = [const { Vec::new() }; 2];
    let per_round = WARM_UP + EVENTS;
    let mut stream = few.stream(400, ROUNDS * per_round, |event_type| event_type == "user.created");
    for _ in 0..ROUNDS {
        in_few
            .batch_execute("TRUNCATE clerk.webhook_events")
            .expect("it can be emptied");
        fill(&mut in_few, FEW);
        let (warm_up, batch) = (stream.take(WARM_UP), stream.take(EVENTS));
        for (receiver, samples) in receivers.iter_mut().zip(&mut samples) {
            receiver.receive_all(&warm_up);
            samples.push(receiver.receive_all(&batch));
        }
    }

    let [few, many] = samples.map(|samples| Cost::median(&samples));
    page.heading("Size of the ledger");
    page.text(&format!(
        "`receive_webhook` with new users into a ledger of {FEW} rows, emptied before each round, and into one of {MANY} ({size}, \
         payloads of the last third, the others pruned). Medians of {ROUNDS} rounds of {EVENTS} events at one connection."
    ));
    let row = |what: &str, cost: Cost| {
        let [wall, cpu] = [cost.wall, cost.cpu].map(|time| format!("{:.0}", time.as_secs_f64() * 1e6));
        [what.to_owned(), wall, cpu, times(ratio(cost.wall, few.wall))]
    };
    page.table(
        ["rows in the ledger", "µs", "µs of CPU", "ratio"],
        [row(&FEW.to_string(), few), row(&MANY.to_string(), many)],
    );
    page.goal(Goal::at_most(
        "`receive_webhook` with 5 million events in the ledger against 10",
        ratio(many.wall, few.wall),
        1.25,
        "×",
    ));
}

/// Rows as they come to be: of ids in no order, and with payloads that are pruned after 30 of 90 days.
fn fill(client: &mut Client, rows: i64) {
    client
        .batch_execute(&format!(
            "INSERT INTO clerk.webhook_events (svix_id, event_type, subject_id, user_id, instance_id, event_at, received_at, state,
                                               payload)
             SELECT 'msg_' || left(md5(n::text), 27), 'user.updated', user_id, user_id, 'ins_sim', at, at, 'applied',
                    CASE WHEN n > {rows} * 2 / 3 THEN repeat(md5(n::text), 25) END
             FROM generate_series(1, {rows}) AS n,
                  LATERAL (SELECT 'user_' || left(md5((n / 20)::text), 27) AS user_id,
                                  now() - interval '90 days' * (1 - n::float8 / {rows}) AS at) AS made"
        ))
        .expect("the ledger takes them");
}
