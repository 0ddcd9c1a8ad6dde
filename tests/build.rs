//! Tells the tests what the PostgreSQL installation under test has.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(pg_cron)");
    println!("cargo::rerun-if-env-changed=CLERK_SYNC_PG_CONFIG");
    println!("cargo::rerun-if-changed=build.rs");
    // Without it the tests say themselves what to do.
    let Some(pg_config) = std::env::var_os("CLERK_SYNC_PG_CONFIG") else {
        return;
    };
    let Ok(output) = Command::new(pg_config).arg("--pkglibdir").output() else {
        return;
    };
    let directory = String::from_utf8_lossy(&output.stdout);
    let directory = Path::new(directory.trim());
    let library = directory.join("pg_cron.so");
    // Not the file: a package brings it with the time at which it was built, which is long past.
    println!("cargo::rerun-if-changed={}", directory.display());
    if library.exists() {
        println!("cargo::rustc-cfg=pg_cron");
    } else {
        println!(
            "cargo::warning=the server under test has no pg_cron, so the test that needs it is left out"
        );
    }
}
