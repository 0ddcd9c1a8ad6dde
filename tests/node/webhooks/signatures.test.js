// The npm library `svix` signs and judges deliveries, and the database must agree with it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Webhook } from "svix";

import { openDatabase } from "../lib/database.js";
import { Random } from "../lib/random.js";
import { newSecret, signedHeaders, unbranded } from "../lib/webhooks.js";
import { BODY, MUTATIONS } from "./mutations.js";

const SEED = Number(process.env.CLERK_SYNC_SEED ?? 1);
const LIMIT = 1048576;

let database;
let secret;
before(async () => {
  database = await openDatabase("clerk_node_signatures");
  await database.client.query("SELECT clerk.configure(issuer => 'https://clerk.svix.example', jwks_url => '')");
  secret = newSecret();
  await addSecret(secret);
});
after(() => database?.close());

const addSecret = (value) => database.value("SELECT clerk.add_webhook_signing_secret($1)", [value]);
const VERIFY = "SELECT clerk.verify_webhook($1, $2)";
const verify = (body, headers) => database.value(VERIFY, [body, headers]);

/** "accepted", or the reason in DETAIL; a refused delivery is class 28. */
async function verdictOf(body, headers) {
  const error = await database.errorOf(VERIFY, [body, headers]);
  if (!error) {
    return "accepted";
  }
  assert.equal(error.code, "28000", error.message);
  return error.detail;
}

async function verdictOfSvix(body, headers) {
  try {
    new Webhook(secret).verify(body, headers);
    return "accepted";
  } catch (error) {
    assert.equal(error.name, "WebhookVerificationError", error.message);
    return "refused";
  }
}

/** A body of exactly so many bytes. */
const bodyOf = (bytes) => `{"text":"${"a".repeat(bytes - 11)}"}`;

// Around the blocks of SHA-256, where a signature is easily got wrong, and up to the limit.
const SIZES = [11, 12, 54, 55, 56, 63, 64, 65, 118, 119, 120, 127, 128, 129, 1000, 4096, 65535, 65536, 262143, 262144];

for (const bytes of [...SIZES, LIMIT - 1, LIMIT]) {
  test(`a body of ${bytes} bytes`, async () => {
    const body = bodyOf(bytes);
    assert.equal(Buffer.byteLength(body), bytes);
    assert.deepEqual(await verify(body, signedHeaders(secret, body)), JSON.parse(body));
  });
}

test("the limit counts bytes, not letters", async () => {
  const body = `{"text":"${"é".repeat((LIMIT - 11) / 2)}"}`;
  assert.ok(Buffer.byteLength(body) <= LIMIT);
  assert.equal(await verdictOf(body, signedHeaders(secret, body)), "accepted");
  const longer = `{"text":"${"é".repeat(LIMIT / 2)}"}`;
  assert.ok(longer.length < LIMIT);
  assert.equal(await verdictOf(longer, signedHeaders(secret, longer)), "webhook-too-large");
});

const LETTERS = [
  "a",
  "Z",
  " ",
  "é",
  "e\u0301",
  "ß",
  "漢",
  "🦀",
  "\u2028",
  "\u007f",
  "\ufeff",
  '"',
  "\\",
  "/",
  "\n",
  "\t",
  "\u0001",
];

function randomValue(random, depth) {
  const text = () => random.list(0, 40, () => random.pick(LETTERS)).join("");
  const leaf = () => random.pick([null, true, false, 0, -1, 1.5, 1e21, 1e-7, 1716883200123, text()]);
  if (depth === 0 || random.chance(0.3)) {
    return leaf();
  }
  const inner = () => randomValue(random, depth - 1);
  return random.chance(0.5) ? random.list(0, 5, inner) : Object.fromEntries(random.list(0, 5, () => [text(), inner()]));
}

test(`300 random bodies, seed ${SEED}`, async () => {
  const random = new Random(SEED);
  for (let count = 0; count < 300; count++) {
    const value = { value: randomValue(random, 5) };
    const body = JSON.stringify(value, null, random.below(3));
    assert.deepEqual(await verify(body, signedHeaders(secret, body)), value, body);
  }
});

test("a timestamp with a fraction, of which the whole seconds are signed", async () => {
  const headers = signedHeaders(secret, BODY);
  for (const fraction of [".5", ".999", ".000"]) {
    const given = { ...headers, "svix-timestamp": headers["svix-timestamp"] + fraction };
    assert.equal(await verdictOfSvix(BODY, given), "accepted", fraction);
    assert.equal(await verdictOf(BODY, given), "accepted", fraction);
  }
});

for (const bytes of [16, 24, 32, 64, 100]) {
  test(`a secret of ${bytes} bytes`, async () => {
    const other = newSecret(bytes);
    const fingerprint = await addSecret(other);
    assert.equal(await verdictOf(BODY, signedHeaders(other, BODY)), "accepted");
    await database.value("SELECT clerk.drop_webhook_signing_secret($1)", [fingerprint]);
    assert.equal(await verdictOf(BODY, signedHeaders(other, BODY)), "webhook-signature-mismatch");
  });
}

