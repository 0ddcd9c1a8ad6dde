//! Texts that something might trip over, as SQL expressions that give the same on every run.

use clerk_tests::Dice;

/// How many tokens, deliveries and stored texts there are; see `bait.sql`.
pub const BAIT: usize = 24;

/// What is short and not harmless.
const LITERALS: &[&str] = &[
    "",
    " ",
    "\t\r\n",
    "\u{1}\u{2}\u{7f}\u{85}",
    "\u{feff}x",
    "\u{202e}x",
    "\u{1f600}\u{10ffff}",
    "e\u{301}\u{301}\u{301}",
    "'",
    "\"",
    "\\",
    "\\'",
    "%s%n%1$s",
    "null",
    "NaN",
    "-1",
    "99999999999999999999",
    "infinity",
    "{}",
    "[]",
    "{NULL}",
    "{\"a\":",
    "\"\\ud800\"",
    "{\"a\":\"\\u0000\"}",
    "\\ud83d\\ude00",
    "{\"a\":1e400,\"a\":-0}",
    "[1e-400, 123456789012345678901234567890.5]",
    "--",
    "/*",
    "; SELECT 1",
    "$$",
    "$1",
    "a.b.c",
    "....",
    "Bearer x",
    "eyJhbGciOiJub25lIn0.e30.",
    "e30.e30.e30",
    "=.=.=",
    "sk_test_",
    "sk_live_x",
    "whsec_",
    "whsec_AAAA",
    "vault:",
    "vault:nothing",
    "pk_test_Y2xlcmsuc2ltLnRlc3Qk",
    "pk_live_%%%",
    "https://",
    "https://clerk.sim.test/",
    "http://127.0.0.1:1/",
    "https://[::1",
    "https://a:b@c:99999/?#",
    "HTTPS://\u{c9}.example",
    "user_",
    "user_x",
    "org_x",
    "ins_sim",
    "public",
    "clerk",
    "pg_catalog",
    "pg_temp",
    "evil",
    "\"; DROP SCHEMA clerk",
    "a_name_of_more_than_sixty_three_bytes_which_postgres_cuts_off_with_a_notice",
];

/// What parameters of these names are meant to take, beside what they are not.
const MEANT: &[(&[&str], &[&str])] = &[
    (
        &["token"],
        &[
            "bait.token({n})",
            "bait.token({n})",
            "pg_catalog.replace(bait.token({n}), '.', '=.')",
        ],
    ),
    (&["token_type"], &["'session'", "'template'", "'m2m'", "'oauth'"]),
    (&["body", "payload"], &["bait.body({n})"]),
    (
        &["svix_id", "delivery"],
        &[
            "bait.known('delivery', {n})",
            "'msg_' OPERATOR(pg_catalog.||) {n}",
        ],
    ),
    (&["fingerprint"], &["bait.known('fingerprint', {n})"]),
    (
        &["issuer", "instance"],
        &["bait.known('issuer', {n})", "bait.known('issuer', {n})"],
    ),
    (
        &["id", "subject_id"],
        &[
            "bait.known('user', {n})",
            "bait.known('organization', {n})",
            "bait.known('run', {n})",
        ],
    ),
    (&["secret"], &["bait.secret({n})"]),
    (
        &["resource", "resources", "mirror", "exclude_fields"],
        &[
            "'users'",
            "'organizations'",
            "'organization_memberships'",
            "'sessions'",
            "'users.first_name'",
        ],
    ),
    (
        &["preset_or_level", "reverification"],
        &[
            "'strict'",
            "'strict_mfa'",
            "'first_factor'",
            "'second_factor:30'",
            "'multi_factor:-1'",
        ],
    ),
    (
        &["role", "permission", "feature", "plan"],
        &["'org:admin'", "'org:posts:read'", "'posts'", "'u:gold'"],
    ),
    (&["source"], &["'auto'", "'claims'", "'token'"]),
    (&["pattern"], &["'*'", "'user.*'", "'user.created'"]),
    (&["deleted_users"], &["'keep'", "'scrub'", "'remove'"]),
    (&["path"], &["'sub'", "'o'", "'id'", "'metadata'", "'0'"]),
    (
        &["schema", "target"],
        &["'public'", "'api'", "'clerk_data'", "'clerk'"],
    ),
    (&["include"], &["'clerk_webhook'", "'clerk_me'", "'clerk_whoami'"]),
    (
        &["jwks_url", "api_url"],
        &["bait.known('jwks_url', {n})", "bait.known('api_url', {n})"],
    ),
];

