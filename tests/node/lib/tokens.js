// Tokens as Clerk makes them, and tokens nobody should make.
import { createHmac, generateKeyPairSync, sign } from "node:crypto";

export const KID = "ins_node";

/** An RSA key pair: `jwks` for the database, `pem` for @clerk/backend. Without `alg`, any RS algorithm may use it. */
export function keyPair({ kid = KID, alg, bits = 2048 } = {}) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const { n, e } = publicKey.export({ format: "jwk" });
  const jwk = { kty: "RSA", use: "sig", kid, n, e, ...(alg && { alg }) };
  return { privateKey, publicKey, jwk, jwks: { keys: [jwk] }, pem: publicKey.export({ type: "spki", format: "pem" }) };
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Claims of a session token that is good now; a claim that is undefined in `changes` is left out. */
export function sessionClaims(issuer, changes = {}) {
  const now = nowSeconds();
  return {
    iss: issuer,
    sub: "user_ada",
    sid: "sess_1",
    azp: "https://app.example",
    iat: now,
    nbf: now - 10,
    exp: now + 60,
    jti: "0123456789abcdef0123",
    ...changes,
  };
}

/** A token of exactly these parts. Header and payload may be objects, or text or bytes as they are. */
export function makeToken(header, payload, signer) {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${signer(Buffer.from(signed)).toString("base64url")}`;
}

function encode(part) {
  const bytes = typeof part === "string" || Buffer.isBuffer(part) ? part : JSON.stringify(part);
  return Buffer.from(bytes).toString("base64url");
}

/** RSASSA-PKCS1-v1_5 with SHA-256, 384 or 512 (RFC 7518, 3.3). */
export const rs = (bits, key) => (data) => sign(`sha${bits}`, data, key);
/** RSASSA-PSS (RFC 7518, 3.5). */
export const ps = (bits, key) => (data) =>
  sign(`sha${bits}`, data, { key, padding: 6 /* RSA_PKCS1_PSS_PADDING */, saltLength: bits / 8 });
/** HMAC, keyed with whatever the attacker knows, such as the public key. */
export const hs = (bits, secret) => (data) => createHmac(`sha${bits}`, secret).update(data).digest();
/** No signature at all. */
export const unsigned = () => Buffer.alloc(0);
