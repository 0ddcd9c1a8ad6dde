//! SQL text: its code, and moving names from schema `clerk` into another one.

use clerk_core::sql_text::{Misaligned, Names, code, move_body, move_printed};

fn names() -> Names {
    let functions = ["current_user_id", "has_role"].map(str::to_owned);
    let relations = ["users", "me"].map(str::to_owned);
    Names::new(functions, relations, "\"My \"\"data\"\"\"")
}

fn printed(qualified: &str, unqualified: &str) -> String {
    move_printed(qualified, unqualified, &names(), false).expect("both print the same")
}

#[test]
fn what_our_schema_qualifies_moves() {
    assert_eq!(
        printed(
            "(owner_id = ( SELECT clerk.current_user_id() AS current_user_id))",
            "(owner_id = ( SELECT current_user_id() AS current_user_id))"
        ),
        "(owner_id = ( SELECT \"My \"\"data\"\"\".current_user_id() AS current_user_id))"
    );
    assert_eq!(
        printed(
            "clerk.has_role('a'::text) AND clerk.has_role('b'::text)",
            "has_role('a'::text) AND has_role('b'::text)"
        ),
        "\"My \"\"data\"\"\".has_role('a'::text) AND \"My \"\"data\"\"\".has_role('b'::text)"
    );
}

#[test]
fn aliases_strings_and_quoted_names_stay() {
    // An alias prints the same, whatever the search path; so does what is inside quotes.
    for text in [
        "SELECT clerk.users FROM staff clerk WHERE (clerk.note = 'clerk.users'::text)",
        "\"clerk.users\".\"clerk\" = E'it''s \\\\ clerk.users'",
        "(staff.clerk).users",
    ] {
        assert_eq!(printed(text, text), text);
    }
    assert_eq!(
        printed(
            "EXISTS ( SELECT FROM clerk.users clerk WHERE (clerk.users = 'clerk.users'::text))",
            "EXISTS ( SELECT FROM users clerk WHERE (clerk.users = 'clerk.users'::text))"
        ),
        "EXISTS ( SELECT FROM \"My \"\"data\"\"\".users clerk WHERE (clerk.users = 'clerk.users'::text))"
    );
}

#[test]
fn what_does_not_move_stays_where_it_is() {
    assert_eq!(printed("clerk.whoami()", "whoami()"), "clerk.whoami()");
    assert_eq!(
        printed("'clerk.whoami'::regproc", "'whoami'::regproc"),
        "'clerk.whoami'::regproc"
    );
}

#[test]
fn an_object_named_in_a_string_moves() {
    assert_eq!(
        printed(
            "'clerk.users'::regclass <> 'clerk.users'::text",
            "'users'::regclass <> 'clerk.users'::text"
        ),
        "'\"My \"\"data\"\"\".users'::regclass <> 'clerk.users'::text"
    );
    assert_eq!(
        printed(
            "'clerk.has_role(text)'::regprocedure",
            "'has_role(text)'::regprocedure"
        ),
        "'\"My \"\"data\"\"\".has_role(text)'::regprocedure"
    );
}

#[test]
fn two_different_things_are_refused() {
    for (qualified, unqualified) in [
        ("clerk.users", "organizations"),
        ("clerk.users", "clerk.users x"),
        ("a b", "a"),
        ("other.users", "users"),
        ("'clerk.users'", "'members'"),
    ] {
        assert_eq!(
            move_printed(qualified, unqualified, &names(), false),
            Err(Misaligned),
            "{qualified}"
        );
    }
}

#[test]
fn calls_that_depend_on_no_row_are_made_once() {
    let once = |qualified: &str| {
        let unqualified = qualified.replace("clerk.", "");
        let names = Names::new(["f"].map(str::to_owned), ["t"].map(str::to_owned), "new");
        move_printed(qualified, &unqualified, &names, true).expect("both print the same")
    };
    for (before, after) in [
        ("(a = clerk.f())", "(a = (SELECT new.f()))"),
        (
            "clerk.f('x'::text, ARRAY['y'::text, NULL::text])",
            "(SELECT new.f('x'::text, ARRAY['y'::text, NULL::text]))",
        ),
        (
            "clerk.f(VARIADIC ARRAY['x)'::text]) AND b",
            "(SELECT new.f(VARIADIC ARRAY['x)'::text])) AND b",
        ),
        (
            "clerk.f(role => 'x'::text, n => 1)",
            "(SELECT new.f(role => 'x'::text, n => 1))",
        ),
        (
            "clerk.f('1'::numeric(3))) OR clerk.f()",
            "(SELECT new.f('1'::numeric(3)))) OR (SELECT new.f())",
        ),
        // Once already.
        (
            "( SELECT clerk.f('x'::text) AS f)",
            "( SELECT new.f('x'::text) AS f)",
        ),
        // These are asked of each row.
        ("clerk.f(column_name)", "new.f(column_name)"),
        (
            "clerk.f(('x'::text || \"Column\"))",
            "new.f(('x'::text || \"Column\"))",
        ),
        ("clerk.f(clerk.f())", "new.f((SELECT new.f()))"),
        ("clerk.f(t.a)", "new.f(t.a)"),
        ("( SELECT FROM clerk.t)", "( SELECT FROM new.t)"),
    ] {
        assert_eq!(once(before), after, "{before}");
    }
}

