//! The plain SQL means what the extension means, helper by helper, for claims of every kind and thousands of random ones.

use clerk_tests::{Failure, Sql};
use postgres::Client;
use serde_json::{Value, json};

use super::claims::{FIRST, PARTY, SECOND, every_kind};
use super::scene::Scene;

/// `{s}` is the schema.
const ASKED: &[&str] = &[
    "{s}.current_user_id()",
    "{s}.current_session_id()",
    "{s}.current_org_id()",
    "{s}.current_org_slug()",
    "{s}.current_org_role()",
    "{s}.current_org_permissions()::text",
    "{s}.current_actor_id()",
    "{s}.current_actor_type()",
    "{s}.current_claims()::text",
    "{s}.claim('o', 'id')",
    "{s}.claim('metadata')",
    "{s}.claim(VARIADIC NULL)",
    "{s}.claim(VARIADIC ARRAY['o', NULL])",
    "{s}.claim('https://x.test/y')",
    "{s}.claim('o.id')",
    "{s}.claim('o->>id')",
    "{s}.claim('https://x.test/y->z')",
    "(SELECT json_agg(json_build_array(q, {s}.has_role(q), {s}.has_permission(q), {s}.has_feature(q), {s}.has_plan(q)))
      FROM unnest(ARRAY['admin', 'org:admin', 'org:org:admin', 'member', 'org:', '', 'Admin', NULL, 'docs:read', 'org:docs:write',
          'org:chat:write', 'org:sys_docs:read', 'docs', 'o:docs', 'u:docs', 'org:docs', 'organization:chat', 'user:chat', 'u:beta', 'o:beta',
          'x:beta', 'o:beta:y', 'pro', 'user:free', 'o:free', ':', 'o:', ' docs']) AS q)::text",
    "(SELECT json_agg(json_build_array(q, m, {s}.has_reverification(q, m)))
      FROM (VALUES ('strict', NULL), ('strict_mfa', NULL), ('moderate', NULL), ('lax', NULL), ('first_factor', 4), ('first_factor', 3),
          ('second_factor', 3), ('multi_factor', 60), (NULL, 5)) AS v (q, m))::text",
    "{s}.has_reverification('strict', 5)",
    "{s}.has_reverification('first_factor')",
    "{s}.has_reverification('first_factor', 0)",
    "{s}.has_reverification('often', 5)",
    "{s}.has()",
    "{s}.has(role => NULL)",
    "{s}.has(role => 'org:admin', plan => 'pro')",
    "{s}.has(permission => 'docs:read', feature => 'docs')",
    "{s}.has(reverification => 'lax')",
    "{s}.has(role => 'admin', reverification => 'second_factor:30')",
    "{s}.has(reverification => 'second_factor')",
    "{s}.has(reverification => 'strict:10')",
    "{s}.has(reverification => 'strict:x')",
    "{s}.has(reverification => 'lax:5m')",
    "{s}.has(reverification => 'first_factor:+5')",
    "{s}.has(reverification => '')",
    "{s}.has(role => '')",
    "{s}.has(role => 'admin', permission => '')",
    "{s}.has(role => 'admin', feature => '', plan => '')",
    "{s}.has(role => 'admin', permission => '*', plan => NULL)",
    "{s}.has(role => 'admin', permission => '*')",
    "{s}.has(role => 'admin', reverification => 'first_factor:99999999999')",
    "{s}.has(role => NULL, reverification => 'often')",
];

/// Class and reason of a refusal, the code of another error, or the value.
fn answer(client: &mut Client, claims: &str, asked: &str, schema: &str) -> String {
    let mut transaction = client.transaction().expect("no transaction is open");
    transaction
        .execute("SELECT set_config('request.jwt.claims', $1, true)", &[&claims])
        .expect("a setting");
    match transaction.query_one(&format!("SELECT ({})::text", asked.replace("{s}", schema)), &[]) {
        Ok(row) => format!("{:?}", row.get::<_, Option<String>>(0)),
        Err(error) => {
            let failure = Failure::from(error);
            match &failure.sqlstate[..2] {
                "28" => format!("{:?}", failure.refusal()),
                _ => failure.sqlstate,
            }
        }
    }
}

fn scene_with_both() -> Scene {
    let scene = Scene::bare();
    scene.owner().run("SELECT clerk.eject(dry_run => false)");
    scene
}

#[test]
fn every_helper_agrees_on_claims_of_every_kind() {
    let scene = scene_with_both();
    let mut client = scene.db.connect("stranger");
    for (kind, claims) in every_kind() {
        for asked in ASKED {
            let (ours, plain) = (
                answer(&mut client, &claims, asked, "clerk"),
                answer(&mut client, &claims, asked, "clerk_data"),
            );
            assert_eq!(plain, ours, "{asked} with {kind}: {claims}");
        }
    }
}

