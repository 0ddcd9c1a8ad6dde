//! A PostgreSQL server of one's own, from nothing, gone when dropped.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, Config, NoTls};

use crate::database::{Notices, TestDb};
use crate::installation::{Installation, run};
use crate::sql::Sql;
use crate::watchdog::Watchdog;

/// The server listens on a socket in its own directory only, so every one can have the same port.
const PORT: u16 = 5432;

/// What makes a server quick to start and to throw away, and lets it fetch keys from a simulator on this machine.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("shared_buffers", "32MB"),
    ("max_worker_processes", "16"),
    ("clerk.allow_http_loopback", "on"),
];

/// The library in every process from the start, without the rounds of maintenance that its launcher would begin.
const PRELOADED: &[(&str, &str)] = &[
    ("shared_preload_libraries", "clerk_sync"),
    ("clerk.maintain_interval", "0"),
];

/// The roles of a Supabase project; `app` is what its API server logs in as. All may log in, to be tried directly.
const ROLES: &str = "
    CREATE ROLE anon LOGIN;
    CREATE ROLE authenticated LOGIN;
    CREATE ROLE service_role LOGIN BYPASSRLS;
    CREATE ROLE app LOGIN NOINHERIT;
    GRANT anon, authenticated, service_role TO app;";

/// A running server. Stopped and removed when dropped, and also when the test process dies.
pub struct Cluster {
    installation: Installation,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    databases: AtomicU32,
    _watchdog: Watchdog,
}

