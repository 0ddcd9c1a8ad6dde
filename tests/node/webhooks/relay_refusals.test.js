// What the Edge Function refuses by itself, and what it does while the database cannot take a delivery.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import pg from "pg";

import { openRelay, SVIX_WAITS } from "../lib/relay.js";
import { newId, signedHeaders, userEvent } from "../lib/webhooks.js";

const LIMIT = 1048576;
const START = Date.now() - 3_600_000;

let relay;
let other;
before(async () => {
  relay = await openRelay("clerk_node_refusals");
  other = new pg.Client({ database: "clerk_node_refusals" });
  await other.connect();
});
after(async () => {
  await other?.end();
  await relay?.close();
});

async function stored(id) {
  const { rowCount } = await relay.owner.query("SELECT FROM clerk.webhook_events WHERE svix_id = $1", [id]);
  return rowCount === 1;
}

/** A delivery that must go through now, whatever happened before. */
async function assertTaken() {
  const id = newId();
  const { status, answer } = await relay.deliver(userEvent("user.created", "user_after", START), { id });
  assert.equal(status, 200, JSON.stringify(answer));
  assert.ok(await stored(id));
}

const BACKENDS = "FROM pg_stat_activity WHERE usename = $1";

/** Ends the Edge Function's connections that are in that state, and returns how many there were. */
async function terminate(state) {
  const sql = `SELECT pg_terminate_backend(pid) ${BACKENDS} AND state = $2`;
  return (await relay.owner.query(sql, [relay.role, state])).rowCount;
}

/** Breaks the connections if one of them is in that state. */
async function breakOff(state) {
  const { rowCount } = await relay.owner.query(`SELECT ${BACKENDS} AND state = $2`, [relay.role, state]);
  if (rowCount > 0) {
    await relay.door.shut();
    await relay.door.reopen();
  }
  return rowCount;
}

const ENDINGS = { "the server ends its connection": terminate, "its connection breaks": breakOff };

/** Delivers an event that the database cannot take, and sees to it that Svix is told in time to come again. */
async function assertUnavailable(identity = { id: newId() }) {
  const began = Date.now();
  const { status, headers, answer } = await relay.deliver(
    userEvent("user.created", "user_marker_7c1f", START),
    identity,
  );
  assert.equal(status, 503, JSON.stringify(answer));
  assert.ok(Number(headers.get("retry-after")) > 0);
  assert.ok(Date.now() - began < SVIX_WAITS - 3000, `answered after ${Date.now() - began} ms`);
  return answer;
}

function assertSaysNoMore(answer) {
  assert.deepEqual(
    [answer.status, answer.http_status, answer.reason, Object.keys(answer).length],
    ["unavailable", 503, "database-unavailable", 4],
  );
  assert.doesNotMatch(JSON.stringify(answer), /127\.0\.0\.1|postgres|clerk_node|marker/);
}

// Its log is read by more people than its data.
afterEach(() => {
  assert.doesNotMatch(relay.server.output, /marker_7c1f|ada@example\.com|whsec_|svix-|v1,/);
  assert.ok(!relay.server.output.includes(relay.password));
  assert.doesNotMatch(relay.server.output, /uncaught/i);
});

for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
  test(`${method}: 405`, async () => {
    const { status, headers } = await relay.post(undefined, {}, { method });
    assert.equal(status, 405);
    assert.equal(headers.get("allow"), "POST");
  });
}

/** The same text in pieces, without a content-length. */
function* pieces(text) {
  for (let at = 0; at < text.length; at += 60_000) {
    yield Buffer.from(text.slice(at, at + 60_000));
  }
}

/** An event of exactly so many bytes. */
function bodyOf(bytes) {
  const [head, tail] = JSON.stringify(userEvent("user.created", "user_long", START, { pad: "|" })).split("|");
  return head + "x".repeat(bytes - head.length - tail.length) + tail;
}

test("over 1 MiB: 413, without asking the database", async () => {
  await relay.door.shut();
  for (const bytes of [LIMIT + 1, 4 * LIMIT]) {
    const body = bodyOf(bytes);
    assert.equal(Buffer.byteLength(body), bytes);
    for (const form of [body, ReadableStream.from(pieces(body))]) {
      const { status, answer } = await relay.post(form, signedHeaders(relay.secret, body), { duplex: "half" });
      assert.deepEqual([status, answer.status, answer.reason], [413, "rejected", "webhook-too-large"]);
    }
  }
  await relay.door.reopen();
});

test("in pieces, exactly 1 MiB: taken", async () => {
  const body = bodyOf(LIMIT);
  const { status } = await relay.post(ReadableStream.from(pieces(body)), signedHeaders(relay.secret, body), {
    duplex: "half",
  });
  assert.equal(status, 200);
});

