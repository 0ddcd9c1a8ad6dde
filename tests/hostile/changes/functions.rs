//! What can become of a function.

use postgres::Client;

use super::{Change, rows};

pub fn changes(owner: &mut Client) -> Vec<Change> {
    let functions = rows::<4>(
        owner,
        "SELECT p.oid::regprocedure::text, p.prokind::text, p.pronargs::text, p.oid::regproc::text FROM pg_proc AS p
         WHERE p.pronamespace = 'clerk'::regnamespace ORDER BY p.proname",
    );
    let mut changes = Vec::new();
    for [signature, kind, arguments, name] in functions {
        let arguments = arguments.parse().expect("a number");
        let mut push = |what: &str, statements: String| {
            changes.push(Change {
                function: (kind == "f").then(|| (name.clone(), arguments)),
                ..Change::new(format!("{signature}: {what}"), statements)
            });
        };
        let word = if kind == "p" { "PROCEDURE" } else { "FUNCTION" };
        let options: &[&str] = match kind.as_str() {
            "p" => &[
                "SECURITY DEFINER",
                "SET search_path = pg_temp, public",
                "SET role = tenant",
            ],
            _ => &[
                "CALLED ON NULL INPUT",
                "STRICT",
                "IMMUTABLE",
                "VOLATILE",
                "PARALLEL SAFE",
                "SECURITY DEFINER",
                "SECURITY INVOKER",
                "RESET ALL",
                "SET search_path = pg_temp, public",
                "SET statement_timeout = '1ms'",
                "SET role = anon",
                "SET client_encoding = latin1",
            ],
        };
        for option in options {
            push(option, format!("ALTER {word} {signature} {option}"));
        }
        push("renamed", format!("ALTER {word} {signature} RENAME TO mine"));
        push(
            "given away",
            format!("ALTER {word} {signature} SET SCHEMA public"),
        );
        push(
            "nothing",
            format!("SELECT tools.replace_function($x${signature}$x$, 'plpgsql', 'NULL')"),
        );
        push(
            "raises",
            format!(
                "SELECT tools.replace_function($x${signature}$x$, 'plpgsql', $y$BEGIN RAISE 'mine'; END$y$)"
            ),
        );
        push(
            "calls itself",
            format!(
                "SELECT tools.replace_function($x${signature}$x$, 'plpgsql', $y$BEGIN PERFORM clerk.maintain(); RAISE 'mine'; END$y$)"
            ),
        );
    }
    changes
}
