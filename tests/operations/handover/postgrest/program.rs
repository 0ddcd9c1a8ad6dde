//! The program `postgrest` itself. What it does is known from its log and from its answers.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use clerk_sim::{Simulator, Token};
use clerk_tests::{Sql, TestDb};
use postgres::config::Host;
use postgres::{Client, Config, NoTls};

use super::running::Running;
use crate::scene::wait_until;

/// It waits for nothing if it has logged nothing for so long.
const QUIET: Duration = Duration::from_secs(3);

pub struct Program {
    program: OsString,
    environment: Vec<(&'static str, String)>,
    port: u16,
    superuser: Config,
    process: Child,
    log: Receiver<String>,
    last_line: Instant,
}

impl Program {
    pub fn start(program: &OsStr, db: &TestDb, secret: &str) -> Self {
        let port = free_port();
        let environment = vec![
            (
                "PGRST_DB_URI",
                uri(&db.cluster().session(db.name(), "authenticator")),
            ),
            ("PGRST_DB_SCHEMAS", "public".to_owned()),
            ("PGRST_DB_ANON_ROLE", "anon".to_owned()),
            ("PGRST_JWT_SECRET", secret.to_owned()),
            ("PGRST_SERVER_HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("PGRST_SERVER_PORT", port.to_string()),
        ];
        let (process, log) = spawned(program, &environment);
        let mut started = Self {
            program: program.to_owned(),
            environment,
            port,
            superuser: db.cluster().session(db.name(), "postgres"),
            process,
            log,
            last_line: Instant::now(),
        };
        started.wait_for_start();
        started
    }

    /// Until it listens and has loaded the schema cache, or has found no database.
    fn wait_for_start(&mut self) {
        let (mut listens, mut is_loaded, mut has_failed) = (false, false, false);
        wait_until("PostgREST has started", || {
            for line in self.lines() {
                listens |= line.contains("Listener connected");
                is_loaded |= line.contains("Schema cache loaded in");
                has_failed |= line.contains("Retrying listening");
            }
            has_failed || (listens && is_loaded)
        });
    }

    /// What it has logged since.
    fn lines(&mut self) -> Vec<String> {
        let lines: Vec<_> = self.log.try_iter().collect();
        if !lines.is_empty() {
            self.last_line = Instant::now();
        }
        lines
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running for Program {
    fn restart(&mut self) {
        self.end();
        (self.process, self.log) = spawned(&self.program, &self.environment);
        self.wait_for_start();
    }

    fn tick(&mut self) {
        sleep(Duration::from_millis(20));
    }

    fn settle(&mut self, _superuser: &mut Client) -> usize {
        self.last_line = Instant::now();
        let mut told = 0;
        wait_until("PostgREST is at rest", || {
            let lines = self.lines();
            told += lines
                .iter()
                .filter(|line| line.contains("reload message"))
                .count();
            self.last_line.elapsed() > QUIET && status(self.port, "/nothing", None) == Some(404)
        });
        told
    }

    fn serve(&mut self, requests: usize) {
        let port = self.port;
        scope(|threads| {
            for _ in 0..requests {
                threads.spawn(move || status(port, "/", None));
            }
        });
    }

    fn idle_pool(&mut self) -> Vec<i32> {
        self.serve(2);
        let mut superuser = self.superuser.connect(NoTls).expect("the superuser may log in");
        superuser.value(
            "SELECT array_agg(pid) FROM pg_stat_activity
             WHERE usename = 'authenticator' AND datname = current_database() AND query NOT LIKE 'LISTEN%'",
        )
    }

    /// There is nothing at that path, which is found out without the database.
    fn accepts(&mut self, clerk: &Simulator) -> bool {
        let token = clerk.mint(Token::session(clerk.issuer(), "user_ada").expires_in(3600));
        status(self.port, "/nothing", Some(&token)) == Some(404)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether it accepts what is signed with this text, when it has it as `jwt-secret`. It looks at a token before it needs a database,
/// and has none here.
pub fn is_taken_for_password(program: &OsStr, text: &str) -> bool {
    let port = free_port();
    let environment = [
        ("PGRST_DB_URI", "host=127.0.0.1 port=1".to_owned()),
        ("PGRST_DB_CONFIG", "false".to_owned()),
        ("PGRST_DB_ANON_ROLE", "anon".to_owned()),
        ("PGRST_JWT_SECRET", text.to_owned()),
        ("PGRST_SERVER_HOST", Ipv4Addr::LOCALHOST.to_string()),
        ("PGRST_SERVER_PORT", port.to_string()),
    ];
    let (mut process, _log) = spawned(program, &environment);
    let token = Token::session("https://clerk.example", "user_ada").hs256(text.as_bytes());
    let mut answer = None;
    wait_until("PostgREST answers", || {
        answer = status(port, "/nothing", Some(&token));
        answer.is_some()
    });
    process.kill().expect("it runs");
    process.wait().expect("it ends");
    match answer {
        Some(401) => false,
        Some(503) => true,
        other => panic!("{text}: {other:?}"),
    }
}

fn spawned(program: &OsStr, environment: &[(&'static str, String)]) -> (Child, Receiver<String>) {
    let mut process = Command::new(program)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("POSTGREST names a program");
    let log = process.stderr.take().expect("it is piped");
    let (sender, receiver) = channel();
    spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // Nobody reads it any more.
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    (process, receiver)
}

/// The status of its answer, if it answers.
fn status(port: u16, path: &str, token: Option<&str>) -> Option<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1)?.parse().ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// As libpq reads it.
fn uri(login: &Config) -> String {
    let Some(Host::Unix(directory)) = login.get_hosts().first() else {
        panic!("the server listens on a socket")
    };
    let (port, user) = (login.get_ports()[0], login.get_user().expect("a role"));
    let database = login.get_dbname().expect("a database");
    format!(
        "host='{}' port={port} user={user} dbname={database}",
        directory.display()
    )
}
