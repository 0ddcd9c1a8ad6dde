//! Requests as PostgREST sends them through a pool: one connection, each request in a transaction of its own.

use clerk_tests::{Sql, TestDb};
use postgres::{Client, Transaction};
use serde_json::{Value, json};

use crate::scene::{Caller, claims, database, some, token, with};

/// What a stranger's request brings along.
fn anonymous() -> Value {
    json!({"role": "anon"})
}

/// The payload of a token that Supabase Auth (GoTrue) signed.
fn gotrue() -> Value {
    json!({
        "iss": "https://project.example/auth/v1", "sub": "0b5b5f0c-3d0c-4f0e-9a75-6e34f0d2a1b7", "aud": "authenticated",
        "role": "authenticated", "email": "ada@example.com", "session_id": "8d0b6d50-8a57-4f3b-9f6a-16f4d0a7c1de",
        "aal": "aal1", "is_anonymous": false, "exp": 4_000_000_000_i64, "iat": 1_700_000_000,
    })
}

/// The payload of Supabase's own service key.
fn service_key() -> Value {
    json!({"iss": "supabase", "ref": "project", "role": "service_role", "iat": 1_700_000_000, "exp": 4_000_000_000_i64})
}

/// Begins a transaction with the settings of a request, in one statement as PostgREST does.
fn request<'a>(pooled: &'a mut Client, claims: &Value) -> Transaction<'a> {
    let mut request = pooled.transaction().expect("no transaction is open");
    let role = claims["role"]
        .as_str()
        .expect("PostgREST always adds a role")
        .to_owned();
    request
        .execute(
            "SELECT set_config('search_path', 'public', true), set_config('role', $1, true), \
             set_config('request.jwt.claims', $2, true), set_config('request.method', 'GET', true)",
            &[&role, &claims.to_string()],
        )
        .expect("the settings can be set");
    request
}

/// A table as a manual would show it: everybody sees and makes their own rows.
fn create_table(db: &TestDb) {
    db.superuser().run(
        "CREATE TABLE notes (
             id int GENERATED ALWAYS AS IDENTITY,
             owner_id text DEFAULT clerk.current_user_id(),
             note text
         );
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON notes
             USING (owner_id = clerk.current_user_id())
             WITH CHECK (owner_id = clerk.current_user_id());
         GRANT ALL ON notes TO anon, authenticated, service_role",
    );
}

fn notes(request: &mut Transaction) -> Vec<String> {
    request.value("SELECT coalesce(array_agg(note ORDER BY note), '{}') FROM notes")
}

#[test]
fn two_people_see_only_their_own_rows() {
    let db = database();
    create_table(&db);
    let mut pooled = db.connect("app");
    for (user, note) in [("user_ada", "Ada's"), ("user_bob", "Bob's")] {
        let mut request = request(&mut pooled, &claims(user));
        request
            .execute("INSERT INTO notes (note) VALUES ($1)", &[&note])
            .unwrap();
        request.commit().unwrap();
    }
    for (user, expected) in [("user_ada", "Ada's"), ("user_bob", "Bob's")] {
        let mut request = request(&mut pooled, &claims(user));
        assert_eq!(notes(&mut request), [expected]);
        let touched = request.execute("UPDATE notes SET note = note", &[]).unwrap();
        assert_eq!(touched, 1, "nor changes others'");
    }
    let mut ada = request(&mut pooled, &claims("user_ada"));
    let failure = ada.failure("INSERT INTO notes (owner_id, note) VALUES ('user_bob', 'forged')");
    assert_eq!(failure.sqlstate, "42501");
    assert!(failure.message.contains("row-level security"), "{failure:?}");
}

#[test]
fn strangers_see_nothing_without_an_error() {
    let db = database();
    create_table(&db);
    db.superuser()
        .run("INSERT INTO notes (owner_id, note) VALUES ('user_ada', 'Ada''s'), (NULL, 'nobody''s')");
    let mut pooled = db.connect("app");
    for stranger in [
        anonymous(),
        gotrue(),
        with(anonymous(), json!({"iss": "supabase"})),
    ] {
        let mut request = request(&mut pooled, &stranger);
        assert_eq!(notes(&mut request), [""; 0], "{stranger}");
        assert_eq!(
            request.execute("DELETE FROM notes", &[]).unwrap(),
            0,
            "{stranger}"
        );
        assert!(!request.value::<bool>("SELECT clerk.has_role('admin') OR clerk.has_permission('org:a:b')"));
    }
}

#[test]
fn the_service_key_inserts_through_a_column_default() {
    let db = database();
    create_table(&db);
    let mut pooled = db.connect("app");
    let mut request = request(&mut pooled, &service_key());
    let owner: Option<String> =
        request.value("INSERT INTO notes (note) VALUES ('by a job') RETURNING owner_id");
    assert_eq!(owner, None);
    assert_eq!(
        notes(&mut request),
        ["by a job"],
        "service_role bypasses row level security"
    );
}

#[test]
fn a_token_left_behind_in_a_pooled_connection_never_counts() {
    let db = database();
    create_table(&db);
    db.superuser()
        .run("INSERT INTO notes (owner_id, note) VALUES ('user_ada', 'Ada''s'), ('user_eve', 'Eve''s')");
    let mut pooled = db.connect("app");
    let mut eve = request(&mut pooled, &claims("user_eve"));
    eve.execute("SELECT set_config('clerk.jwt', $1, false)", &[&token("user_eve")])
        .unwrap();
    eve.commit().unwrap();

    let mut ada = request(&mut pooled, &claims("user_ada"));
    assert_eq!(notes(&mut ada), ["Ada's"]);
    ada.commit().unwrap();
    for stranger in [anonymous(), gotrue(), service_key()] {
        let mut request = request(&mut pooled, &stranger);
        assert_eq!(
            request.value::<Option<String>>("SELECT clerk.current_user_id()"),
            None,
            "{stranger}"
        );
    }
    // It had been left behind: without PostgREST's settings it is the identity.
    assert_eq!(pooled.user(), some("user_eve"));
}
