//! Sessions in which somebody shows a token, and other things that most of these tests do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_sim::{Options, Simulator, Token};
use clerk_tests::{Failure, Sql, TestDb};
use postgres::{Client, Row};

/// How long anything may take that happens by itself; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// An instance with that issuer.
pub fn simulator(issuer: &str) -> Simulator {
    let options = Options {
        issuer: issuer.to_owned(),
        ..Options::default()
    };
    Simulator::start_with(options).expect("a loopback port is free")
}

/// A genuine token of that user, good for longer than any test.
pub fn token_of(clerk: &Simulator, user: &str) -> String {
    clerk.mint(Token::session(clerk.issuer(), user).expires_in(3600))
}

/// Whom the database takes the bearer for, in a transaction of its own.
pub fn user(session: &mut Client, token: &str) -> Result<Option<String>, Failure> {
    user_in(session, token, false)
}

/// As [`user`], in a READ ONLY transaction if so wanted.
pub fn user_in(session: &mut Client, token: &str, read_only: bool) -> Result<Option<String>, Failure> {
    let mut transaction = session.transaction().expect("a transaction can be started");
    if read_only {
        transaction.run("SET TRANSACTION READ ONLY");
    }
    show(&mut transaction, token);
    let row = transaction.query_one("SELECT clerk.current_user_id()", &[])?;
    Ok(row.get(0))
}

/// Sets `clerk.jwt` for the rest of the transaction.
pub fn show(transaction: &mut impl Sql, token: &str) {
    let _: String = transaction.value_of("SELECT set_config('clerk.jwt', $1, true)", &[&token]);
}

/// # Panics
/// Unless the bearer counts as that user.
#[track_caller]
pub fn assert_user(session: &mut Client, token: &str, expected: &str) {
    assert_eq!(user(session, token), Ok(Some(expected.to_owned())));
}

/// # Panics
/// Unless the token is refused, as class 28, with Clerk's code for that reason.
#[track_caller]
pub fn assert_refused(session: &mut Client, token: &str, reason: &str) {
    match user(session, token) {
        Ok(user) => panic!("the token counts as {user:?}"),
        Err(failure) => assert_eq!(failure.refusal(), ("28", reason), "{failure:?}"),
    }
}

/// The answer of `clerk.configure` to these arguments.
///
/// # Panics
/// If it is an error.
#[track_caller]
pub fn configure(owner: &mut Client, arguments: &str) -> Row {
    let query = format!("SELECT * FROM clerk.configure({arguments})");
    owner
        .query_one(&query, &[])
        .unwrap_or_else(|error| panic!("{error:?}\nin: {query}"))
}

/// Trusts the simulated instance without a URL: its keys are imported and nothing is ever fetched.
pub fn configure_with_imported_keys(db: &TestDb, clerk: &Simulator) {
    let mut owner = db.superuser();
    let issuer = clerk.issuer();
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{issuer}', jwks_url => '')"
    ));
    import(&mut owner, issuer, clerk);
}

/// Makes the keys of `clerk` the whole set of the instance with that issuer.
pub fn import(owner: &mut impl Sql, issuer: &str, clerk: &Simulator) {
    owner.run(&format!(
        "SELECT clerk.import_jwks('{issuer}', '{}')",
        clerk.jwks()
    ));
}

/// Changes a setting (GUC) for every session, and every worker, that starts from now on in the database.
pub fn set(db: &TestDb, name: &str, value: &str) {
    let name_of_database = db.name();
    // Loading the library makes the name known.
    db.superuser().run(&format!(
        "LOAD 'clerk_sync'; ALTER DATABASE {name_of_database} SET {name} = '{value}'"
    ));
}

/// Waits until `happened` is true.
///
/// # Panics
/// If that takes far longer than it could.
#[track_caller]
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(20));
    }
}
