//! Keys come over https from whom the trusted authorities vouch for.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql, TestDb};

use crate::bearer::{assert_user, set, token_of};

/// An https server with a certificate for "localhost" from an authority of its own.
struct HttpsServer {
    process: Child,
    port: u16,
    authority: PathBuf,
}

impl HttpsServer {
    /// Serves the keys at /jwks.json, out of `directory`.
    fn start(directory: &Path, keys: &Simulator) -> Self {
        let openssl = |arguments: &str| {
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
        };
        let write = |name: &str, text: &str| {
            std::fs::write(directory.join(name), text).expect("the directory can be written to");
        };
        write("names", "subjectAltName=DNS:localhost");
        write("jwks.json", &keys.jwks().to_string());
        let new_key = "-newkey rsa:2048 -nodes";
        openssl(&format!(
            "req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"
        ));
        openssl(&format!(
            "req -new {new_key} -keyout key.pem -out request.pem -subj /CN=server"
        ));
        openssl(
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
        );

        let mut process = Command::new("openssl")
            .args([
                "s_server",
                "-WWW",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "cert.pem",
                "-key",
                "key.pem",
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
            authority: directory.join("ca.pem"),
        }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/jwks.json", self.port)
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        // A drop must not panic.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How many keys the instance has after fetching from there, and the message of the warning if that failed.
fn configure(db: &TestDb, clerk: &Simulator, url: &str) -> (i32, String) {
    let (mut owner, notices) = db.connect_with_notices("postgres");
    let configure = "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2)";
    let keys = owner.value_of(configure, &[&clerk.issuer(), &url]);
    let messages: Vec<String> = notices.take().into_iter().map(|notice| notice.message).collect();
    (keys, messages.join("\n"))
}

#[test]
fn only_a_trusted_authority_can_vouch_for_the_server() {
    let clerk = Simulator::start();
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let server = HttpsServer::start(cluster.directory(), &clerk);

    let (keys, message) = configure(&db, &clerk, &server.url("localhost"));
    assert_eq!(keys, 0);
    assert!(message.contains("certificate"), "{message}");

    let authority = server.authority.to_str().expect("the path is UTF-8");
    set(&db, "clerk.http_ca_file", authority);
    assert_eq!(
        configure(&db, &clerk, &server.url("localhost")),
        (1, String::new())
    );
    assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");

    let (keys, message) = configure(&db, &clerk, &server.url("127.0.0.1"));
    assert_eq!(keys, 0, "the certificate is for another name");
    assert!(message.contains("certificate"), "{message}");

    set(&db, "clerk.http_ca_file", "/nonexistent/ca.pem");
    let (_, message) = configure(&db, &clerk, &server.url("localhost"));
    assert!(message.contains("clerk.http_ca_file cannot be read"), "{message}");
    let no_certificate = cluster.directory().join("names");
    set(
        &db,
        "clerk.http_ca_file",
        no_certificate.to_str().expect("the path is UTF-8"),
    );
    let (_, message) = configure(&db, &clerk, &server.url("localhost"));
    assert!(
        message.contains("clerk.http_ca_file holds no certificate"),
        "{message}"
    );
}