/// A literal that means the same whatever the session's settings are.
pub fn quoted(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|letter| match letter {
            '\'' => "''".to_owned(),
            '\\' => "\\\\".to_owned(),
            control if control.is_control() => format!("\\u{:04x}", control as u32),
            other => other.to_string(),
        })
        .collect();
    format!("E'{inner}'")
}

/// An expression of type text, for a parameter of this name. What is looked up as the `nth` fits together in one call.
pub fn text(dice: &mut Dice, parameter: &str, nth: usize) -> String {
    let meant = MEANT.iter().find(|(names, _)| names.contains(&parameter));
    match (dice.below(20), meant) {
        (0, _) => "NULL".to_owned(),
        (1..12, Some((_, expressions))) => looked_up(dice.pick(expressions), nth),
        (12, Some((_, expressions))) => {
            let good = looked_up(dice.pick(expressions), nth);
            mutated(dice, &good)
        }
        (13, _) => large(dice),
        (14, _) => looked_up(
            dice.pick(&["bait.token({n})", "bait.claims({n})", "bait.body({n})"]),
            nth,
        ),
        (15, _) => {
            let some = looked_up(
                dice.pick(&["bait.token({n})", "bait.claims({n})", "bait.body({n})"]),
                nth,
            );
            mutated(dice, &some)
        }
        (16, _) => looked_up("bait.stored({n})", nth),
        (17, _) => {
            let (_, expressions) = MEANT[dice.below(MEANT.len())];
            looked_up(dice.pick(expressions), nth)
        }
        (18, _) => dice
            .pick(&[
                "clerk.current_user_id()",
                "clerk.claim('iss')",
                "pg_catalog.current_setting('request.jwt.claims', true)",
                "pg_catalog.current_setting('clerk.jwt', true)",
                "pg_catalog.set_config('request.jwt.claims', bait.claims(1), true)",
                "pg_catalog.set_config('clerk.jwt', bait.token(2), true)",
                "(pg_catalog.random())::pg_catalog.text",
            ])
            .to_owned(),
        _ => quoted(dice.pick(LITERALS)),
    }
}

fn looked_up(expression: &str, nth: usize) -> String {
    expression.replace("{n}", &nth.to_string())
}

/// Nested too deep, or a megabyte.
fn large(dice: &mut Dice) -> String {
    let (opened, closed) = [("[", "]"), ("{\"a\":", "}"), ("(", ")")][dice.below(3)];
    match dice.below(4) {
        0 => format!("pg_catalog.repeat({}, 200000)", quoted(dice.pick(LITERALS))),
        1 => "pg_catalog.repeat(E'\\u20ac', 349525)".to_owned(),
        2 => format!("pg_catalog.repeat({}, 10000)", quoted(opened)),
        _ => format!(
            "(pg_catalog.repeat({0}, 10000) OPERATOR(pg_catalog.||) '1' OPERATOR(pg_catalog.||) pg_catalog.repeat({1}, 10000))",
            quoted(opened),
            quoted(closed)
        ),
    }
}

/// A text with something else in it, without something, or out of order.
fn mutated(dice: &mut Dice, text: &str) -> String {
    let at = dice.below(200) + 1;
    match dice.below(6) {
        0 => format!(
            "pg_catalog.overlay({text}, {}, {at}, {})",
            quoted(dice.pick(LITERALS)),
            dice.below(5)
        ),
        1 => format!("pg_catalog.left({text}, -{at})"),
        2 => format!("pg_catalog.substr({text}, {at})"),
        3 => format!("({text} OPERATOR(pg_catalog.||) {})", quoted(dice.pick(LITERALS))),
        4 => format!("pg_catalog.upper({text})"),
        _ => format!("pg_catalog.repeat({text}, 3)"),
    }
}
