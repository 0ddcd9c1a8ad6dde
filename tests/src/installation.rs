//! The PostgreSQL installation under test.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs and directories of one PostgreSQL installation.
#[derive(Clone, Debug)]
pub struct Installation {
    pg_config: PathBuf,
    programs: PathBuf,
    /// User and group id of the server; None to stay who we are.
    server_user: Option<(u32, u32)>,
}

impl Installation {
    /// The one that `CLERK_SYNC_PG_CONFIG` names.
    ///
    /// # Panics
    /// If the variable is unset or does not lead to a `pg_config`.
    pub fn from_environment() -> Self {
        let pg_config = std::env::var_os("CLERK_SYNC_PG_CONFIG").expect(
            "CLERK_SYNC_PG_CONFIG is not set: let it name the pg_config of a PostgreSQL server in which clerk_sync is \
             installed, or run `make test-server`",
        );
        let pg_config = PathBuf::from(pg_config);
        let programs = PathBuf::from(ask(Command::new(&pg_config).arg("--bindir")));
        let we_are_root = id(&["-u"]) == 0;
        Self {
            pg_config,
            programs,
            server_user: we_are_root.then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"]))),
        }
    }

    /// A directory as `pg_config` gives it, for example `--includedir-server`.
    pub fn directory(&self, option: &str) -> PathBuf {
        ask(Command::new(&self.pg_config).arg(option)).into()
    }

    /// One of the installation's programs, to be run as the server's user.
    pub fn program(&self, name: &str) -> Command {
        self.as_server_user(self.path(name))
    }

    /// Where one of the installation's programs is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Any program, to be run as the server's user.
    pub fn as_server_user(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.server_user {
            command.uid(user).gid(group);
        }
        // The server's user may not enter the directory that the tests run in.
        command.current_dir("/");
        command
    }

    /// Makes a directory that belongs to the server's user.
    pub fn make_directory(&self, path: &Path) {
        std::fs::create_dir(path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        if let Some((user, group)) = self.server_user {
            chown(path, Some(user), Some(group)).expect("root may give its directories away");
        }
    }
}

/// Runs a program to its end and gives its output.
///
/// # Panics
/// If the program cannot be run or fails; says what it wrote.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn ask(command: &mut Command) -> String {
    run(command).trim().to_owned()
}

fn id(arguments: &[&str]) -> u32 {
    let id = ask(Command::new("id").args(arguments));
    id.parse().expect("id prints a number")
}
