//! Secrets that Supabase Vault keeps; here a stand-in with its schema, its names and its view.

use clerk_sim::new_signing_secret;
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use super::{
    APPLIED, ISSUER, MISMATCH, NO_SECRET, OTHER_ISSUER, add, configure, deliver, drop_secret, listed, message,
};

/// As supabase/vault 0.3 declares it, without the cipher: what lies in the table is not what the view shows.
pub fn install(owner: &mut Client) {
    owner.run(
        "CREATE SCHEMA vault;
         CREATE TABLE vault.secrets (
             id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text UNIQUE, description text NOT NULL DEFAULT '',
             secret text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
         );
         CREATE FUNCTION vault.decrypt(secret text) RETURNS text LANGUAGE sql
             RETURN convert_from(decode(secret, 'hex'), 'UTF8');
         REVOKE EXECUTE ON FUNCTION vault.decrypt FROM PUBLIC;
         CREATE VIEW vault.decrypted_secrets AS
             SELECT s.id, s.name, s.description, s.secret, vault.decrypt(s.secret) AS decrypted_secret, s.created_at
             FROM vault.secrets AS s",
    );
}

pub fn put(owner: &mut Client, name: &str, secret: &str) {
    owner
        .execute(
            "INSERT INTO vault.secrets (name, secret) VALUES ($1, encode(convert_to($2, 'UTF8'), 'hex'))
             ON CONFLICT (name) DO UPDATE SET secret = excluded.secret",
            &[&name, &secret],
        )
        .expect("the vault takes it");
}

#[test]
fn a_secret_in_the_vault_is_looked_up_at_every_delivery() {
    let db = Cluster::shared().create_database();
    let (mut owner, mut service) = (db.superuser(), db.connect("service_role"));
    configure(&mut owner, ISSUER);
    install(&mut owner);
    let (old, new) = (new_signing_secret(), new_signing_secret());
    put(&mut owner, "clerk hook", &old);
    assert_eq!(add(&mut owner, "vault:clerk hook"), "vault:clerk hook");
    assert_eq!(add(&mut owner, "vault:clerk hook"), "vault:clerk hook");
    assert_eq!(listed(&mut owner, "vault_name"), "clerk hook");
    assert_eq!(listed(&mut owner, "usable"), "true");
    assert_eq!(deliver(&mut service, &old), APPLIED);
    assert_eq!(listed(&mut owner, "num_nonnulls(last_used_at)"), "1");

    // The vault tells nobody that a secret of its changed.
    put(&mut owner, "clerk hook", &new);
    assert_eq!(deliver(&mut service, &old), MISMATCH);
    assert_eq!(deliver(&mut service, &new), APPLIED);

    // Beside one that is kept here.
    let literal = new_signing_secret();
    let fingerprint = add(&mut owner, &literal);
    assert_eq!(deliver(&mut service, &literal), APPLIED);
    assert_eq!(deliver(&mut service, &new), APPLIED);
    drop_secret(&mut owner, &fingerprint);

    let unusable = [
        "UPDATE vault.secrets SET secret = encode('no secret', 'hex')",
        "UPDATE vault.secrets SET secret = 'not even encoded'",
        "DELETE FROM vault.secrets",
        "DROP SCHEMA vault CASCADE",
    ];
    for change in unusable {
        owner.run(change);
        assert_eq!(listed(&mut owner, "usable"), "false", "{change}");
        assert_eq!(deliver(&mut service, &new), NO_SECRET, "{change}");
    }
    install(&mut owner);
    put(&mut owner, "clerk hook", &new);
    assert_eq!(listed(&mut owner, "usable"), "true");
    assert_eq!(deliver(&mut service, &new), APPLIED);
    drop_secret(&mut owner, "vault:clerk hook");
    assert_eq!(deliver(&mut service, &new), NO_SECRET);
}