for (const [name, bytes] of Object.entries({
  "not UTF-8": Buffer.from('{"name":"\xe9"}', "latin1"),
  "a surrogate in UTF-8": Buffer.from([0x22, 0xed, 0xa0, 0xbe, 0x22]),
  "a letter cut in two": Buffer.from('{"name":"é').subarray(0, -1),
  "a NUL": Buffer.from('{"name":"\0"}'),
})) {
  test(`no text, ${name}: 400, without asking the database`, async () => {
    await relay.door.shut();
    const { status, answer } = await relay.post(bytes, { "svix-id": newId() });
    assert.deepEqual([status, answer.status, answer.reason], [400, "rejected", "webhook-body-invalid"]);
    await relay.door.reopen();
  });
}

test("the database is down: 503, and once it is up again the retry is taken", async () => {
  await assertTaken();
  const id = newId();
  await relay.door.shut();
  assertSaysNoMore(await assertUnavailable({ id }));
  assertSaysNoMore(await assertUnavailable({ id }));
  await relay.door.reopen();
  const { status, answer } = await relay.deliver(userEvent("user.created", "user_retry", START), { id });
  assert.deepEqual([status, answer.status], [200, "applied"]);
});

for (const [name, end] of Object.entries(ENDINGS)) {
  test(`${name} between two deliveries: the next one is taken`, async () => {
    await assertTaken();
    assert.ok((await end("idle")) > 0);
    // What comes before the news of it fails, and is taken when it comes again.
    const event = userEvent("user.created", "user_marker_7c1f", START);
    const id = newId();
    const statuses = [];
    do {
      await setTimeout(500);
      statuses.push((await relay.deliver(event, { id })).status);
      assert.ok([200, 503].includes(statuses.at(-1)) && statuses.length <= 5, String(statuses));
    } while (statuses.at(-1) !== 200);
    assert.ok(await stored(id));
  });

  test(`${name} in the middle of a delivery: 503, then taken`, async () => {
    await other.query("BEGIN; LOCK TABLE clerk.webhook_events IN ACCESS EXCLUSIVE MODE");
    let ended = 0;
    let answer;
    // The server waits for the lock a second at most, so it may take more than one delivery to catch it.
    while (ended === 0) {
      let answered = false;
      const delivery = assertUnavailable().finally(() => (answered = true));
      while (ended === 0 && !answered) {
        ended = await end("active");
      }
      answer = await delivery;
    }
    assertSaysNoMore(answer);
    await other.query("ROLLBACK");
    await assertTaken();
  });
}

test("the ledger is locked by somebody else: 503, then taken", async () => {
  const id = newId();
  await other.query("BEGIN; LOCK TABLE clerk.webhook_events IN ACCESS EXCLUSIVE MODE");
  await assertUnavailable({ id });
  await other.query("ROLLBACK");
  assert.equal(await stored(id), false);
  await assertTaken();
});

test("the settings are locked by somebody else: the server gives the statement up, 503, then taken", async () => {
  const id = newId();
  await other.query("BEGIN; LOCK TABLE clerk.instances IN ACCESS EXCLUSIVE MODE");
  await terminate("idle"); // a new connection has read no settings yet
  for (let attempt = 1; !/SQLSTATE 57014/.test(relay.server.output); attempt++) {
    assert.ok(attempt <= 5, relay.server.output);
    assertSaysNoMore(await assertUnavailable({ id }));
  }
  await other.query("ROLLBACK");
  assert.equal(await stored(id), false);
  await assertTaken();
});

test("the same delivery is being stored by somebody else: 503 busy, then taken", async () => {
  const id = newId();
  const body = JSON.stringify(userEvent("user.created", "user_marker_7c1f", START));
  await other.query("BEGIN");
  await other.query("SELECT clerk.receive_webhook($1, $2)", [body, signedHeaders(relay.secret, body, { id })]);
  const { status, reason } = await assertUnavailable({ id });
  assert.deepEqual([status, reason], ["busy", "delivery-in-progress"]);
  await other.query("ROLLBACK");
  const { answer } = await relay.deliver(body, { id });
  assert.equal(answer.status, "applied");
});

test("the server falls silent: 503 in time, and later deliveries do not wait for the lost connection", async () => {
  await assertTaken();
  relay.door.silent = true;
  assertSaysNoMore(await assertUnavailable());
  relay.door.silent = false;
  const began = Date.now();
  await assertTaken();
  assert.ok(Date.now() - began < 3000, `taken after ${Date.now() - began} ms`);
});

test("its role may not call the function: 503, and the log says which SQLSTATE", async () => {
  await relay.owner.query("SELECT clerk.revoke_service($1::text::regrole)", [relay.role]);
  assertSaysNoMore(await assertUnavailable());
  assert.match(relay.server.output, /SQLSTATE 42501/);
  await relay.owner.query("SELECT clerk.grant_service($1::text::regrole)", [relay.role]);
  await assertTaken();
});
