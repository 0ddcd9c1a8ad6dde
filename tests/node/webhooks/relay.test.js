// Deliveries signed by npm's svix go through the Edge Function under real Deno into a real database.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openRelay } from "../lib/relay.js";
import { Random } from "../lib/random.js";
import { newId, newSecret, signedHeaders, unbranded, userDeletedEvent, userEvent } from "../lib/webhooks.js";

const SEED = Number(process.env.CLERK_SYNC_SEED ?? 1);
const LIMIT = 1048576;
const START = Date.now() - 3_600_000;

let relay;
before(async () => (relay = await openRelay("clerk_node_relay")));
after(() => relay?.close());

const rows = async (sql, parameters) => (await relay.owner.query(sql, parameters)).rows;
const user = async (id) => (await rows("SELECT *, updated_at AS version FROM clerk.users WHERE id = $1", [id]))[0];
const stateOf = async (id) => (await rows("SELECT state FROM clerk.webhook_events WHERE svix_id = $1", [id]))[0]?.state;

test("a delivery becomes a row, and the answer says so", async () => {
  const id = newId();
  const { status, headers, answer } = await relay.deliver(userEvent("user.created", "user_ada", START), { id });
  assert.equal(status, 200);
  assert.match(headers.get("content-type"), /^application\/json/);
  assert.deepEqual(answer, {
    status: "applied",
    http_status: 200,
    svix_id: id,
    type: "user.created",
    subject_id: "user_ada",
  });
  const { first_name, primary_email_address, primary_email_verified, deleted } = await user("user_ada");
  assert.deepEqual(
    { first_name, primary_email_address, primary_email_verified, deleted },
    { first_name: "Ada", primary_email_address: "ada@example.com", primary_email_verified: true, deleted: false },
  );
  assert.equal(await stateOf(id), "applied");
});

test("the names of the specification do as well", async () => {
  const body = JSON.stringify(userEvent("user.created", "user_unbranded", START));
  const { status, answer } = await relay.post(body, unbranded(signedHeaders(relay.secret, body)));
  assert.deepEqual([status, answer.status], [200, "applied"]);
});

test("a delivery that comes again, signed anew, is a duplicate", async () => {
  const id = newId();
  const event = userEvent("user.created", "user_twice", START);
  assert.equal((await relay.deliver(event, { id })).answer.status, "applied");
  const { status, answer } = await relay.deliver(event, { id, at: Math.floor(Date.now() / 1000) - 5 });
  assert.deepEqual([status, answer.status, answer.svix_id], [200, "duplicate", id]);
});

test("eight copies at once are stored once", async () => {
  const id = newId();
  const event = userEvent("user.created", "user_eight", START);
  const answers = await Promise.all(Array.from({ length: 8 }, () => relay.deliver(event, { id })));
  const statuses = answers.map(({ answer }) => answer.status).sort();
  assert.deepEqual(statuses, ["applied", ...Array(7).fill("duplicate")]);
});

const REFUSALS = [
  { name: "no headers", http: 400, reason: "webhook-headers-missing", headers: () => ({}) },
  {
    name: "a signature of another secret",
    http: 401,
    reason: "webhook-signature-mismatch",
    headers: (body) => signedHeaders(newSecret(), body),
  },
  {
    name: "a signature of another body",
    http: 401,
    reason: "webhook-signature-mismatch",
    headers: (body) => signedHeaders(relay.secret, `${body} `),
  },
  {
    name: "a timestamp that is no number",
    http: 400,
    reason: "webhook-timestamp-invalid",
    headers: (body) => ({ ...signedHeaders(relay.secret, body), "svix-timestamp": "now" }),
  },
  {
    name: "an old delivery",
    http: 400,
    reason: "webhook-timestamp-expired",
    headers: (body) => signedHeaders(relay.secret, body, { at: Math.floor(Date.now() / 1000) - 3600 }),
  },
];