test("while a secret is rotated, both verify, alone and in one header", async () => {
  const old = newSecret();
  const fingerprint = await addSecret(old);
  const next = newSecret();
  await addSecret(next);
  const byOld = signedHeaders(old, BODY);
  const byNext = signedHeaders(next, BODY);
  assert.equal(await verdictOf(BODY, byOld), "accepted");
  assert.equal(await verdictOf(BODY, byNext), "accepted");

  // Svix signs with both for a day; the database may know either.
  const id = byOld["svix-id"];
  const also = signedHeaders(next, BODY, { id, at: Number(byOld["svix-timestamp"]) });
  const unknown = signedHeaders(newSecret(), BODY, { id, at: Number(byOld["svix-timestamp"]) });
  const entries = [unknown, byOld, also].map((headers) => headers["svix-signature"]);
  for (const order of [entries, entries.toReversed(), entries.slice(0, 2), [entries[0], entries[2]]]) {
    assert.equal(await verdictOf(BODY, { ...byOld, "svix-signature": order.join(" ") }), "accepted");
  }

  await database.value("SELECT clerk.drop_webhook_signing_secret($1)", [fingerprint]);
  assert.equal(await verdictOf(BODY, byOld), "webhook-signature-mismatch");
  assert.equal(await verdictOf(BODY, byNext), "accepted");
});

/** The verdict on a delivery signed so many seconds before now, reached within one second of the server's clock. */
async function verdictAtAge(seconds) {
  const serverSecond = () => database.value("SELECT floor(extract(epoch FROM clock_timestamp()))::integer");
  for (;;) {
    const now = await serverSecond();
    const verdict = await verdictOf(BODY, signedHeaders(secret, BODY, { at: now - seconds }));
    if ((await serverSecond()) === now) {
      return verdict;
    }
  }
}

for (const [age, expected] of [
  [0, "accepted"],
  [299, "accepted"],
  [300, "accepted"],
  [301, "webhook-timestamp-expired"],
  [-300, "accepted"],
  [-301, "webhook-timestamp-in-the-future"],
]) {
  test(`signed ${age} s ago: ${expected}`, async () => {
    assert.equal(await verdictAtAge(age), expected);
  });
}

const SPELLINGS = {
  "svix-* names": (headers) => headers,
  "webhook-* names": unbranded,
  "names in capitals": (headers) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value])),
  "other headers besides": (headers) => ({
    "content-type": "application/json",
    ...headers,
    "user-agent": "Svix-Webhooks/1",
  }),
  "both families, of which svix-* is right": (headers) => ({
    ...unbranded(signedHeaders(newSecret(), BODY)),
    ...headers,
  }),
  "an entry of a version nobody knows before it": (headers) => ({
    ...headers,
    "svix-signature": `v9,AAAA v1a,AAAA ${headers["svix-signature"]}`,
  }),
};

for (const [name, spell] of Object.entries(SPELLINGS)) {
  test(`both accept ${name}`, async () => {
    const headers = spell(signedHeaders(secret, BODY));
    assert.equal(await verdictOfSvix(BODY, headers), "accepted");
    assert.equal(await verdictOf(BODY, headers), "accepted");
  });
}

for (const { name, reason, spoil } of MUTATIONS) {
  test(`both refuse ${name}`, async () => {
    const spoilt = spoil({ body: BODY, headers: signedHeaders(secret, BODY), secret });
    assert.equal(await verdictOfSvix(spoilt.body, spoilt.headers), "refused");
    assert.equal(await verdictOf(spoilt.body, spoilt.headers), reason);
  });
}

/** What svix accepts and the database refuses. */
const DIFFERENCES = [
  ...["5.", "5s", "5e0"].map((timestamp) => ({
    name: `a timestamp as ${timestamp}`,
    because: "svix reads the number that the header begins with; a timestamp is nothing but a number.",
    spoil: (headers) => ({ ...headers, "svix-timestamp": timestamp.replace("5", headers["svix-timestamp"]) }),
    reason: "webhook-timestamp-invalid",
  })),
  {
    name: "a full stop in the id",
    because: "It separates what is signed, so one signature would fit two ids; the specification forbids it.",
    spoil: () => signedHeaders(secret, BODY, { id: "msg.1" }),
    reason: "webhook-headers-invalid",
  },
];

for (const { name, because, spoil, reason } of DIFFERENCES) {
  test(`svix accepts ${name}, the database refuses it`, async () => {
    const headers = spoil(signedHeaders(secret, BODY));
    assert.equal(await verdictOfSvix(BODY, headers), "accepted", "this is no difference");
    assert.equal(await verdictOf(BODY, headers), reason, because);
  });
}