/// A delivery that is refused may have been signed with the secret that could not be read. Whoever sent it learns no name.
#[test]
fn a_refusal_says_that_another_secret_could_not_be_read() {
    let db = Cluster::shared().create_database();
    let (mut owner, mut service) = (db.superuser(), db.connect("service_role"));
    configure(&mut owner, ISSUER);
    install(&mut owner);
    let (here, there) = (new_signing_secret(), new_signing_secret());
    put(&mut owner, "clerk hook", &there);
    add(&mut owner, &here);
    add(&mut owner, "vault:clerk hook");
    let stranger = new_signing_secret();
    assert!(!message(&mut service, &stranger).contains("could not be read"));
    owner.run("UPDATE vault.secrets SET secret = 'of another root key'");
    let told = message(&mut service, &there);
    assert!(
        told.ends_with("; 1 signing secret could not be read from the vault"),
        "{told}"
    );
    assert!(!told.contains("hook"), "{told}");
    assert_eq!(deliver(&mut service, &there), MISMATCH);
    assert_eq!(deliver(&mut service, &here), APPLIED);
    owner.run("DELETE FROM clerk.secrets WHERE vault_name IS NULL");
    assert!(message(&mut service, &there).ends_with("could not be read from the vault"));
    assert_eq!(deliver(&mut service, &there), NO_SECRET);
}

#[test]
fn what_the_vault_does_not_have_is_not_added() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let add = |owner: &mut Client| owner.failure("SELECT clerk.add_webhook_signing_secret('vault:hook')");
    let failure = add(&mut owner);
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("supabase_vault")));
    install(&mut owner);
    let failure = add(&mut owner);
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    assert!(failure.message.contains("\"hook\""), "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("vault.create_secret"))
    );
    put(&mut owner, "hook", "OpenSesame");
    let failure = add(&mut owner);
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(!format!("{failure:?}").contains("OpenSesame"), "{failure:?}");
    // What the view itself raises could hold anything.
    owner.run("UPDATE vault.secrets SET secret = 'OpenSesame'");
    let failure = add(&mut owner);
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(!format!("{failure:?}").contains("OpenSesame"), "{failure:?}");
    // Nothing in a vault of another kind keeps names apart.
    owner.run("ALTER TABLE vault.secrets DROP CONSTRAINT secrets_name_key; DELETE FROM vault.secrets");
    for _ in 0..2 {
        owner.run(&format!(
            "INSERT INTO vault.secrets (name, secret) VALUES ('hook', encode('{}', 'hex'))",
            new_signing_secret()
        ));
    }
    let failure = add(&mut owner);
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert_eq!(failure.message, "the vault has several secrets named \"hook\"");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("SELECT id, name, created_at FROM vault.secrets"))
    );
    for nothing in ["vault:", "vault: "] {
        let failure = owner.failure_of("SELECT clerk.add_webhook_signing_secret($1)", &[&nothing]);
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    }
    assert_eq!(listed(&mut owner, "fingerprint"), "");
}

#[test]
fn a_vault_shares_no_secret_between_instances() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    configure(&mut owner, OTHER_ISSUER);
    install(&mut owner);
    let secret = new_signing_secret();
    put(&mut owner, "hook", &secret);
    put(&mut owner, "same", &secret);
    let add = "SELECT clerk.add_webhook_signing_secret($1, $2)";
    let _: String = owner.value_of(add, &[&"vault:hook", &ISSUER]);
    for same in ["vault:hook", "vault:same", &secret] {
        let failure = owner.failure_of(add, &[&same, &OTHER_ISSUER]);
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    }
    // Moving one into the vault, or out of it, is not hindered.
    let _: String = owner.value_of(add, &[&secret, &ISSUER]);
    drop_secret(&mut owner, "vault:hook");
    assert_eq!(deliver(&mut owner, &secret), APPLIED);
}

