//! The recipes for pg_net in docs/handover.md, on a stand-in with the tables and signatures of pg_net 0.20.

use clerk_sim::{Rotation, Simulator, Token};
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::{Value, json};

/// The statements of the manual's section, in order: closing pg_net, fetching keys, forwarding events.
fn recipes() -> Vec<String> {
    let manual = include_str!("../../../docs/handover.md");
    let (_, section) = manual
        .split_once("\n## pg_net\n")
        .expect("the manual has the section");
    let blocks = section.split("```sql\n").skip(1);
    blocks
        .map(|block| block.split("```").next().expect("a block ends").to_owned())
        .collect()
}

/// As in supabase/pg_net, sql/pg_net.sql: what it stores, who may, and the functions' arguments.
const PG_NET: &str = r#"
    CREATE SCHEMA net;
    GRANT USAGE ON SCHEMA net TO PUBLIC;
    CREATE TABLE net.http_request_queue (
        id bigserial, method text NOT NULL, url text NOT NULL, headers jsonb, body bytea, timeout_milliseconds int NOT NULL);
    CREATE TABLE net._http_response (
        id bigint, status_code integer, content_type text, headers jsonb, content text, timed_out bool, error_msg text,
        created timestamptz NOT NULL DEFAULT now());
    GRANT ALL ON ALL TABLES IN SCHEMA net TO PUBLIC;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA net TO PUBLIC;
    CREATE FUNCTION net.http_get(url text, params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}', timeout_milliseconds int DEFAULT 5000)
        RETURNS bigint LANGUAGE sql VOLATILE STRICT AS $$
        INSERT INTO net.http_request_queue (method, url, headers, timeout_milliseconds)
        VALUES ('GET', url, headers, timeout_milliseconds) RETURNING id $$;
    CREATE FUNCTION net.http_post(
        url text, body jsonb DEFAULT '{}', params jsonb DEFAULT '{}', headers jsonb DEFAULT '{"Content-Type": "application/json"}',
        timeout_milliseconds int DEFAULT 5000) RETURNS bigint LANGUAGE sql VOLATILE AS $$
        INSERT INTO net.http_request_queue (method, url, headers, body, timeout_milliseconds)
        VALUES ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds) RETURNING id $$"#;

/// With whose rights the functions of pg_net run: the caller's in new versions, and as Supabase sets up old ones the owner's.
const KINDS: [&str; 2] = ["INVOKER", "DEFINER"];

fn database(kind: &str) -> TestDb<'static> {
    let db = Cluster::shared().create_database();
    db.superuser().run(&format!(
        "{PG_NET};
         ALTER FUNCTION net.http_get SECURITY {kind} SET search_path = net;
         ALTER FUNCTION net.http_post SECURITY {kind} SET search_path = net"
    ));
    db
}

/// As Supabase's Database Webhooks do it: a trigger that posts, with the rights of a role of theirs.
const DATABASE_WEBHOOK: &str = r#"
    CREATE TABLE public.orders (id int);
    GRANT INSERT ON public.orders TO PUBLIC;
    CREATE FUNCTION public.http_request() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN PERFORM net.http_post('https://hooks.example.com/orders', to_jsonb(NEW)); RETURN NEW; END $$;
    ALTER FUNCTION public.http_request OWNER TO service_role;
    CREATE TRIGGER hook AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.http_request()"#;

/// Answers what is queued, as pg_net's worker does; gives the URLs.
fn work(owner: &mut Client, status: i32, content: &str) -> Vec<String> {
    let rows = owner
        .query(
            "DELETE FROM net.http_request_queue WHERE method = 'GET' RETURNING id, url",
            &[],
        )
        .expect("the owner may");
    for row in &rows {
        let answer = "INSERT INTO net._http_response (id, status_code, content) VALUES ($1, $2, $3)";
        owner
            .execute(answer, &[&row.get::<_, i64>(0), &status, &content])
            .expect("the owner may");
    }
    rows.iter().map(|row| row.get(1)).collect()
}

fn user(session: &mut Client, clerk: &Simulator) -> Result<String, String> {
    let token = clerk.mint(Token::session(clerk.issuer(), "user_ada"));
    session.run(&format!("SET clerk.jwt = '{token}'"));
    match session.query_one("SELECT clerk.current_user_id()", &[]) {
        Ok(row) => Ok(row.get(0)),
        Err(error) => Err(clerk_tests::Failure::from(error).refusal().1.to_owned()),
    }
}

#[test]
fn keys_come_by_pg_net_and_its_other_users_are_left_alone() {
    for kind in KINDS {
        keys_come_by_pg_net(kind);
    }
}

