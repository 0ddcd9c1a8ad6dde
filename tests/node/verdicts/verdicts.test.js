// @clerk/backend and the database judge the same tokens, and must agree but for the differences that are listed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClerkClient, verifyToken } from "@clerk/backend";

import { openDatabase } from "../lib/database.js";
import { KID, keyPair, makeToken, rs, sessionClaims } from "../lib/tokens.js";
import { AGREED } from "./agreed.js";
import { DIFFERENCES } from "./differences.js";
import { INSTANCES } from "./instances.js";

const keys = { ours: keyPair(), theirs: keyPair() };

let database;
before(async () => {
  database = await openDatabase("clerk_node_verdicts");
  for (const { issuer, settings } of Object.values(INSTANCES)) {
    await database.configure(issuer, keys.ours.jwks, settings);
  }
});
after(() => database.close());

function tokenOf(row) {
  const { issuer } = INSTANCES[row.instance ?? "plain"];
  const header =
    typeof row.header === "function" ? row.header(keys) : { alg: "RS256", kid: KID, typ: "JWT", ...row.header };
  const text = JSON.stringify(sessionClaims(issuer, row.claims));
  const payload = row.payload?.(keys, text) ?? text;
  const signer = row.signer?.(keys) ?? rs(256, keys.ours.privateKey);
  const token = makeToken(header, payload, signer);
  return row.mangle?.(token) ?? token;
}

/** "accepted", Clerk's reason, or the name of an error that has none. */
async function verdictOfBackend(token, { issuer, options }) {
  try {
    await verifyToken(token, { jwtKey: keys.ours.pem, issuer, ...options });
    return "accepted";
  } catch (error) {
    return error.reason ?? error.name;
  }
}

/** "accepted", or the reason in DETAIL; a refused token is class 28. */
async function verdictOfDatabase(token) {
  const error = await database.errorOf("SELECT clerk.verify_jwt($1)", [token]);
  if (!error) {
    return "accepted";
  }
  assert.equal(error.code, "28000", error.message);
  return error.detail;
}

async function verdictsOn(row) {
  const token = tokenOf(row);
  return {
    backend: await verdictOfBackend(token, INSTANCES[row.instance ?? "plain"]),
    database: await verdictOfDatabase(token),
  };
}

for (const row of AGREED) {
  test(`${row.name}: ${row.verdict}`, async () => {
    assert.deepEqual(await verdictsOn(row), { backend: row.verdict, database: row.verdict });
  });
}

for (const { backend, database, because, ...row } of DIFFERENCES) {
  test(`${row.name}: ${backend} there, ${database} here`, async () => {
    assert.notEqual(backend, database, "this is no difference");
    assert.deepEqual(await verdictsOn(row), { backend, database }, because);
  });
}

// verifyToken leaves telling the kinds apart to the layer above, which authenticates requests.
for (const [name, cat] of [
  ["no category", undefined],
  ["the category of session tokens", "cl_B7d4PD111AAA"],
  ["the category of an instance that opted out", "cl_I7d4PD111III"],
  ["the category of templates", "cl_B7d4PD222AAA"],
  ["a category that nobody knows", "cl_B7d4PD444AAA"],
]) {
  test(`${name}: as a request is authenticated`, async () => {
    const token = tokenOf({ header: { cat } });
    const host = Buffer.from("clerk.plain.example$").toString("base64");
    const clerk = createClerkClient({ secretKey: "sk_live_none", publishableKey: `pk_live_${host}`, jwtKey: keys.ours.pem });
    const request = new Request("https://app.example/", { headers: { authorization: `Bearer ${token}` } });
    const state = await clerk.authenticateRequest(request);
    assert.equal(await verdictOfDatabase(token), state.isAuthenticated ? "accepted" : state.reason);
  });
}
