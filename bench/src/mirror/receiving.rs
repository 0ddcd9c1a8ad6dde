//! What it costs to take one webhook in.

use std::time::Duration;

use postgres::{Client, Statement};
use ureq::Agent;

use super::cpu;
use super::edge::{Edge, LIFE};
use super::floor::{self, Way};
use super::raw::Raw;
use super::site::Site;
use super::stream::{Delivery, Stream, array_of};
use crate::page::{Goal, Page, times};
use crate::rounds::{median, ratio, time};
use crate::server::Server;

const ROUNDS: usize = 21;
const EVENTS: usize = 200;
/// Of the streams over several connections.
const STREAM_ROUNDS: usize = 9;
const STREAM_EVENTS: usize = 400;
const CONNECTIONS: [usize; 3] = [1, 2, 8];
/// Deliveries after which Deno has compiled what is hot.
const WARM_UP: usize = 1500;
/// Isolates that are started to see what one costs.
const LIVES: u32 = 20;
/// Webhooks per second that the Edge Function is compared at. One is 86,400 a day.
const RATES: [u32; 3] = [1, 10, 100];

/// One event, in time on the wall and on processors.
#[derive(Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
}

impl Cost {
    pub fn median(costs: &[Self]) -> Self {
        Self {
            wall: median(costs.iter().map(|cost| cost.wall).collect()),
            cpu: median(costs.iter().map(|cost| cost.cpu).collect()),
        }
    }
}

/// A connection that receives webhooks.
pub struct Receiver {
    client: Client,
    statement: Statement,
    pid: u32,
}

impl Receiver {
    pub fn new(mut client: Client) -> Self {
        Self {
            statement: client
                .prepare("SELECT clerk.receive_webhook($1, $2)")
                .expect("the extension is there"),
            pid: backend(&mut client),
            client,
        }
    }

    /// As PostgREST does with a prepared statement.
    pub fn receive(&mut self, delivery: &Delivery) {
        let (body, headers) = (
            Raw::text(&delivery.event.body),
            Raw::jsonb(&delivery.headers.to_json()),
        );
        let row = self.client.query_one(&self.statement, &[&body, &headers]);
        let answer: Raw = row.expect("it raises nothing").get(0);
        // Another connection may have brought something newer.
        let is_stored = [r#""status": "applied""#, r#""status": "stale""#]
            .iter()
            .any(|status| answer.contains(status));
        assert!(is_stored, "{} was not applied", delivery.event.svix_id);
    }

    /// One after another; what each costs.
    pub fn receive_all(&mut self, batch: &[Delivery]) -> Cost {
        let before = cpu::used(self.pid);
        let wall = time(|| batch.iter().for_each(|delivery| self.receive(delivery)));
        cost(batch, wall, cpu::used(self.pid) - before)
    }
}

fn backend(client: &mut Client) -> u32 {
    let row = client
        .query_one("SELECT pg_backend_pid()", &[])
        .expect("it is connected");
    row.get::<_, i32>(0).unsigned_abs()
}

/// Deals the work out to the sessions, each of which does its part in a thread of its own; how long until all are done.
fn share<S: Send, W: Sync>(sessions: &mut [S], work: &[W], each: impl Fn(&mut S, &W) + Sync) -> Duration {
    let (count, each) = (sessions.len(), &each);
    time(|| {
        std::thread::scope(|scope| {
            for (first, session) in sessions.iter_mut().enumerate() {
                let part = work.iter().skip(first).step_by(count);
                scope.spawn(move || part.for_each(|item| each(session, item)));
            }
        });
    })
}

/// Everything that takes part, each with as many connections as are ever needed.
struct Field<'s> {
    receivers: Vec<Receiver>,
    floors: Vec<floor::Session>,
    floor_pids: Vec<u32>,
    /// Reads what was received, and statistics; never measured.
    reader: floor::Session,
    edge: &'s Edge,
    senders: Vec<Agent>,
}

impl<'s> Field<'s> {
    fn new(site: &Site, edge: &'s Edge) -> Self {
        let most = CONNECTIONS[CONNECTIONS.len() - 1];
        let mut floors: Vec<_> = (0..most).map(|_| floor::Session::new(site.connect())).collect();
        Self {
            receivers: (0..most).map(|_| Receiver::new(site.connect())).collect(),
            floor_pids: floors
                .iter_mut()
                .map(|floor| backend(&mut floor.client))
                .collect(),
            floors,
            reader: floor::Session::new(site.connect()),
            edge,
            senders: (0..most).map(|_| edge.sender()).collect(),
        }
    }

    fn lay(&mut self, stream: &mut Stream) {
        let foundation = stream.take_foundation();
        if !foundation.is_empty() {
            let events = Raw::jsonb(&array_of(&foundation));
            self.reader
                .client
                .execute("SELECT clerk.apply_events($1)", &[&events])
                .expect("events can be applied");
        }
    }

