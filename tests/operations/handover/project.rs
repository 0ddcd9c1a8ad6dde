//! A Supabase project that has handed everything over: its owner is no superuser, PostgREST is connected, Realtime's tenants are
//! kept up to date.

use clerk_sim::{Simulator, Token};
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use super::postgrest::Secret;
use super::{SECRET_BASE64URL, connect};
use crate::scene::verified;

/// Realtime's table, as its migrations make it (priv/repo/migrations), with two tenants: as Realtime starts without keys in its
/// environment, and with old ones.
const TENANTS: &str = r#"
    CREATE TABLE _realtime.tenants (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255), external_id varchar(255) UNIQUE,
        jwt_secret varchar(255), jwt_jwks jsonb,
        CONSTRAINT jwt_secret_or_jwt_jwks_required CHECK (jwt_secret IS NOT NULL OR jwt_jwks IS NOT NULL)
    );
    INSERT INTO _realtime.tenants (name, external_id, jwt_secret) VALUES ('realtime-dev', 'realtime-dev', 'encrypted');
    INSERT INTO _realtime.tenants (name, external_id, jwt_jwks) VALUES ('other', 'other', '{"keys": []}')"#;

/// Makes Realtime's table; gives a session of its owner.
pub fn realtime(cluster: &Cluster, database: &str) -> Client {
    let mut admin = cluster.connect_to(database, "supabase_admin");
    admin.run("CREATE SCHEMA _realtime");
    admin.run(TENANTS);
    admin
}

/// The key sets of Realtime's tenants.
pub fn tenants(admin: &mut Client) -> Vec<Value> {
    let rows = admin
        .query("SELECT jwt_jwks FROM _realtime.tenants ORDER BY external_id", &[])
        .expect("the table is there");
    rows.iter().map(|row| row.get::<_, Json<Value>>(0).0).collect()
}

/// What GoTrue signs with, as a JWK.
pub fn own_key() -> Value {
    json!({"kty": "oct", "use": "sig", "alg": "HS256", "k": SECRET_BASE64URL})
}

pub struct Project<'c> {
    pub db: TestDb<'c>,
    pub clerk: Simulator,
}

impl<'c> Project<'c> {
    /// A database of the role `project` with Realtime's table, and without the extension.
    pub fn bare(cluster: &'c Cluster) -> Self {
        let db = cluster.create_database();
        db.superuser().run(&format!(
            "DROP EXTENSION clerk_sync; DROP SCHEMA clerk; CREATE ROLE project LOGIN;
             GRANT anon, authenticated, service_role TO project;
             GRANT CREATE ON DATABASE {} TO project; GRANT CREATE ON SCHEMA public TO project",
            db.name()
        ));
        realtime(cluster, db.name());
        Self {
            db,
            clerk: Simulator::start(),
        }
    }

    /// Installs the extension and hands the keys over.
    pub fn connect(&self) {
        let mut owner = self.owner();
        owner.run("CREATE EXTENSION clerk_sync");
        let keys: i32 = owner.value_of(
            "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2)",
            &[&self.clerk.issuer(), &self.clerk.jwks_url()],
        );
        assert_eq!(keys, 1);
        connect(&mut owner);
        owner.run("SELECT clerk.sync_realtime_keys()");
    }

    pub fn owner(&self) -> Client {
        self.db.connect("project")
    }

    /// # Panics
    /// Unless Clerk's key as it is now counts everywhere, the operator's own too, and no other.
    pub fn assert_handed_over(&self, what: &str) {
        let published = self.clerk.jwks()["keys"][0].clone();
        let mut owner = self.owner();
        let token = self
            .clerk
            .mint(Token::session(self.clerk.issuer(), "user_ada").expires_in(3600));
        assert_eq!(
            verified(&mut owner, &token),
            Ok("user_ada".to_owned()),
            "{what}: verify_jwt"
        );
        let given = self.given_to_postgrest();
        assert_set(&given, &published, &format!("{what}: postgrest_config"));
        let sets = tenants(&mut self.db.connect("supabase_admin"));
        assert_eq!(sets.len(), 2);
        for set in sets {
            let keys = set["keys"].as_array().cloned().unwrap_or_default();
            assert_set(&keys, &published, &format!("{what}: Realtime"));
        }
    }

    /// What PostgREST gets when it reads its configuration now.
    fn given_to_postgrest(&self) -> Vec<Value> {
        let mut session = self.db.connect("authenticator");
        let mut transaction = session.transaction().expect("a transaction can begin");
        transaction.run("SELECT clerk.postgrest_config()");
        let secret: String = transaction.value("SELECT current_setting('pgrst.jwt_secret')");
        match Secret::parse(&secret) {
            Ok(Secret::Keys(keys)) => keys,
            other => panic!("{other:?}"),
        }
    }
}

/// # Panics
/// Unless these are the operator's own key and the published one.
pub fn assert_set(keys: &[Value], published: &Value, what: &str) {
    assert_eq!(keys.len(), 2, "{what}: {keys:?}");
    assert_eq!(keys[0], own_key(), "{what}");
    for member in ["kty", "use", "kid", "alg", "n", "e"] {
        assert_eq!(keys[1][member], published[member], "{what}: {member}");
    }
}
