// `clerk webhooks verify`, of Clerk's own command line tool, judges deliveries offline, and the database must agree with it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openTool } from "../lib/cli.js";
import { openDatabase } from "../lib/database.js";
import { newSecret, signedHeaders } from "../lib/webhooks.js";
import { BODY, MUTATIONS } from "./mutations.js";

let database;
let clerk;
let secret;
before(async () => {
  clerk = await openTool("clerk");
  database = await openDatabase("clerk_node_clerk_cli");
  await database.client.query("SELECT clerk.configure(issuer => 'https://clerk.cli.example', jwks_url => '')");
  secret = newSecret();
  await database.value("SELECT clerk.add_webhook_signing_secret($1)", [secret]);
});
after(async () => {
  await database?.close();
  await clerk?.close();
});

const accepted = "accepted";

async function verdictOfClerk(body, headers) {
  const flags = { id: "svix-id", timestamp: "svix-timestamp", signature: "svix-signature" };
  const given = Object.entries(flags).filter(([, name]) => headers[name] !== undefined);
  const parameters = given.map(([flag, name]) => `--${flag}=${headers[name]}`);
  const verify = ["webhooks", "verify", "--json", `--secret=${secret}`, "--payload=-", ...parameters];
  const { status, output, errors } = await clerk.run(verify, body);
  if (status === 0) {
    assert.deepEqual(JSON.parse(output), { valid: true });
    return accepted;
  }
  assert.match(errors, /"(invalid_webhook_signature|usage_error)"/);
  return "refused";
}

async function verdictOf(body, headers) {
  const error = await database.errorOf("SELECT clerk.verify_webhook($1, $2)", [body, headers]);
  assert.ok(!error || error.code === "28000", error?.message);
  return error ? error.detail : accepted;
}

const signed = (options) => signedHeaders(secret, BODY, options);
const rotated = () => {
  const headers = signed();
  const options = { id: headers["svix-id"], at: Number(headers["svix-timestamp"]) };
  return { headers, other: signedHeaders(newSecret(), BODY, options)["svix-signature"] };
};

/** Good deliveries. */
const GOOD = {
  "as it is sent": () => signed(),
  "almost five minutes old": () => signed({ at: Math.floor(Date.now() / 1000) - 240 }),
  "signed with another secret too, after it": () => {
    const { headers, other } = rotated();
    return { ...headers, "svix-signature": `${headers["svix-signature"]} ${other}` };
  },
  "signed with another secret too, before it": () => {
    const { headers, other } = rotated();
    return { ...headers, "svix-signature": `${other} ${headers["svix-signature"]}` };
  },
  "with entries of other versions": () => {
    const headers = signed();
    return { ...headers, "svix-signature": `v2,AAAA v1a,AAAA ${headers["svix-signature"]}` };
  },
};

for (const [name, make] of Object.entries(GOOD)) {
  test(`both accept one ${name}`, async () => {
    const headers = make();
    assert.equal(await verdictOfClerk(BODY, headers), accepted);
    assert.equal(await verdictOf(BODY, headers), accepted);
  });
}

const AGED = "Clerk's tool judges saved deliveries, whenever they were signed; whoever receives one must look at the time.";

/** What clerk accepts and the database refuses, and why. svix refuses every one of them, too. */
const DIFFERENCES = {
  "timestamp: an hour ago": AGED,
  "timestamp: in an hour": AGED,
  "timestamp: in milliseconds": AGED,
  "body: a byte order mark added": "Clerk's tool drops it when it reads the body as text; it was not signed.",
  "signature: without padding": "Clerk's tool compares what the base64 stands for; nobody sends it without padding.",
};

for (const { name, reason, spoil } of MUTATIONS) {
  const because = DIFFERENCES[name];
  test(`${because ? "clerk accepts" : "both refuse"} ${name}`, async () => {
    const spoilt = spoil({ body: BODY, headers: signed(), secret });
    assert.equal(await verdictOfClerk(spoilt.body, spoilt.headers), because ? accepted : "refused", because);
    assert.equal(await verdictOf(spoilt.body, spoilt.headers), reason);
  });
}

test("every difference is one of a delivery that was judged", () => {
  const names = MUTATIONS.map(({ name }) => name);
  assert.deepEqual(Object.keys(DIFFERENCES).filter((name) => !names.includes(name)), []);
});
