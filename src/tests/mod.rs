//! Tests of what only shows inside a server, one transaction each. What users of SQL see is tested by pg_regress.

/// The test framework calls the functions of a schema of this name.
#[pgrx::pg_schema]
#[allow(clippy::module_inception)]
mod tests {
    use pgrx::JsonB;
    use pgrx::prelude::*;

    use crate::operations::key_store::issuer_hash;
    use crate::token::trust;
    use crate::{clock, json};

    /// The answer of a query of one row and one column.
    fn ask<T: FromDatum + IntoDatum>(query: &str, argument: &str) -> T {
        Spi::get_one_with_args(query, &[argument.into()])
            .expect("the query runs")
            .expect("its answer is not NULL")
    }

    /// A worker gets the hash as its argument and finds the instance by SQL's.
    #[pg_test]
    fn issuer_hash_is_that_of_sql() {
        for issuer in [
            "https://clerk.example.com",
            "https://clerk.täst.example",
            "h",
            &"x".repeat(2048),
        ] {
            let expected: i64 = ask("SELECT pg_catalog.hashtextextended($1, 0)", issuer);
            assert_eq!(issuer_hash(issuer), expected, "{issuer}");
        }
    }

    #[pg_test]
    fn claims_become_the_jsonb_that_postgres_makes() {
        for claims in [
            r#"{"sub":"user_ada","exp":1700000060,"o":{"per":[]}}"#,
            r#"{"name":"Zoë \" \\u0000 \u00eb","n":null}"#,
        ] {
            let expected: JsonB = ask("SELECT $1::jsonb", claims);
            assert_eq!(jsonb(claims).0, expected.0);
        }
    }

    #[pg_test]
    fn a_nul_in_claims_becomes_the_replacement_character() {
        let expected: JsonB = ask("SELECT $1::jsonb", "{\"na\u{fffd}me\":\"\u{fffd}\"}");
        assert_eq!(jsonb(r#"{"na\u0000me":"\u0000"}"#).0, expected.0);
    }

    fn jsonb(claims: &str) -> JsonB {
        let datum = json::to_datum(&json::to_jsonb(claims));
        // SAFETY: `to_jsonb` gives the bytes of a jsonb value.
        unsafe { JsonB::from_datum(datum, false) }.expect("a value")
    }

    #[pg_test]
    fn times_count_from_1970() {
        let expected: f64 = ask(
            "SELECT extract(epoch FROM statement_timestamp())::float8 WHERE $1 = ''",
            "",
        );
        assert!((clock::statement_time() - expected).abs() < 0.001);
        let stored: TimestampWithTimeZone = ask("SELECT $1::timestamptz", "2001-09-09 01:46:40 UTC");
        assert_eq!(clock::from_timestamp(stored), 1_000_000_000.0);
    }

    /// The tables of trust empty the caches; noting how a fetch went must not, or every attempt would.
    #[pg_test]
    fn only_the_tables_of_trust_announce_their_changes() {
        trust::current();
        let changed_by = |statement: &str| {
            let before = trust::changes();
            Spi::run(statement).expect("the statement runs");
            trust::current();
            trust::changes() != before
        };
        assert!(changed_by(
            "INSERT INTO clerk.instances (issuer, environment) VALUES ('https://a.example', 'production')"
        ));
        assert!(changed_by(
            "INSERT INTO clerk.jwks (issuer, kid, n, e, origin) VALUES ('https://a.example', 'k', 'n', 'e', 'imported')"
        ));
        assert!(changed_by(
            "INSERT INTO clerk.settings (identity_source) VALUES ('token')"
        ));
        assert!(!changed_by(
            "INSERT INTO clerk.jwks_fetches (issuer, attempted_at) VALUES ('https://a.example', now())"
        ));
        assert!(!changed_by("UPDATE clerk.jwks_fetches SET succeeded_at = now()"));
        assert!(changed_by("DELETE FROM clerk.instances"));
    }
}