fn keys_come_by_pg_net(kind: &str) {
    let (db, clerk) = (database(kind), Simulator::start());
    let mut owner = db.superuser();
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{}', jwks_url => '')",
        clerk.issuer()
    ));
    let [close, fetch, _] = recipes().try_into().expect("three recipes");
    owner.run(&fetch);

    // Until pg_net is closed, anybody could have put the answer there.
    let failure = owner.failure("SELECT clerk_relay.fetch_keys()");
    assert!(failure.message.contains("others may write"), "{failure:?}");
    owner.run(&close);
    let mut stranger = db.connect("anon");
    for attempt in [
        "INSERT INTO net._http_response (id, status_code, content) VALUES (1, 200, '{}')",
        "INSERT INTO net.http_request_queue (id, method, url, timeout_milliseconds) VALUES (1, 'GET', 'https://evil.example', 1)",
        "UPDATE net.http_request_queue SET url = 'https://evil.example'",
        "DELETE FROM net._http_response",
        "SELECT setval('net.http_request_queue_id_seq', 1)",
        "SELECT clerk_relay.fetch_keys()",
    ] {
        assert_eq!(stranger.failure(attempt).sqlstate, "42501", "{kind}: {attempt}");
    }
    // Others send and read as before.
    owner.run(DATABASE_WEBHOOK);
    stranger.run("INSERT INTO public.orders VALUES (1)");
    stranger.run("SELECT net.http_post('https://example.com', '{}')");
    assert_eq!(
        stranger.value::<i64>("SELECT count(*) FROM net.http_request_queue"),
        2,
        "{kind}"
    );
    stranger.run("SELECT FROM net._http_response");

    owner.run("SELECT clerk_relay.fetch_keys()");
    let url = format!("{}/.well-known/jwks.json", clerk.issuer());
    assert_eq!(
        work(&mut owner, 200, &clerk.jwks().to_string()),
        std::slice::from_ref(&url)
    );
    assert_eq!(user(&mut stranger, &clerk), Err("jwk-kid-mismatch".to_owned()));
    owner.run("SELECT clerk_relay.fetch_keys()");
    assert_eq!(user(&mut stranger, &clerk), Ok("user_ada".to_owned()));

    // A rotation, after answers that are none, each of which is told.
    let problem = "SELECT problem FROM clerk_relay.requests";
    assert_eq!(owner.value::<Option<String>>(problem), None);
    for (status, content, says) in [
        (500, "<html>", "HTTP 500"),
        (200, "<html>", "neither a JSON Web Key Set"),
        (200, "{\"keys\": []}", "no RSA public signing key"),
    ] {
        work(&mut owner, status, content);
        owner.run("SELECT clerk_relay.fetch_keys()");
        assert_eq!(
            user(&mut stranger, &clerk),
            Ok("user_ada".to_owned()),
            "{content}"
        );
        let told: String = owner.value(problem);
        assert!(told.contains(says), "{told}");
    }
    owner.run("DELETE FROM net.http_request_queue; SELECT clerk_relay.fetch_keys()");
    assert!(owner.value::<String>(problem).starts_with("no answer since "));
    owner.run(
        "DELETE FROM net.http_request_queue;
         INSERT INTO net._http_response (id, timed_out, error_msg) SELECT request_id, true, 'Timeout was reached' FROM clerk_relay.requests;
         SELECT clerk_relay.fetch_keys()",
    );
    assert_eq!(owner.value::<String>(problem), "Timeout was reached");
    clerk.rotate(Rotation::New);
    assert_eq!(work(&mut owner, 200, &clerk.jwks().to_string()), [url]);
    owner.run("SELECT clerk_relay.fetch_keys()");
    assert_eq!(user(&mut stranger, &clerk), Ok("user_ada".to_owned()));
    let (imported, gone): (i64, bool) = (
        owner.value("SELECT count(*) FROM clerk.jwks WHERE origin = 'imported'"),
        owner.value("SELECT count(*) = 1 FROM clerk.jwks"),
    );
    assert_eq!((imported, gone), (1, true));
}

#[test]
fn events_are_relayed_by_pg_net() {
    for kind in KINDS {
        events_are_relayed(kind);
    }
}

fn events_are_relayed(kind: &str) {
    let db = database(kind);
    let mut owner = db.superuser();
    let [_, fetch, forward] = recipes().try_into().expect("three recipes");
    owner.run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '')");
    owner.run(&fetch);
    owner.run(&forward);
    let event = json!({"type": "user.created", "object": "event", "timestamp": 1_750_000_000_000_i64, "data": {"id": "user_ada"}});
    owner
        .execute("SELECT clerk.apply_event($1::text::jsonb)", &[&event.to_string()])
        .expect("the owner may");
    owner.run("SELECT clerk.maintain()");
    let queued = || {
        let mut session = db.superuser();
        let rows = session
            .query(
                "SELECT url, convert_from(body, 'UTF8'), headers->>'Content-Type' FROM net.http_request_queue WHERE method = 'POST'",
                &[],
            )
            .expect("the owner may");
        rows.iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect::<Vec<(String, String, String)>>()
    };
    let started = std::time::Instant::now();
    while queued().is_empty() && started.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let [(url, body, content_type)] = queued().try_into().expect("one request");
    assert_eq!(
        (url.as_str(), content_type.as_str()),
        ("https://hooks.example.com/clerk", "application/json")
    );
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (&body["type"], &body["data"]["id"]),
        (&json!("user.created"), &json!("user_ada"))
    );
}
