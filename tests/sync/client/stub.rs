//! A server whose every answer a test writes itself, byte by byte.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Instant, SystemTime};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET /v1/users?limit=500 HTTP/1.1`
    pub line: String,
    /// All of the head, the line too.
    pub head: String,
    /// Which connection it came over, from 0.
    pub connection: usize,
    pub at: Instant,
}

pub struct Stub {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// Answers each request with the bytes that `answer` gives.
    pub fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, heard) = (Arc::new(answer), requests.clone());
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (answer, heard) = (answer.clone(), heard.clone());
                thread::spawn(move || serve(stream, connection, &heard, &*answer));
            }
        });
        Self { url, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no holder panics").clone()
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    heard: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Vec<u8>,
) {
    let mut head = Vec::new();
    let mut byte = [0];
    // No request of a test has a body.
    while stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let request = Request {
            line: text.lines().next().unwrap_or_default().to_owned(),
            head: text,
            connection,
            at: Instant::now(),
        };
        heard.lock().expect("no holder panics").push(request.clone());
        if stream.write_all(&answer(&request)).is_err() {
            return;
        }
        head.clear();
    }
}

/// An answer with that status, further headers and body, dated now.
pub fn answer(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let date = format!("date: {}", http_date());
    let headers: Vec<_> = std::iter::once(date.as_str())
        .chain(headers.iter().copied())
        .collect();
    undated(status, &headers, body)
}

/// As [`answer`], without a date.
pub fn undated(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let length = format!("content-length: {}", body.len());
    let lines: Vec<_> = std::iter::once(length.as_str())
        .chain(headers.iter().copied())
        .collect();
    format!("HTTP/1.1 {status} X\r\n{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

/// Now, as `Date` has it; by `date`, which knows how.
fn http_date() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is right");
    let output = std::process::Command::new("date")
        .args([
            "--utc",
            "--date",
            &format!("@{}", now.as_secs()),
            "+%a, %d %b %Y %H:%M:%S GMT",
        ])
        .env("LC_ALL", "C")
        .output()
        .expect("date can be run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
