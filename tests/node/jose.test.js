// Tokens minted with the npm library `jose` verify in the database, with the key as jose exports it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

import { openDatabase } from "./lib/database.js";
import { nowSeconds, sessionClaims } from "./lib/tokens.js";

const ISSUER = "https://clerk.jose.example";
const KID = "ins_jose";

const VERSION_1 = {
  org_id: "org_acme",
  org_slug: "acme",
  org_role: "org:admin",
  org_permissions: ["org:posts:create", "org:posts:delete"],
};
const VERSION_2 = {
  v: 2,
  fea: "o:posts,o:billing",
  pla: "o:pro",
  o: { id: "org_acme", slg: "acme", rol: "admin", per: "create,delete", fpm: "3,0" },
};

let database;
before(async () => {
  database = await openDatabase("clerk_node_jose");
  await database.client.query("SELECT clerk.configure(issuer => $1, jwks_url => '')", [ISSUER]);
});
after(() => database.close());

/** Imports jose's export of a new public key, and returns its private half. */
async function newKey(alg, members = { use: "sig", alg }, modulusLength = 2048) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { modulusLength, extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: KID, ...members }] };
  assert.equal(await database.value("SELECT clerk.import_jwks($1, $2)", [ISSUER, jwks]), 1);
  return privateKey;
}

const mint = (claims, alg, key) => new SignJWT(claims).setProtectedHeader({ alg, kid: KID, typ: "JWT" }).sign(key);
const verify = (token) => database.value("SELECT clerk.verify_jwt($1)", [token]);
const refusalOf = (token) => database.errorOf("SELECT clerk.verify_jwt($1)", [token]);

for (const alg of ["RS256", "RS384", "RS512"]) {
  for (const [version, claims] of Object.entries({ "version 1": VERSION_1, "version 2": VERSION_2 })) {
    test(`${alg}, ${version}: the claims come back as they were signed`, async () => {
      const expected = sessionClaims(ISSUER, claims);
      const token = await mint(expected, alg, await newKey(alg));
      assert.deepEqual(await verify(token), expected);
    });

    test(`${alg}, ${version}: the token is the caller's identity`, async () => {
      const token = await mint(sessionClaims(ISSUER, claims), alg, await newKey(alg));
      await database.client.query("BEGIN");
      await database.client.query("SELECT clerk.authenticate($1)", [token]);
      const who = await database.row(`
        SELECT clerk.current_user_id() AS "user", clerk.current_session_id() AS session, clerk.current_org_id() AS org,
               clerk.current_org_slug() AS slug, clerk.current_org_role() AS role,
               clerk.current_org_permissions() AS permissions`);
      await database.client.query("ROLLBACK");
      assert.deepEqual(who, {
        user: "user_ada",
        session: "sess_1",
        org: "org_acme",
        slug: "acme",
        role: "org:admin",
        permissions: ["org:posts:create", "org:posts:delete"],
      });
    });
  }
}

for (const bits of [3072, 4096]) {
  test(`an RSA key of ${bits} bits`, async () => {
    const token = await mint(sessionClaims(ISSUER), "RS256", await newKey("RS256", { use: "sig", alg: "RS256" }, bits));
    assert.equal((await verify(token)).sub, "user_ada");
  });
}

test("a key that names no algorithm serves all three", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS512", { extractable: true });
  const { n, e } = await exportJWK(publicKey);
  await database.value("SELECT clerk.import_jwks($1, $2)", [ISSUER, { keys: [{ kty: "RSA", kid: KID, n, e }] }]);
  const token = await mint(sessionClaims(ISSUER), "RS512", privateKey);
  assert.equal((await verify(token)).sub, "user_ada");
});

test("a key of RS256 does not vouch for RS512", async () => {
  const { privateKey, publicKey } = await generateKeyPair("RS512", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: KID, use: "sig", alg: "RS256" };
  await database.value("SELECT clerk.import_jwks($1, $2)", [ISSUER, { keys: [jwk] }]);
  const refusal = await refusalOf(await mint(sessionClaims(ISSUER), "RS512", privateKey));
  assert.deepEqual([refusal.code, refusal.detail], ["28000", "token-invalid-algorithm"]);
});

test("what jose signs with other algorithms is refused", async () => {
  await newKey("RS256");
  for (const alg of ["PS256", "ES256", "EdDSA"]) {
    const { privateKey } = await generateKeyPair(alg);
    const refusal = await refusalOf(await mint(sessionClaims(ISSUER), alg, privateKey));
    assert.deepEqual([refusal.code, refusal.detail], ["28000", "token-invalid-algorithm"], alg);
  }
});

test("an expired token of jose is refused", async () => {
  const key = await newKey("RS256");
  const refusal = await refusalOf(await mint(sessionClaims(ISSUER, { exp: nowSeconds() - 30 }), "RS256", key));
  assert.deepEqual([refusal.code, refusal.detail], ["28000", "token-expired"]);
});

test("jose's private and symmetric keys are not taken in", async () => {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const secret = { kty: "oct", k: "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U", alg: "HS256" };
  for (const jwk of [await exportJWK(privateKey), secret]) {
    const jwks = { keys: [{ ...jwk, kid: KID }] };
    const error = await database.errorOf("SELECT clerk.import_jwks($1, $2)", [ISSUER, jwks]);
    assert.equal(error.code, "22023", jwk.kty);
  }
});