impl Cluster {
    /// The server that the tests of this process share, each in a database of its own. Do not stop it.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| {
            Cluster::start(if Self::shared_is_preloaded() {
                PRELOADED
            } else {
                &[]
            })
        })
    }

    /// Whether that server has the library in `shared_preload_libraries`, which the variable CLERK_SYNC_PRELOADED asks for. In every
    /// session the library is there from the start then, and has not been used.
    pub fn shared_is_preloaded() -> bool {
        std::env::var_os("CLERK_SYNC_PRELOADED").is_some()
    }

    /// Starts a new server with the library in `shared_preload_libraries` and nothing that works by itself.
    ///
    /// # Panics
    /// If it cannot be made or started.
    pub fn start_preloaded() -> Cluster {
        Self::start(PRELOADED)
    }

    /// Starts a new server with these settings (GUCs) besides our usual ones.
    ///
    /// # Panics
    /// If it cannot be made or started.
    pub fn start(settings: &[(&str, &str)]) -> Cluster {
        Self::start_in_environment(settings, &[])
    }

    /// As [`Cluster::start`], with additional variables in the server's environment.
    ///
    /// # Panics
    /// If it cannot be made or started.
    pub fn start_in_environment(settings: &[(&str, &str)], environment: &[(&str, &str)]) -> Cluster {
        let cluster = Self::prepare(environment);
        run(cluster
            .installation
            .as_server_user("cp")
            .arg("-a")
            .args([Self::empty().data(), cluster.data()]));
        cluster.configure(settings);
        cluster.pg_ctl("start");
        cluster.superuser().run(ROLES);
        cluster
    }

    /// What initdb makes, to be copied: that takes a tenth of the time.
    fn empty() -> &'static Cluster {
        static EMPTY: OnceLock<Cluster> = OnceLock::new();
        EMPTY.get_or_init(|| {
            let empty = Self::prepare(&[]);
            run(empty
                .installation
                .program("initdb")
                .args([
                    "--username=postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                ])
                .arg("--pgdata")
                .arg(empty.data()));
            empty.configure(SETTINGS);
            empty
        })
    }

    /// A directory and its watchdog, without a server in it.
    fn prepare(environment: &[(&str, &str)]) -> Cluster {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("clerk-tests-{}-{number}", std::process::id());
        let installation = Installation::from_environment();
        let directory = std::env::temp_dir().join(name);
        installation.make_directory(&directory);
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Cluster {
            _watchdog: Watchdog::start(&installation, &directory),
            installation,
            directory,
            environment: environment.iter().map(own).collect(),
            databases: AtomicU32::new(0),
        }
    }

    /// Starts a hot standby of this server, from a copy of it. The two have the same databases and roles.
    ///
    /// # Panics
    /// If it cannot be made or started.
    pub fn standby(&self) -> Cluster {
        let standby = Self::prepare(&[]);
        run(self
            .pg_binary("pg_basebackup")
            .args(["--checkpoint=fast", "--no-sync", "--pgdata"])
            .arg(standby.data()));
        // Not by pg_basebackup --write-recovery-conf: it writes what its own libpq knows, and the server of a relocated
        // installation may load an older one.
        let primary = format!("user=postgres host={} port={PORT}", self.directory.display());
        standby.configure(&[("primary_conninfo", &primary)]);
        std::fs::write(standby.data().join("standby.signal"), "").expect("the standby can be marked as one");
        standby.pg_ctl("start");
        standby
    }

    /// Writes settings into the configuration; they count at the next start or reload. The last one of a name wins.
    pub fn configure(&self, settings: &[(&str, &str)]) {
        let path = self.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&path).expect("the configuration can be read");
        for (name, value) in settings {
            text += &format!("{name} = '{}'\n", value.replace('\'', "''"));
        }
        std::fs::write(&path, text).expect("the configuration can be written");
    }

    /// Stops the server, ending all sessions, and starts it. It may be stopped already.
    pub fn restart(&self) {
        self.pg_ctl("restart");
    }

    /// Stops the server, ending all sessions.
    pub fn stop(&self) {
        self.pg_ctl("stop");
    }

    /// Stops the server as a crash does: [`Cluster::restart`] then recovers from the write-ahead log.
    pub fn kill(&self) {
        run(self.control("stop").arg("--mode=immediate"));
    }

    /// Kills every process of the server with SIGKILL, as the kernel does when memory runs out or power fails. Nothing gets a
    /// chance to tidy up; [`Cluster::restart`] recovers.
    ///
    /// # Panics
    /// If the server is not running.
    pub fn kill_hard(&self) {
        let pid_file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("the server runs");
        let postmaster = pid_file
            .lines()
            .next()
            .expect("its first line is the process")
            .trim();
        // Children are found before their parent is gone. One that has ended by now is as well.
        let children = Command::new("pgrep")
            .args(["-P", postmaster])
            .output()
            .expect("pgrep can be run");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let _ = Command::new("kill")
            .arg("-9")
            .arg(postmaster)
            .args(children.split_whitespace())
            .status();
        // The next start must not find them dying.
        while Command::new("kill")
            .args(["-0", postmaster])
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn pg_ctl(&self, verb: &str) {
        run(&mut self.control(verb));
    }

    fn control(&self, verb: &str) -> Command {
        let mut pg_ctl = self.pg_binary("pg_ctl");
        pg_ctl
            .args([verb, "--wait", "--pgdata"])
            .arg(self.data())
            .env("RUST_BACKTRACE", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if verb != "stop" {
            let options = format!("-k {} -p {PORT}", self.directory.display());
            pg_ctl
                .arg("--log")
                .arg(self.log_file())
                .args(["--options", &options]);
        }
        pg_ctl
    }

    /// One of PostgreSQL's programs, run as the server's user, with this server as the one to connect to.
    pub fn pg_binary(&self, name: &str) -> Command {
        let mut command = self.installation.program(name);
        command
            .env("PGHOST", &self.directory)
            .env("PGPORT", PORT.to_string())
            .env("PGUSER", "postgres");
        command
    }

    /// A session of this role in the database `postgres`.
    pub fn connect(&self, role: &str) -> Client {
        self.connect_to("postgres", role)
    }

    /// A session of the superuser in the database `postgres`.
    pub fn superuser(&self) -> Client {
        self.connect("postgres")
    }

    /// A session of this role.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn connect_to(&self, database: &str, role: &str) -> Client {
        connect(&self.session(database, role))
    }

    /// A session of this role, and what the server says in it besides answers and errors.
    pub fn connect_with_notices(&self, database: &str, role: &str) -> (Client, Notices) {
        let (notices, mut config) = (Notices::default(), self.session(database, role));
        let sink = notices.clone();
        config.notice_callback(move |notice| sink.push(notice));
        (connect(&config), notices)
    }

    /// How to open a session of this role, for a test that wants to add to it.
    pub fn session(&self, database: &str, role: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.directory)
            .port(PORT)
            .dbname(database)
            .user(role);
        config
    }

    /// Makes a database with the extension in it.
    pub fn create_database(&self) -> TestDb<'_> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.superuser().run(&format!("CREATE DATABASE {name}"));
        let database = TestDb::new(self, name);
        database.superuser().run("CREATE EXTENSION clerk_sync");
        database
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// What it has logged after the first `read` bytes.
    pub fn log_since(&self, read: u64) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = std::fs::File::open(self.log_file()) {
            let _ = file
                .seek(SeekFrom::Start(read))
                .and_then(|_| file.read_to_end(&mut text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// # Panics
    /// If a process of this server has crashed.
    pub fn assert_no_crash(&self) {
        let log = self.log();
        let crash = log
            .lines()
            .find(|line| line.contains("terminated by signal") || line.contains("PANIC:"));
        assert_eq!(crash, None, "the server's log:\n{log}");
    }

    /// The server's own directory; the server's user may write there, and it goes with the server.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The installation that the server is of.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }
}

fn connect(config: &Config) -> Client {
    config
        .connect(NoTls)
        .unwrap_or_else(|error| panic!("cannot connect as {config:?}: {error:?}"))
}
