//! A dump holds references into a vault, and no secret.

use clerk_sim::new_signing_secret;
use clerk_tests::{Cluster, Sql};

use super::{APPLIED, ISSUER, NO_SECRET, add, configure, deliver, listed, vault};

#[test]
fn references_are_dumped_and_secrets_are_not() {
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    vault::install(&mut owner);
    let (literal, in_vault) = (new_signing_secret(), new_signing_secret());
    vault::put(&mut owner, "hook", &in_vault);
    let fingerprint = add(&mut owner, &literal);
    add(&mut owner, "vault:hook");
    for secret in [&literal, &in_vault] {
        assert_eq!(deliver(&mut owner, secret), APPLIED);
    }

    // A vault is restored by its own means: its key is not in a dump.
    let run = |program: &str, arguments: &[&str]| {
        let output = cluster
            .pg_binary(program)
            .args(arguments)
            .output()
            .expect("the program can be run");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = run("pg_dump", &["--exclude-schema=vault", db.name()]);
    assert!(text.contains("vault:hook"));
    assert!(text.contains("COPY clerk.webhook_events"));
    for secret in [&literal, &in_vault] {
        assert!(!text.contains(secret.trim_start_matches("whsec_")));
    }
    let only_data = run("pg_dump", &["--data-only", "--table=clerk.secrets", db.name()]);
    assert!(!only_data.contains(literal.trim_start_matches("whsec_")));

    let file = cluster.directory().join("dump");
    let file = file.to_str().expect("the path is ordinary");
    run(
        "pg_dump",
        &[
            "--format=custom",
            "--exclude-schema=vault",
            "--file",
            file,
            db.name(),
        ],
    );
    owner.run("CREATE DATABASE restored");
    run("pg_restore", &["--exit-on-error", "--dbname=restored", file]);
    let mut restored = cluster.connect_to("restored", "postgres");
    assert_eq!(listed(&mut restored, "fingerprint"), "vault:hook");
    assert_eq!(listed(&mut restored, "issuer"), ISSUER);
    assert_eq!(listed(&mut restored, "usable"), "false");
    assert_eq!(deliver(&mut restored, &in_vault), NO_SECRET);
    vault::install(&mut restored);
    vault::put(&mut restored, "hook", &in_vault);
    assert_eq!(listed(&mut restored, "usable"), "true");
    assert_eq!(deliver(&mut restored, &in_vault), APPLIED);
    // The other has to be brought again.
    assert_eq!(add(&mut restored, &literal), fingerprint);
    assert_eq!(deliver(&mut restored, &literal), APPLIED);
    cluster.assert_no_crash();
}
