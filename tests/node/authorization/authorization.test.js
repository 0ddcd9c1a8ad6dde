// What the database reads out of random claims, against @clerk/backend's own reading of the same claims.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { getAuthObjectFromJwt } from "@clerk/backend/internal";

import { openDatabase } from "../lib/database.js";
import { keyPair, sessionClaims } from "../lib/tokens.js";
import { Random } from "../lib/random.js";
import { DIFFERENCES, QUESTIONS } from "./differences.js";
import { randomClaims, randomQuestion } from "./random_claims.js";

const ISSUER = "https://clerk.claims.example";
const SEED = Number(process.env.CLERK_SYNC_SEED ?? 1);

let database;
before(async () => {
  database = await openDatabase("clerk_node_authorization");
  await database.configure(ISSUER, keyPair().jwks);
});
after(() => database.close());

/** As the server helpers of Clerk's SDKs see a verified token. */
function backendReading(claims, questions) {
  const auth = getAuthObjectFromJwt({ raw: { text: "" }, payload: claims }, {});
  return {
    user: auth.userId ?? null,
    session: auth.sessionId ?? null,
    actor: auth.actor?.sub ?? null,
    // As clerk-js sets session.agent, and the SDKs tell an agent from somebody who impersonates.
    actorType: auth.actor ? (auth.actor.type === "agent" ? "agent" : "user") : null,
    org: auth.orgId || null,
    // Without an organization there is nothing a slug, a role or permissions could belong to.
    slug: (auth.orgId && auth.orgSlug) || null,
    role: (auth.orgId && fullRole(auth.orgRole)) || null,
    permissions: auth.orgId ? (auth.orgPermissions ?? []) : null,
    has: questions.map((asked) => auth.has(asked)),
  };
}

/** A role with exactly one `org:`, which is what `has()` of @clerk/backend compares. */
function fullRole(role) {
  const bare = role?.replace(/^(org:)*/, "");
  return bare && `org:${bare}`;
}

async function databaseReading(claims, questions) {
  await database.client.query("SELECT set_config('request.jwt.claims', $1, false)", [JSON.stringify(claims)]);
  const who = await database.row(`
    SELECT clerk.current_user_id() AS "user", clerk.current_session_id() AS session, clerk.current_actor_id() AS actor,
           clerk.current_actor_type() AS "actorType",
           clerk.current_org_id() AS org, clerk.current_org_slug() AS slug, clerk.current_org_role() AS role,
           clerk.current_org_permissions() AS permissions`);
  const has = [];
  for (const asked of questions) {
    has.push(await ask(asked));
  }
  return { ...who, has };
}

const demandText = (demand) => (typeof demand === "object" ? `${demand.level}:${demand.afterMinutes}` : (demand ?? "*"));

function ask({ role = "*", permission = "*", feature = "*", plan = "*", reverification }) {
  const asked = [role, permission, feature, plan, demandText(reverification)];
  return database.value("SELECT clerk.has($1, $2, $3, $4, $5)", asked);
}

/** The claims, rewritten so that @clerk/backend reads out of them what the database must. */
const withoutDifferences = (claims) => DIFFERENCES.reduce((read, { undone }) => undone(read), claims);

test(`2,000 random claims with 8 questions each, seed ${SEED}`, async () => {
  const random = new Random(SEED);
  const seen = { granted: 0, denied: 0, permissions: 0 };
  for (let count = 0; count < 2000; count++) {
    const claims = randomClaims(random, ISSUER);
    const questions = random.list(8, 8, () => randomQuestion(random));
    const expected = backendReading(withoutDifferences(claims), questions);
    assert.deepEqual(await databaseReading(claims, questions), expected, JSON.stringify({ claims, questions }));
    seen.granted += expected.has.filter(Boolean).length;
    seen.denied += expected.has.filter((granted) => !granted).length;
    seen.permissions += expected.permissions?.length ?? 0;
  }
  // Neither answer may be rare, or the comparison would prove little.
  assert.ok(Math.min(seen.granted, seen.denied, seen.permissions) > 500, JSON.stringify(seen));
});

test("each has_…() asks what has() asks", async () => {
  const random = new Random(SEED + 1);
  for (let count = 0; count < 200; count++) {
    const claims = randomClaims(random, ISSUER);
    const { role = "admin", permission = "org:posts:read", feature = "posts", plan = "posts" } = randomQuestion(random);
    const singles = [{ role }, { permission }, { feature }, { plan }];
    const { has } = backendReading(withoutDifferences(claims), singles);
    await database.client.query("SELECT set_config('request.jwt.claims', $1, false)", [JSON.stringify(claims)]);
    const asked = await database.row(
      `SELECT clerk.has_role($1) AS role, clerk.has_permission($2) AS permission,
              clerk.has_feature($3) AS feature, clerk.has_plan($4) AS plan`,
      [role, permission, feature, plan],
    );
    assert.deepEqual(Object.values(asked), has, JSON.stringify({ claims, singles }));
  }
});

for (const { name, because, claims, backend, database: here } of DIFFERENCES) {
  test(`difference: ${name}`, async () => {
    const read = sessionClaims(ISSUER, claims);
    let there;
    try {
      there = backendReading(read, []).permissions;
    } catch (error) {
      there = error.constructor.name;
    }
    assert.notDeepEqual(backend, here, "this is no difference");
    assert.deepEqual(
      { backend: there, database: (await databaseReading(read, [])).permissions },
      { backend, database: here },
      because,
    );
  });
}

for (const { name, because, claims, question, backend, database: here } of QUESTIONS) {
  test(`difference: ${name}`, async () => {
    const read = sessionClaims(ISSUER, claims);
    assert.notEqual(backend, here, "this is no difference");
    assert.deepEqual(backendReading(read, [question]).has, [backend], because);
    assert.deepEqual((await databaseReading(read, [question])).has, [here], because);
  });
}

test("what has() of @clerk/backend denies as a mistake, the database raises", async () => {
  const claims = sessionClaims(ISSUER, { fva: [0, 0] });
  const mistakes = [
    "",
    "lax:5m",
    "stricter",
    { level: "third_factor", afterMinutes: 10 },
    { level: "first_factor", afterMinutes: 0 },
  ];
  assert.deepEqual(
    backendReading(
      claims,
      mistakes.map((reverification) => ({ reverification })),
    ).has,
    mistakes.map(() => false),
  );
  for (const mistake of mistakes) {
    const error = await database.errorOf("SELECT clerk.has(reverification => $1)", [demandText(mistake)]);
    assert.equal(error?.code, "22023", demandText(mistake));
  }
});