for (const { name, http, reason, headers } of REFUSALS) {
  test(`${name}: ${http} ${reason}`, async () => {
    const body = JSON.stringify(userEvent("user.created", "user_refused", START));
    const { status, answer } = await relay.post(body, headers(body));
    assert.deepEqual([status, answer.status, answer.http_status, answer.reason], [http, "rejected", http, reason]);
    assert.equal(await user("user_refused"), undefined);
  });
}

test("a header that comes twice is refused, and the right one alone is not", async () => {
  const body = JSON.stringify(userEvent("user.created", "user_header", START));
  const headers = signedHeaders(relay.secret, body);
  const doubled = new Headers(headers);
  doubled.append("svix-id", "msg_other");
  assert.equal((await relay.post(body, Object.fromEntries(doubled))).status, 401);
  assert.equal((await relay.post(body, headers)).status, 200);
});

// What JSON.parse, Request.json() or jsonb would change. Each is signed as it is and must arrive as it is.
const EXACT = {
  "odd white space": (event) => `\r\n\t ${JSON.stringify(event, null, 3)} \n\n`,
  "letters as escapes": (event) => JSON.stringify(event).replace("Ada", String.raw`\u0041d\u0061`),
  "an astral letter, escaped and not": (event) => JSON.stringify(event).replace("Ada", String.raw`Ada \ud83e\udd80 🦀`),
  "a letter in two forms": (event) => JSON.stringify(event).replace("Ada", "é e\u0301"),
  "separators of lines": (event) => JSON.stringify(event).replace("Lovelace", "Love\u2028lace\u2029"),
  "equal keys": (event) => JSON.stringify(event).replace('"first_name"', '"first_name":"Eve","first_name"'),
  "a number that no double holds": (event) => JSON.stringify(event).replace('"banned"', '"huge":1e400,"banned"'),
  "numbers written at length": (event) =>
    JSON.stringify(event).replace('"banned"', '"n":[1.0,-0,1E+2,12345678901234567890],"banned"'),
  "an escaped NUL": (event) => JSON.stringify(event).replace("Lovelace", String.raw`Love\u0000lace`),
  "half of an escaped pair": (event) => JSON.stringify(event).replace("Lovelace", String.raw`Love\ud83elace`),
};

for (const [name, spell] of Object.entries(EXACT)) {
  test(`byte for byte: ${name}`, async () => {
    const id = `user_exact_${Object.keys(EXACT).indexOf(name)}`;
    const { status, answer } = await relay.deliver(spell(userEvent("user.created", id, START)));
    assert.deepEqual([status, answer.status], [200, "applied"], JSON.stringify(answer));
    assert.equal((await user(id)).id, id);
  });
}

// Signed, so Clerk sent it, and sending it again would change nothing: stored and acknowledged.
const STRANGE = {
  "nothing at all": "",
  "no JSON": "<xml/>",
  "a byte order mark": `\ufeff${JSON.stringify(userEvent("user.created", "user_bom", START))}`,
  "an array": "[]",
  "a scalar": "17",
  "an object without a type": "{}",
};

for (const [name, body] of Object.entries(STRANGE)) {
  test(`kept although strange: ${name}`, async () => {
    const id = newId();
    const { status, answer } = await relay.deliver(body, { id });
    assert.deepEqual([status, answer.status], [200, "ignored"], JSON.stringify(answer));
    assert.equal(await stateOf(id), "ignored");
  });
}

test("1 MiB is taken", async () => {
  const [head, tail] = JSON.stringify(
    userEvent("user.created", "user_large", START, { unsafe_metadata: { pad: "|" } }),
  ).split("|");
  const { status, answer } = await relay.deliver(head + "x".repeat(LIMIT - head.length - tail.length) + tail);
  assert.deepEqual([status, answer.status], [200, "applied"]);
});

