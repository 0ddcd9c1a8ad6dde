//! Random histories in random orders end in the same tables, and those show the truth.

use std::thread;

use clerk_sim::{Adversity, ApiPage, Event, Resource, World, WorldOptions};
use clerk_tests::{Cluster, Dice, Sql};
use postgres::types::{Json, ToSql};
use postgres::{Client, Statement, Transaction};
use serde_json::{Value, json};

use crate::scene::{Scene, cases, now_seconds};
use clerk_tests::expected::Queries;

const ORDERS: usize = 3;
const SESSIONS: u64 = 2;

/// A trigger of the owner's that fails on demand, as a broken one would.
const SABOTAGE: &str = "
    CREATE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('test.sabotage', true) = 'on' THEN RAISE 'sabotaged'; END IF;
        RETURN NEW;
    END $$;
    DO $$
    DECLARE mirrored text;
    BEGIN
        FOREACH mirrored IN ARRAY (SELECT mirror FROM clerk.instances) LOOP
            EXECUTE format('CREATE TRIGGER sabotage BEFORE INSERT OR UPDATE ON clerk.%I FOR EACH ROW EXECUTE FUNCTION sabotage()', mirrored);
        END LOOP;
    END $$;";

#[test]
fn any_order_ends_in_the_truth() {
    thread::scope(|scope| {
        for session in 0..SESSIONS {
            scope.spawn(move || {
                let scene = Scene::on(Cluster::shared());
                let mut client = scene.db.superuser();
                client.run(SABOTAGE);
                let statements = Statements::prepare(&mut client);
                for case in (session..cases()).step_by(SESSIONS as usize) {
                    Case::of(case).check(&scene, &mut client, &statements);
                    // What was rolled back still takes up space, and every comparison reads all of it.
                    if case % (16 * SESSIONS) == session {
                        client.run(&truncate());
                    }
                }
            });
        }
    });
}

fn truncate() -> String {
    let tables = Resource::ALL.map(|resource| format!("clerk.{resource}"));
    format!("TRUNCATE clerk.webhook_events, {}", tables.join(", "))
}

/// A history and what the API showed in the middle of it.
struct Case {
    seed: u64,
    world: World,
    events: Vec<Event>,
    pages: Vec<(Resource, ApiPage)>,
    /// jsonb cannot hold U+0000, so such a history can only come as webhooks.
    only_webhooks: bool,
}

/// One thing that is handed to the database.
enum Delivery {
    Webhook(Event),
    /// A webhook that meets a trigger that raises, and is retried at the end.
    Failing(Event),
    Applied(Event),
    Batch(Vec<Event>),
    Page(Resource, ApiPage),
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let only_webhooks = dice.one_in(10);
        // The database's clock may be ten minutes off, either way: then so are all times, seen from there.
        let clock_off = [0, -600, 600][dice.below(3)];
        let mut world = World::new(WorldOptions {
            seed,
            start_ms: (now_seconds() + clock_off) * 1000,
            users: 1..=4,
            organizations: 3,
            adversity: Adversity {
                nul: if only_webhooks { 0.3 } else { 0.0 },
                ..Adversity::hostile()
            },
            ..WorldOptions::default()
        });
        let wanted = 1 + dice.below(30);
        let (mut events, mut pages) = (Vec::new(), Vec::new());
        while events.len() < wanted {
            events.append(&mut world.step());
            if dice.one_in(8) && !only_webhooks {
                let resource = Resource::ALL[dice.below(Resource::ALL.len())];
                pages.push((resource, world.api_page(resource)));
            }
        }
        Self {
            seed,
            world,
            events,
            pages,
            only_webhooks,
        }
    }

    fn check(&self, scene: &Scene, client: &mut Client, statements: &Statements) {
        let mut first = None;
        for order in 0..ORDERS {
            let what = format!("case {}, order {order}", self.seed);
            let mut transaction = client.transaction().expect("a transaction can begin");
            for delivery in self.deliveries(order) {
                statements.hand_over(scene, &mut transaction, delivery, &what);
            }
            retry_all(&mut transaction);
            let end = statements.queries.tables(&mut transaction);
            match &first {
                None => {
                    statements
                        .queries
                        .assert_truth(&mut transaction, &self.world.truth(), &what);
                    first = Some(end);
                }
                Some(first) => assert_eq!(*first, end, "{what} ends differently"),
            }
            transaction.rollback().expect("a transaction can be rolled back");
        }
    }

    /// Everything at least once, in an order that follows from the seed.
    fn deliveries(&self, order: usize) -> Vec<Delivery> {
        let mut dice = Dice::new(self.seed ^ (order as u64 + 1) << 40);
        let mut events = self.events.clone();
        for _ in 0..dice.below(events.len() + 1) {
            events.push(self.events[dice.below(self.events.len())].clone());
        }
        dice.shuffle(&mut events);
        let mut deliveries: Vec<Delivery> = Vec::new();
        let mut rest = events.into_iter();
        while let Some(event) = rest.next() {
            deliveries.push(match dice.below(6) {
                _ if self.only_webhooks => Delivery::Webhook(event),
                0 => Delivery::Applied(event),
                1 => {
                    let more = dice.below(8);
                    Delivery::Batch(std::iter::once(event).chain(rest.by_ref().take(more)).collect())
                }
                2 => Delivery::Failing(event),
                _ => Delivery::Webhook(event),
            });
        }
        for (resource, page) in &self.pages {
            let at = dice.below(deliveries.len() + 1);
            deliveries.insert(at, Delivery::Page(*resource, page.clone()));
        }
        deliveries
    }
}