/// A database whose owner, no superuser, has installed the extension and configured an instance.
fn owned(name: &str) -> (Client, Client) {
    let owner = format!("{name}_owner");
    let mut superuser = Cluster::shared().superuser();
    superuser.run(&format!("CREATE ROLE {owner} LOGIN"));
    superuser.run(&format!("CREATE DATABASE {name} OWNER {owner}"));
    let connect = |role: &str| Cluster::shared().connect_to(name, role);
    let mut owner = connect(&owner);
    owner.run("CREATE EXTENSION clerk_sync");
    configure(&mut owner, ISSUER);
    (connect("postgres"), owner)
}

#[test]
fn the_owner_of_the_extension_must_be_let_into_the_vault() {
    let (mut superuser, mut owner) = owned("vault_let_in");
    install(&mut superuser);
    let secret = new_signing_secret();
    put(&mut superuser, "hook", &secret);
    let mut service = Cluster::shared().connect_to("vault_let_in", "service_role");
    let grants = [
        "USAGE ON SCHEMA vault",
        "SELECT ON vault.decrypted_secrets",
        "EXECUTE ON FUNCTION vault.decrypt",
    ];
    for grant in grants {
        let failure = owner.failure("SELECT clerk.add_webhook_signing_secret('vault:hook')");
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(failure.message.contains("vault_let_in_owner"), "{failure:?}");
        assert!(
            failure.hint.is_some_and(|hint| hint.contains(&grant[..6])),
            "{grant}"
        );
        superuser.run(&format!("GRANT {grant} TO vault_let_in_owner"));
    }
    add(&mut owner, "vault:hook");
    // Nobody else needs to be.
    assert_eq!(deliver(&mut service, &secret), APPLIED);
    superuser.run("REVOKE SELECT ON vault.decrypted_secrets FROM vault_let_in_owner");
    assert_eq!(deliver(&mut service, &secret), NO_SECRET);
    assert_eq!(listed(&mut owner, "usable"), "false");
}

#[test]
fn a_vault_made_by_a_stranger_is_not_looked_into() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    install(&mut owner);
    put(&mut owner, "hook", &new_signing_secret());
    add(&mut owner, "vault:hook");
    owner.run("DROP SCHEMA vault CASCADE");

    let stranger = format!("stranger_{}", db.name());
    let secret = new_signing_secret();
    owner.run(&format!(
        "CREATE ROLE {stranger} LOGIN; GRANT CREATE ON DATABASE {} TO {stranger}; CREATE TABLE caught (role text);
         GRANT INSERT ON caught TO PUBLIC",
        db.name()
    ));
    let mut session = db.connect(&stranger);
    let trap = format!(
        "CREATE FUNCTION vault.trap() RETURNS text LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO public.caught VALUES (current_user); RETURN '{secret}'; END $$;
         CREATE VIEW vault.decrypted_secrets AS
             SELECT gen_random_uuid() AS id, 'hook'::text AS name, vault.trap() AS decrypted_secret;
         GRANT USAGE ON SCHEMA vault TO PUBLIC; GRANT SELECT ON vault.decrypted_secrets TO PUBLIC"
    );
    session.run(&format!("CREATE SCHEMA vault; {trap}"));
    let assert_not_used = |owner: &mut Client| {
        let failure = owner.failure("SELECT clerk.add_webhook_signing_secret('vault:hook')");
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert_eq!(deliver(&mut db.connect("service_role"), &secret), NO_SECRET);
        assert_eq!(deliver(owner, &secret), NO_SECRET);
        assert_eq!(listed(owner, "usable"), "false");
        assert_eq!(owner.value::<i64>("SELECT count(*) FROM caught"), 0);
    };
    assert_not_used(&mut owner);
    // Whoever owns the schema can put another view there at any time.
    owner.run("ALTER VIEW vault.decrypted_secrets OWNER TO postgres");
    assert_not_used(&mut owner);
    session.run("DROP SCHEMA vault CASCADE");
    owner.run(&format!(
        "CREATE SCHEMA vault; GRANT USAGE, CREATE ON SCHEMA vault TO {stranger}"
    ));
    session.run(&trap.replace("GRANT USAGE ON SCHEMA vault TO PUBLIC;", ""));
    assert_not_used(&mut owner);
}