fn body(text: &str) -> (String, Vec<String>) {
    let known = |name: &str| ["current_user_id", "has_role", "users", "me", "whoami"].contains(&name);
    let body = move_body(text, &names(), &known);
    (body.moved, body.left)
}

#[test]
fn code_and_comments_of_a_body_move() {
    let (moved, left) = body(
        "-- it's clerk.users, not clerk.com\n\
         begin /* \" /* clerk.me */ ' */ perform Clerk . current_user_id ( );\n\
         select \"clerk\".\"users\".* into x from clerk.users; return 'clerk.com'; end",
    );
    assert_eq!(left, [] as [&str; 0]);
    assert_eq!(
        moved,
        "-- it's \"My \"\"data\"\"\".users, not clerk.com\n\
         begin /* \" /* \"My \"\"data\"\"\".me */ ' */ perform \"My \"\"data\"\"\" . current_user_id ( );\n\
         select \"My \"\"data\"\"\".\"users\".* into x from \"My \"\"data\"\"\".users; return 'clerk.com'; end"
    );
}

#[test]
fn what_a_person_must_look_at_is_told() {
    for (text, left) in [
        ("execute 'select clerk.whoami()'", "'select clerk.whoami()'"),
        (
            "execute $q$ select ''clerk.users'' $q$",
            "$q$ select ''clerk.users'' $q$",
        ),
        ("execute E'\\'clerk.users'", "E'\\'clerk.users'"),
        ("select clerk.whoami()", "clerk.whoami"),
        ("select clerk.no_such_thing()", "clerk.no_such_thing"),
        ("select 'clerk.has_role'::regproc", "'clerk.has_role'"),
        // Neither a call nor a relation.
        ("select clerk.has_role from x", "clerk.has_role"),
        ("set search_path = clerk, public", "clerk"),
        ("select \"clerk\".name from staff \"clerk\"", "\"clerk\""),
    ] {
        let (moved, told) = body(text);
        assert!(told.contains(&left.to_owned()), "{text}: {told:?}");
        assert_eq!(moved, text);
    }
}

#[test]
fn what_only_looks_like_ours_is_left_alone() {
    for text in [
        "select t.clerk, t . clerk from t",
        "select myclerk.users, clerk2.users, \"Clerk\".users from t",
        "raise notice 'ask the clerk. users wait'",
        "select $clerk$users$clerk$, 'clerk', 1clerk",
    ] {
        assert_eq!(body(text), (text.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn an_unfinished_text_does_not_hang() {
    for text in [
        "'clerk.users",
        "\"clerk",
        "/* clerk.",
        "$a$ clerk.users",
        "e'\\",
        "$",
        "clerk.",
        "clerk",
    ] {
        let _ = body(text);
        assert_eq!(move_printed(text, text, &names(), false), Ok(text.to_owned()));
    }
}

/// How strings and comments are written: PostgreSQL's manual, 4.1.2.1 to 4.1.2.4 and 4.1.5.
#[test]
fn code_has_no_comments_and_only_the_strings_that_are_asked_for() {
    let kept = ["a.b".to_owned(), "it's".to_owned()];
    for (sql, expected) in [
        ("SELECT 'x' -- 'a.b'\n, 'a.b'", "select '' , 'a.b'"),
        ("F(/* 'a.b' /* nested */ 'a.b' */ E'a.b')", "f ( 'a.b' )"),
        ("$$a.b$$ || $tag$ $$a.b$$ $tag$ || $1", "'a.b' | | '' | | $ 1"),
        ("'it''s' 'it\\'", "'it''s' ''"),
        ("E'\\'a.b' a.B", "'' a . b"),
        ("\"A.b 'x'\"::JSON", "\"A.b 'x'\" : : json"),
        ("x::json->>'sub'", "x : : json - > > ''"),
        ("'unfinished a.b", "''"),
        ("", ""),
    ] {
        assert_eq!(code(sql, &kept), expected, "{sql}");
    }
}
