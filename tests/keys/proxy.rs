//! A proxy is used when a setting names it, and for no other reason.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql, TestDb};

use crate::bearer::{assert_user, set, token_of};

/// A port on which nobody listens.
const DEAD: &str = "http://127.0.0.1:9";

#[test]
fn the_environment_names_no_proxy() {
    let names = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ];
    let cluster = Cluster::start_in_environment(&[], &names.map(|name| (name, DEAD)));
    let clerk = Simulator::start();
    cluster.create_database().configure(&clerk);
}

/// A proxy that makes tunnels (CONNECT) and tells where to. Gives its address.
fn proxy() -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
    let address = listener.local_addr().expect("it is bound");
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.expect("a worker connects");
            let mut request = BufReader::new(client.try_clone().expect("a socket can be shared")).lines();
            let first = request.next().expect("there is a request").expect("it is text");
            request.find(|line| line.as_ref().is_ok_and(String::is_empty));
            let target = first.split(' ').nth(1).expect("there is a target").to_owned();
            tunnel(client, TcpStream::connect(&target).expect("the target listens"));
            // The test may have ended.
            let _ = sender.send(first);
        }
    });
    (format!("http://{address}"), receiver)
}

fn tunnel(mut client: TcpStream, mut target: TcpStream) {
    write!(client, "HTTP/1.1 200 Connection established\r\n\r\n").expect("the client listens");
    let (mut from_client, mut to_target) = (client.try_clone(), target.try_clone());
    thread::spawn(move || copy(from_client.as_mut().ok()?, to_target.as_mut().ok()?).ok());
    thread::spawn(move || copy(&mut target, &mut client));
}

#[test]
fn the_proxy_that_the_setting_names_is_used() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    let (address, requests) = proxy();
    set(&db, "clerk.http_proxy", &address);
    db.configure(&clerk);
    let target = clerk.url().replace("http://", "");
    assert_eq!(
        requests.recv().as_deref(),
        Ok(format!("CONNECT {target} HTTP/1.1").as_str())
    );
    assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");
}

#[test]
fn the_proxys_password_is_told_to_nobody() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    for proxy in ["http://user:sesame@127.0.0.1:9", "sesame://user:sesame@"] {
        set(&db, "clerk.http_proxy", proxy);
        let (mut owner, notices) = db.connect_with_notices("postgres");
        let row = owner.query_one(
            "SELECT keys, warnings::text FROM clerk.configure(issuer => $1, jwks_url => $2)",
            &[&clerk.issuer(), &clerk.jwks_url()],
        );
        let row = row.expect("a fault is no error of configure()");
        assert_eq!(row.get::<_, i32>(0), 0);
        let told = format!("{} {:?}", row.get::<_, String>(1), notices.take());
        assert!(!told.contains("sesame"), "{told}");
        let mut anon = db.connect("anon");
        // Only the library makes the setting a secret.
        anon.run("SELECT clerk.current_user_id()");
        let failure = anon.failure("SHOW clerk.http_proxy");
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    }
}