test("a stream of creations, changes and deletions in any order ends in the last state", async () => {
  const random = new Random(SEED);
  const events = [];
  for (let person = 0; person < 12; person++) {
    const id = `user_stream_${person}`;
    events.push(userEvent("user.created", id, START));
    for (let change = 1; change <= 4; change++) {
      events.push(
        userEvent("user.updated", id, START + change * 1000, { created_at: START, first_name: `Name ${change}` }),
      );
    }
    if (person % 3 === 0) {
      events.push(userDeletedEvent(id, START + 9000));
    }
  }
  const deliveries = events.map((event) => ({ event, id: newId() }));
  const shuffled = [...deliveries, ...deliveries.filter(() => random.chance(0.3))]
    .map((delivery) => [random.next(), delivery])
    .sort(([left], [right]) => left - right)
    .map(([, delivery]) => delivery);

  // Six at a time, as from a sender that does not wait for the one before.
  while (shuffled.length > 0) {
    const answers = await Promise.all(shuffled.splice(0, 6).map(({ event, id }) => relay.deliver(event, { id })));
    for (const { status, answer } of answers) {
      assert.equal(status, 200, JSON.stringify(answer));
    }
  }

  for (let person = 0; person < 12; person++) {
    const { first_name, deleted, version } = await user(`user_stream_${person}`);
    const gone = person % 3 === 0;
    assert.equal(deleted, gone, `person ${person}`);
    if (!gone) {
      assert.deepEqual([first_name, version.getTime()], ["Name 4", START + 4000]);
    }
  }
  const ids = deliveries.map(({ id }) => id);
  const stored = await rows(
    "SELECT state, count(*)::integer FROM clerk.webhook_events WHERE svix_id = ANY ($1) GROUP BY state",
    [ids],
  );
  assert.equal(
    stored.reduce((sum, { count }) => sum + count, 0),
    deliveries.length,
  );
  assert.deepEqual(
    stored.map(({ state }) => state).filter((state) => !["applied", "stale"].includes(state)),
    [],
  );
});

test("connections are few, and used again", async () => {
  const connections = async () =>
    (
      await rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'clerk-webhook' AND usename = $1", [
        relay.role,
      ])
    )
      .map(({ pid }) => pid)
      .sort();
  await Promise.all(
    Array.from({ length: 30 }, (_, n) => relay.deliver(userEvent("user.created", `user_many_${n}`, START))),
  );
  const those = await connections();
  assert.ok(those.length >= 1 && those.length <= 3, `${those.length} connections`);
  for (let count = 0; count < 10; count++) {
    await relay.deliver(userEvent("user.created", `user_few_${count}`, START));
  }
  const now = await connections();
  assert.ok(now.length > 0 && now.every((pid) => those.includes(pid)), `${now} after ${those}`);
});

test("nothing but the body and the headers of the signature reaches the database", async () => {
  const headers = { authorization: "Bearer sesame-authorization", apikey: "sesame-key", cookie: "sesame=cookie" };
  const { status } = await relay.deliver(userEvent("user.created", "user_sesame_body", START), { headers });
  assert.equal(status, 200);
  assert.match(relay.door.sent, /user_sesame_body/);
  assert.doesNotMatch(relay.door.sent, /sesame-authorization|sesame-key|sesame=cookie/);
});

test("while no signing secret is configured the answer is 500, and Clerk's next attempt succeeds", async () => {
  const event = userEvent("user.created", "user_no_secret", START);
  const [{ fingerprint }] = await rows("SELECT fingerprint FROM clerk.webhook_signing_secrets()");
  await relay.database.value("SELECT clerk.drop_webhook_signing_secret($1)", [fingerprint]);
  const { status, answer } = await relay.deliver(event);
  await relay.database.value("SELECT clerk.add_webhook_signing_secret($1)", [relay.secret]);
  assert.deepEqual([status, answer.status, answer.reason], [500, "rejected", "webhook-secret-missing"]);
  assert.equal((await relay.deliver(event)).answer.status, "applied");
});