    fn receive(&mut self, connections: usize, batch: &[Delivery]) -> Cost {
        let sessions = &mut self.receivers[..connections];
        let pids: Vec<u32> = sessions.iter().map(|session| session.pid).collect();
        let before = cpu::used_by(&pids);
        let wall = share(sessions, batch, Receiver::receive);
        cost(batch, wall, cpu::used_by(&pids) - before)
    }

    fn insert(&mut self, connections: usize, batch: &[Delivery], way: Way) -> Cost {
        let rows_of = |delivery: &Delivery| self.reader.rows_of(&delivery.event, way);
        let rows: Vec<_> = batch.iter().map(rows_of).collect();
        let pids = &self.floor_pids[..connections];
        let before = cpu::used_by(pids);
        let wall = share(&mut self.floors[..connections], &rows, floor::Session::insert);
        cost(batch, wall, cpu::used_by(pids) - before)
    }

    fn send(&mut self, connections: usize, batch: &[Delivery]) -> Cost {
        let edge = self.edge;
        let before = edge.cpu(&mut self.reader.client);
        let wall = share(&mut self.senders[..connections], batch, |sender, delivery| {
            edge.deliver(sender, delivery);
        });
        cost(batch, wall, edge.cpu(&mut self.reader.client) - before)
    }
}

fn cost(batch: &[Delivery], wall: Duration, cpu: Duration) -> Cost {
    let events = batch.len() as u32;
    Cost {
        wall: wall / events,
        cpu: cpu / events,
    }
}

/// A stream of one kind, at one connection.
struct Kind {
    what: &'static str,
    people: usize,
    is_wanted: fn(&str) -> bool,
}

const KINDS: [Kind; 3] = [
    Kind {
        what: "`user.created`",
        people: ROUNDS * EVENTS,
        is_wanted: |event_type| event_type == "user.created",
    },
    Kind {
        what: "`user.updated`",
        people: 500,
        is_wanted: |event_type| event_type == "user.updated",
    },
    Kind {
        what: "`organizationMembership.created`",
        people: 500,
        is_wanted: |event_type| event_type == "organizationMembership.created",
    },
];

/// Adds the section to the page.
pub fn measure(server: &Server, page: &mut Page) {
    let site = Site::prepare(server, "receiving");
    let mut client = site.connect();
    floor::prepare(&mut client);
    let edge = Edge::start(server, "receiving", &mut client, site.secret());
    let mut field = Field::new(&site, &edge);

    page.heading("Receiving a webhook");
    kinds(&site, &mut field, page);
    streams(&site, &mut field, page);
    page.peers(&edge.version);
}

fn kinds(site: &Site, field: &mut Field, page: &mut Page) {
    let mut streams: Vec<_> = KINDS
        .iter()
        .zip(100..)
        .map(|(kind, seed)| site.stream(seed, kind.people, kind.is_wanted))
        .collect();
    let mut samples = KINDS.map(|_| [const { Vec::new() }; 3]);
    let mut bytes = KINDS.map(|_| 0);
    for _ in 0..ROUNDS {
        for ((stream, samples), bytes) in streams.iter_mut().zip(&mut samples).zip(&mut bytes) {
            let batch = stream.take(EVENTS);
            field.lay(stream);
            samples[0].push(field.receive(1, &batch));
            samples[1].push(field.insert(1, &batch, Way::Transaction));
            samples[2].push(field.insert(1, &batch, Way::Statement));
            *bytes += batch
                .iter()
                .map(|delivery| delivery.event.body.len())
                .sum::<usize>();
        }
    }

    page.text(&format!(
        "One connection, `synchronous_commit = off`, every event new; bodies as Clerk sends them, signed; the answer is \
         checked. `receive_webhook` is called in one prepared statement: one round trip, in which the signature is verified, \
         the ledger written and the event applied. Beside it what its rows cost at least: the same row of the ledger and the \
         same row of the table, with all their bytes ready as parameters of prepared plain `INSERT`s, into tables made \
         `LIKE … INCLUDING ALL`; as `BEGIN; INSERT; INSERT; COMMIT`, four round trips, and as one statement (`WITH`), one. CPU is \
         what the server's process used, ratios are of CPU. Medians of {ROUNDS} rounds of {EVENTS} events."
    ));
    let rows = KINDS
        .iter()
        .zip(&samples)
        .zip(&bytes)
        .flat_map(|((kind, samples), bytes)| {
            let [receive, floor, single] = [0, 1, 2].map(|case| Cost::median(&samples[case]));
            let against = |cost: Cost| {
                [
                    format!("{:.0}", microseconds(cost.wall)),
                    format!("{:.0}", microseconds(cost.cpu)),
                    times(ratio(cost.cpu, floor.cpu)),
                ]
            };
            let size = bytes / (ROUNDS * EVENTS);
            [
                (format!("{}, {size} bytes: `receive_webhook`", kind.what), receive),
                ("two inserts in a transaction".to_owned(), floor),
                ("two inserts in one statement".to_owned(), single),
            ]
            .map(|(what, cost)| {
                let [wall, cpu, ratio] = against(cost);
                [what, wall, cpu, ratio]
            })
        });
    page.table(["", "µs", "µs of CPU", "ratio"], rows);

    for (what, samples) in [
        (
            "`receive_webhook` of a new user against the bare two inserts, CPU",
            &samples[0],
        ),
        (
            "`receive_webhook` of a changed user against the bare two inserts, CPU",
            &samples[1],
        ),
    ] {
        let [receive, floor] = [0, 1].map(|case| Cost::median(&samples[case]));
        page.goal(Goal::at_most(what, ratio(receive.cpu, floor.cpu), 1.6, "×"));
    }
}

