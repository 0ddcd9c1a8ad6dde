//! Values that a running statement holds while the claims change and transactions end under it.

use clerk_tests::{Sql, TestDb};

use crate::scene::{Setting, database, some};

/// A procedure that is told who called, then becomes others, and ends transactions in between.
fn create_procedure(db: &TestDb, transaction_end: &str) {
    db.superuser().run(&format!(
        "CREATE TABLE seen (step int, argument text, now text);
         GRANT ALL ON seen TO PUBLIC;
         CREATE PROCEDURE p(caller text, setting text, credentials text[]) LANGUAGE plpgsql AS $$
         BEGIN
             FOR step IN 1..cardinality(credentials) LOOP
                 PERFORM set_config(setting, credentials[step], false);
                 -- Takes the memory of former values, if they were freed.
                 PERFORM clerk.current_user_id(), clerk.current_claims(), clerk.current_session_id();
                 {transaction_end};
                 PERFORM set_config(setting, credentials[step], false);
                 INSERT INTO seen VALUES (step, caller, clerk.current_user_id());
                 COMMIT;
             END LOOP;
         END $$"
    ));
}

fn argument_stays(transaction_end: &str) {
    let db = database();
    create_procedure(&db, transaction_end);
    for setting in Setting::BOTH {
        let mut app = db.connect("app");
        app.run("DELETE FROM seen");
        app.run(&setting.set("user_the_caller"));
        let others = [
            "user_somebody_1",
            "user_somebody_2",
            "user_somebody_3",
            "user_somebody_4",
        ];
        let credentials = others.map(|user| format!("'{}'", setting.value(user))).join(", ");
        app.run(&format!(
            "CALL p(clerk.current_user_id(), '{}', ARRAY[{credentials}])",
            setting.name()
        ));
        let seen = app
            .query("SELECT argument, now FROM seen ORDER BY step", &[])
            .unwrap();
        let seen: Vec<(String, String)> = seen.iter().map(|row| (row.get(0), row.get(1))).collect();
        let expected = others.map(|user| ("user_the_caller".to_owned(), user.to_owned()));
        assert_eq!(seen, expected, "{setting:?}");
    }
}

#[test]
fn the_argument_of_a_procedure_that_commits_stays() {
    argument_stays("COMMIT");
}

#[test]
fn the_argument_of_a_procedure_that_rolls_back_stays() {
    argument_stays("ROLLBACK");
}

/// The values of one row are all in use until the row is sent.
#[test]
fn values_of_many_identities_in_one_row_stay() {
    let db = database();
    let mut app = db.connect("app");
    for setting in Setting::BOTH {
        let columns: Vec<String> = (0..20)
            .flat_map(|number| {
                let user = format!("user_{number}");
                [
                    setting.set_local_expression(&user),
                    "clerk.current_user_id()".to_owned(),
                ]
            })
            .collect();
        let row = app
            .query_one(&format!("SELECT {}", columns.join(", ")), &[])
            .unwrap();
        for number in 0..20 {
            assert_eq!(
                row.get::<_, Option<String>>(2 * number + 1),
                some(&format!("user_{number}"))
            );
        }
    }
}