#[test]
fn every_helper_agrees_on_random_claims() {
    let scene = scene_with_both();
    let mut client = scene.db.connect("stranger");
    let all: Vec<String> = ASKED
        .iter()
        .filter(|asked| {
            !asked.contains("'o.id'")
                && !asked.contains("'o->>id'")
                && !asked.contains("has_reverification('")
                && !asked.contains("reverification =>")
        })
        .map(|asked| format!("({asked})::text"))
        .collect();
    let all = format!("jsonb_build_array({})", all.join(", "));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut signed_in, mut refused) = (0, 0);
    for _ in 0..800 {
        let claims = random_claims(&mut dice).to_string();
        let (ours, plain) = (
            answer(&mut client, &claims, &all, "clerk"),
            answer(&mut client, &claims, &all, "clerk_data"),
        );
        assert_eq!(plain, ours, "{claims}");
        signed_in += usize::from(ours.contains("user_"));
        refused += usize::from(ours.starts_with("(\"28\""));
    }
    assert!(
        signed_in > 150 && refused > 150,
        "both happen: {signed_in}, {refused}"
    );
}

/// Splitmix64: the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick(&mut self, values: &[Value]) -> Value {
        values[self.roll(values.len())].clone()
    }

    /// Mostly the first; sometimes any, or what no claim should be.
    fn mostly(&mut self, values: &[Value]) -> Value {
        match self.roll(12) {
            0 => self.pick(&[
                json!(""),
                json!(7),
                json!(true),
                json!([]),
                json!({}),
                json!(["a"]),
                json!(["a", 1]),
            ]),
            1..=3 => self.pick(values),
            _ => values[0].clone(),
        }
    }

    /// A comma list of up to five words.
    fn list(&mut self, words: &[&str]) -> Value {
        let words: Vec<&str> = (0..self.roll(6)).map(|_| words[self.roll(words.len())]).collect();
        json!(words.join(","))
    }
}

/// Each member is there or not; null stands for not there.
fn random_claims(dice: &mut Dice) -> Value {
    let mut claims = json!({
        "iss": dice.mostly(&[json!(FIRST), json!(SECOND), json!("https://evil.test")]),
        "sub": dice.mostly(&[json!("user_1"), json!("user_2"), json!("mch_1")]),
        "sid": dice.mostly(&[json!("sess_1"), Value::Null]),
        "azp": dice.mostly(&[json!(PARTY), Value::Null, json!("https://evil.test")]),
        "aud": dice.mostly(&[Value::Null, json!("mine"), json!(["mine"]), json!("x"), json!([null]), json!(["", null]), json!([[]]), json!(["mine", null]), json!({})]),
        "sts": dice.mostly(&[Value::Null, json!("active"), json!("pending")]),
        "act": dice.mostly(&[Value::Null, json!({"sub": "user_staff"}), json!({"sub": 1}), json!("x"), json!({"sub": "agent_1", "type": "agent"}), json!({"type": "agent"}), json!({"type": 1}), json!([{"type": "agent"}])]),
        "fva": dice.mostly(&[json!([1, -1]), json!([5, 2]), json!([-2, 1]), json!([1]), json!([1, 2, 3]), json!([1.5, null])]),
        "v": dice.pick(&[json!(2), json!(2), json!(2.0), json!("2"), json!(1), json!("1"), json!(3), Value::Null, Value::Null]),
        "fea": dice.list(&["o:docs", "u:docs", "ou:chat", "uo:x", "z:y", " o: spaced ", "o:", "o:a:b", "o:beta", "o:docs", "plain"]),
        "pla": dice.list(&["o:pro", "u:free", "ou:both", "u:pro"]),
        "o": dice.mostly(&[json!({}), Value::Null]),
        "org_id": dice.mostly(&[json!("org_1"), Value::Null]),
        "org_slug": dice.mostly(&[json!("acme"), Value::Null]),
        "org_role": dice.mostly(&[json!("org:admin"), json!("admin"), json!("org:"), json!("org:org:x")]),
        "org_permissions": dice.mostly(&[json!(["org:docs:read", "docs:write"]), json!([]), json!(["org:"]), json!([["a"]])]),
    });
    if claims["o"] == json!({}) {
        claims["o"] = json!({
            "id": dice.mostly(&[json!("org_1")]),
            "slg": dice.mostly(&[json!("acme"), json!("")]),
            "rol": dice.mostly(&[json!("admin"), json!("org:member"), json!("org:")]),
            "per": dice.list(&["read", "write", " manage ", "", "delete"]),
            "fpm": dice.list(&["0", "1", "2", "3", "5", "15", "16", "007", " 3 ", "", "x", "+1", "36893488147419103233"]),
        });
    }
    let members = claims.as_object_mut().expect("claims are an object");
    members.retain(|_, value| !value.is_null());
    claims
}
