//! A database of one test, and what its server says.

use std::sync::{Arc, Mutex};

use clerk_sim::Simulator;
use postgres::Client;
use postgres::error::DbError;

use crate::cluster::Cluster;
use crate::sql::{Failure, Sql};

/// A new database with the extension, on a server that other tests may share.
pub struct TestDb<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl TestDb<'static> {
    /// A database on the server that the tests of this process share.
    pub fn shared() -> Self {
        Cluster::shared().create_database()
    }
}

impl<'c> TestDb<'c> {
    pub(crate) fn new(cluster: &'c Cluster, name: String) -> Self {
        Self { cluster, name }
    }

    /// The server it is on.
    pub fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session of this role.
    pub fn connect(&self, role: &str) -> Client {
        self.cluster.connect_to(&self.name, role)
    }

    /// A session of this role, and the notices in it.
    pub fn connect_with_notices(&self, role: &str) -> (Client, Notices) {
        self.cluster.connect_with_notices(&self.name, role)
    }

    /// A session of the superuser, who also owns the extension.
    pub fn superuser(&self) -> Client {
        self.connect("postgres")
    }

    /// Trusts the simulated instance and fetches its keys.
    ///
    /// # Panics
    /// If that leaves the database without a key.
    pub fn configure(&self, clerk: &Simulator) {
        let keys: i32 = self.superuser().value_of(
            "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2, additional => true)",
            &[&clerk.issuer(), &clerk.jwks_url()],
        );
        assert!(keys > 0, "no key was fetched from {}", clerk.jwks_url());
    }
}

impl Drop for TestDb<'_> {
    fn drop(&mut self) {
        // While a test fails already, a second panic would hide its message.
        if !std::thread::panicking() {
            self.cluster.assert_no_crash();
        }
    }
}

/// Notices and warnings of one session, in order.
#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<Failure>>>);

impl Notices {
    pub(crate) fn push(&self, notice: DbError) {
        self.0.lock().expect("no holder panics").push(notice.into());
    }

    /// Those since the last call.
    pub fn take(&self) -> Vec<Failure> {
        std::mem::take(&mut *self.0.lock().expect("no holder panics"))
    }
}