/// Everything that is sent, prepared: most of the time would go into planning.
struct Statements {
    receive: Statement,
    apply: Statement,
    batch: Statement,
    page: Statement,
    queries: Queries,
}

impl Statements {
    fn prepare(client: &mut Client) -> Self {
        let mut prepare = |text| client.prepare(text).expect("the functions are there");
        Self {
            receive: prepare("SELECT clerk.receive_webhook($1, $2)"),
            apply: prepare("SELECT clerk.apply_event($1, $2)"),
            batch: prepare("SELECT clerk.apply_events($1)"),
            page: prepare("SELECT clerk.apply_objects($1, $2, to_timestamp($3::float8 / 1000))"),
            queries: Queries::prepare(client),
        }
    }

    fn hand_over(&self, scene: &Scene, sql: &mut Transaction, delivery: Delivery, what: &str) {
        let mut ask = |statement: &Statement, parameters: &[&(dyn ToSql + Sync)]| -> Value {
            let row = sql.query_one(statement, parameters);
            let Json(answer) = row.unwrap_or_else(|error| panic!("{what}: {error:?}")).get(0);
            answer
        };
        let answer = match &delivery {
            Delivery::Webhook(event) => ask(&self.receive, &[&event.body, &Json(scene.headers(event))]),
            Delivery::Failing(event) => {
                sql.run("SET LOCAL test.sabotage = 'on'");
                let row = sql.query_one(&self.receive, &[&event.body, &Json(scene.headers(event))]);
                sql.run("SET LOCAL test.sabotage = 'off'");
                row.expect("the failure is the event's")
                    .get::<_, Json<Value>>(0)
                    .0
            }
            Delivery::Applied(event) => ask(&self.apply, &[&Json(event.envelope()), &event.svix_id]),
            Delivery::Batch(events) => {
                let listed: Vec<Value> = events
                    .iter()
                    .map(|event| json!({ "svix_id": event.svix_id, "event": event.envelope() }))
                    .collect();
                ask(&self.batch, &[&Json(listed)])
            }
            Delivery::Page(resource, page) => ask(
                &self.page,
                &[
                    &resource.as_str(),
                    &Json(&page.objects),
                    &(page.observed_at_ms as f64),
                ],
            ),
        };
        let status = answer["status"].as_str().unwrap_or("counts");
        assert!(
            !matches!(status, "rejected" | "busy" | "quarantined"),
            "{what}: {answer}"
        );
    }
}

/// Lets every failed event be due, and applies it.
fn retry_all(sql: &mut Transaction) {
    sql.run("UPDATE clerk.webhook_events SET next_attempt_at = '-infinity' WHERE state = 'failed'");
    let Json(report): Json<Value> = sql.value("SELECT clerk.retry_failed(1000)");
    assert_eq!(report["failed"], 0, "{report}");
    let left: i64 = sql.value("SELECT count(*) FROM clerk.webhook_events WHERE state = 'failed'");
    assert_eq!(left, 0, "events that could not be retried");
}
