//! Clerk's keys in PostgREST, Realtime and their neighbours, as a self-hosted Supabase has them.
//!
//! `postgrest` is a stand-in for PostgREST over its life: how it reads its configuration, with its own statement, and when. Where the
//! environment variable `POSTGREST` names the program, `restarts` and `rotation` measure that one, and the stand-in's reading of keys
//! is compared with it.

mod api;
mod connecting;
mod databases;
mod lines;
pub mod postgrest;
mod power;
pub mod project;
mod realtime;
mod relaying;
mod requests;
mod restarts;
pub mod rotation;
mod shared_secrets;
mod traps;

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Failure, Sql, TestDb};
use postgres::Client;
use serde_json::Value;

/// What GoTrue signs with, and PostgREST therefore trusts: the example of Supabase's documentation.
pub const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
/// The same as base64url, by coreutils.
const SECRET_BASE64URL: &str = "c3VwZXItc2VjcmV0LWp3dC10b2tlbi13aXRoLWF0LWxlYXN0LTMyLWNoYXJhY3RlcnMtbG9uZw";

/// A server with Supabase's login role. Its settings are the whole server's, so every test has its own.
fn supabase() -> Cluster {
    as_supabase(Cluster::start(&[]))
}

/// A server that gets Supabase's login role.
pub fn as_supabase(cluster: Cluster) -> Cluster {
    cluster.superuser().run(
        "CREATE ROLE authenticator LOGIN NOINHERIT; GRANT anon, authenticated, service_role TO authenticator;
         CREATE ROLE supabase_admin SUPERUSER LOGIN",
    );
    cluster
}

/// A database on it that trusts the simulated instance.
fn trusting<'c>(cluster: &'c Cluster, clerk: &Simulator) -> TestDb<'c> {
    let db = cluster.create_database();
    db.configure(clerk);
    db
}

/// A database of an ordinary role that installs the extension, and its session.
fn owned(cluster: &Cluster, owner: &str) -> Client {
    let mut superuser = cluster.superuser();
    superuser.run(&format!("CREATE ROLE {owner} LOGIN CREATEROLE"));
    superuser.run(&format!("CREATE DATABASE {owner}_db OWNER {owner}"));
    let mut session = cluster.connect_to(&format!("{owner}_db"), owner);
    session.run("CREATE EXTENSION clerk_sync");
    session
}

/// Connects PostgREST, which has the shared secret.
fn connect(owner: &mut Client) -> Value {
    connect_with(owner, SECRET)
}

fn connect_with(owner: &mut Client, existing_keys: &str) -> Value {
    let answer: String = owner.value_of("SELECT clerk.connect_postgrest($1)::text", &[&existing_keys]);
    serde_json::from_str(&answer).expect("the answer is JSON")
}

/// The error of connecting, which changes no setting and says what to do next.
fn refusal(owner: &mut Client, existing_keys: Option<&str>) -> Failure {
    let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&existing_keys]);
    assert_eq!(settings_of_authenticator(owner), [] as [&str; 0], "{failure:?}");
    assert!(
        failure.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
        "{failure:?}"
    );
    failure
}

/// One column of `clerk.postgrest_connection()`, as text.
fn connection(owner: &mut impl Sql, column: &str) -> Option<String> {
    owner.value(&format!(
        "SELECT ({column})::text FROM clerk.postgrest_connection()"
    ))
}

/// What role authenticator has in pg_db_role_setting, everywhere.
pub fn settings_of_authenticator(owner: &mut impl Sql) -> Vec<String> {
    owner.value(
        "SELECT coalesce(array_agg(entry ORDER BY entry), '{}') FROM pg_db_role_setting, unnest(setconfig) AS entry
         WHERE setrole = 'authenticator'::regrole",
    )
}
