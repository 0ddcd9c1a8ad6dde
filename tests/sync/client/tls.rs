//! The key is sent only to whom a trusted authority vouches for.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clerk_tests::{Cluster, Sql};

use super::{ISSUER, ask, database, error, instance, set, set_key};

/// An https server with that certificate and key, out of `directory`.
struct HttpsServer {
    process: Child,
    port: u16,
}

impl HttpsServer {
    fn start(directory: &Path, certificate: &str) -> Self {
        let mut process = Command::new("openssl")
            .args([
                "s_server",
                "-www",
                "-accept",
                "127.0.0.1:0",
                "-key",
                "key.pem",
                "-cert",
                certificate,
            ])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl can be run");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.strip_prefix("ACCEPT ")?.rsplit_once(':')?;
            port.parse().ok()
        });
        Self {
            process,
            port: port.expect("openssl says where it listens"),
        }
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        // A drop must not panic.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .expect("openssl can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_certificate_that_does_not_hold_is_named() {
    let clerk = instance(ISSUER, "ins_one");
    let cluster = Cluster::start(&[]);
    let directory = cluster.directory();
    std::fs::write(directory.join("names"), "subjectAltName=DNS:localhost").expect("it can be written");
    openssl(
        directory,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
    );
    openssl(
        directory,
        "req -new -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=server",
    );
    let sign = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names";
    openssl(directory, &format!("{sign} -days 2 -out good.pem"));
    // Ended a day before it began: it is over.
    openssl(directory, &format!("{sign} -days -1 -out old.pem"));
    openssl(
        directory,
        "req -x509 -key key.pem -out self.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost",
    );
    let authority = directory.join("ca.pem");
    let cases = [
        (
            "self.pem",
            "localhost",
            false,
            "self-signed or from an unknown authority",
        ),
        (
            "good.pem",
            "localhost",
            false,
            "self-signed or from an unknown authority",
        ),
        ("old.pem", "localhost", true, "has expired"),
        ("good.pem", "127.0.0.1", true, "is for another name"),
        // This one is trusted, but it is not Clerk.
        ("good.pem", "localhost", true, "was answered with HTTP"),
    ];
    for (certificate, host, is_trusted, words) in cases {
        let server = HttpsServer::start(directory, certificate);
        let db = database(&cluster, &clerk, &format!("https://{host}:{}/v1", server.port));
        if is_trusted {
            set(
                &db,
                "clerk.http_ca_file",
                authority.to_str().expect("the path is ordinary"),
            );
        }
        let mut owner = db.superuser();
        set_key(&mut owner, &clerk.secret_key());
        let told = ask(&mut owner);
        assert!(error(&told).contains(words), "{certificate} at {host}: {told:#}");
        assert!(told["last_hint"].is_string());
        assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.users"), 0);
    }
}