fn streams(site: &Site, field: &mut Field, page: &mut Page) {
    let mut stream = site.stream(200, 1000, |_| true).settled();
    let warm_up = stream.take(WARM_UP);
    field.lay(&mut stream);
    field.send(8, &warm_up);
    field.receive(8, &warm_up);

    let mut samples = CONNECTIONS.map(|_| [const { Vec::new() }; 3]);
    for _ in 0..STREAM_ROUNDS {
        for (connections, samples) in CONNECTIONS.into_iter().zip(&mut samples) {
            let batch = stream.take(STREAM_EVENTS);
            samples[0].push(field.receive(connections, &batch));
            samples[1].push(field.insert(connections, &batch, Way::Transaction));
            samples[2].push(field.send(connections, &batch));
        }
    }

    let boot = boot(field, &mut stream);
    let [receive, floor, edge] =
        [0, 1, 2].map(|at| samples.each_ref().map(|samples| Cost::median(&samples[at])));

    page.text(&format!(
        "The life of a thousand people: changes, sign-ups, deletions, organizations and memberships, over several connections, the \
         clients on the same machine. Beside it what people deploy, `bench/node/edge_function.ts`: an Edge Function in Deno that \
         verifies with `svix` and upserts with `postgres`, in tables without further indexes and without a ledger, run as \
         self-hosted Supabase runs it: a main isolate hands each request to the function's isolate. Warmed up with {WARM_UP} \
         deliveries. CPU is what all of the server used per event: its processes of Postgres, and Deno. Medians of \
         {STREAM_ROUNDS} rounds of {STREAM_EVENTS} events, CPU at one connection."
    ));
    let row = |what: &str, costs: &[Cost; 3]| {
        let [one, two, eight] = costs.map(|cost| format!("{:.0}", 1.0 / cost.wall.as_secs_f64()));
        let cpu = format!("{:.0}", microseconds(costs[0].cpu));
        [what.to_owned(), one, two, eight, cpu]
    };
    page.table(
        [
            "events per second, connections:",
            "1",
            "2",
            "8",
            "µs of CPU per event",
        ],
        [
            row("`receive_webhook`", &receive),
            row("two inserts in a transaction", &floor),
            row("Edge Function in Deno, warm", &edge),
        ],
    );

    let (receive, edge) = (receive[0].cpu, edge[0].cpu);
    page.text(&format!(
        "That is Deno at its best. Supabase ends the function's isolate after {} s (`workerTimeoutMs` in its main function), and the \
         next one loads, connects and compiles anew: {:.0} ms of CPU up to its first answer, the mean of {LIVES}. Spread over the \
         webhooks of a life:",
        LIFE.as_secs(),
        boot.as_secs_f64() * 1e3,
    ));
    let living = |rate: u32| edge + boot / (rate * LIFE.as_secs() as u32);
    let rows = RATES.map(|rate| {
        let cost = living(rate);
        [
            format!("{rate} per second"),
            format!("{:.0}", microseconds(cost)),
            format!("{:.0}", microseconds(receive)),
            times(ratio(cost, receive)),
        ]
    });
    page.table(
        [
            "webhooks",
            "µs of CPU, Edge Function",
            "`receive_webhook`",
            "ratio",
        ],
        rows,
    );
    page.goal(Goal::at_least(
        "server time of the Edge Function at one webhook per second against `receive_webhook`",
        ratio(living(RATES[0]), receive),
        4.0,
        "×",
    ));
    page.goal(Goal::at_least(
        "server time of the Edge Function, warm and never ended, against `receive_webhook`",
        ratio(edge, receive),
        4.0,
        "×",
    ));
}

/// What it costs Deno to start the function's isolate and to take its first webhook in.
fn boot(field: &mut Field, stream: &mut Stream) -> Duration {
    let deliveries = stream.take(LIVES as usize);
    field.lay(stream);
    let (edge, sender) = (field.edge, &field.senders[0]);
    let before = edge.cpu_of_runtime();
    for delivery in &deliveries {
        edge.end_life(sender);
        edge.deliver(sender, delivery);
    }
    (edge.cpu_of_runtime() - before) / LIVES
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
