//! Short ways to say what tests say most.

use postgres::GenericClient;
use postgres::error::DbError;
use postgres::types::{FromSqlOwned, ToSql};

/// An error or a notice, as a client of any kind sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Five characters; the first two are the class.
    pub sqlstate: String,
    /// What happened.
    pub message: String,
    /// For tokens Clerk's reason code.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self {
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
        }
    }
}

impl From<postgres::Error> for Failure {
    /// # Panics
    /// If the error is not one that the server sent: then the session is lost.
    fn from(error: postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => error.clone().into(),
            None => panic!("no error of the server, but of the connection: {error:?}"),
        }
    }
}

impl Failure {
    /// Class and reason of a refused token: `("28", "token-expired")`.
    pub fn refusal(&self) -> (&str, &str) {
        (&self.sqlstate[..2], self.detail.as_deref().unwrap_or_default())
    }
}

/// What tests do with a session or a transaction. All of it panics where the server answers otherwise.
pub trait Sql: GenericClient {
    /// Runs statements for their effect.
    fn run(&mut self, statements: &str) {
        if let Err(error) = self.batch_execute(statements) {
            panic!("{:?}\nin: {statements}", Failure::from(error));
        }
    }

    /// The only value of the only row.
    fn value<T: FromSqlOwned>(&mut self, query: &str) -> T {
        self.value_of(query, &[])
    }

    /// As [`Sql::value`], with parameters.
    fn value_of<T: FromSqlOwned>(&mut self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> T {
        match self.query_one(query, parameters) {
            Ok(row) => row.get(0),
            Err(error) => panic!("{:?}\nin: {query}", Failure::from(error)),
        }
    }

    /// The error that the statement must give.
    fn failure(&mut self, statement: &str) -> Failure {
        self.failure_of(statement, &[])
    }

    /// As [`Sql::failure`], with parameters.
    fn failure_of(&mut self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Failure {
        match self.query(statement, parameters) {
            Ok(rows) => panic!("{} rows instead of an error\nin: {statement}", rows.len()),
            Err(error) => error.into(),
        }
    }
}

impl<C: GenericClient> Sql for C {}
