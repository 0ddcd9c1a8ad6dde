//! Ends a server when whoever started it is gone, however that came about.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::installation::Installation;

/// A shell that waits for its input to close, which happens when this is dropped and also when the whole process
/// is killed. Then it stops the server and removes its directory.
pub struct Watchdog(Child);

impl Watchdog {
    /// Watches over the server whose data lie in `data` inside `directory`.
    pub fn start(installation: &Installation, directory: &Path) -> Self {
        let script = r#"read -r _; "$0" stop --pgdata="$1/data" --mode=immediate; rm -rf "$1""#;
        let shell = installation
            .as_server_user("sh")
            .args(["-c", script])
            .args([installation.path("pg_ctl"), directory.to_owned()])
            // Ctrl-C is for the tests. The shell outlives them and cleans up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(shell.expect("a shell can be started"))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // A drop must not panic. If this fails, only a server is left over.
        let _ = self.0.wait();
    }
}
