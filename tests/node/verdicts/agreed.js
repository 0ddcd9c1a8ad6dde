// Tokens on which @clerk/backend and the database must agree: accepted, or refused for the same reason.
import { KID, hs, nowSeconds, ps, rs, unsigned } from "../lib/tokens.js";

/**
 * One row: a name, the verdict, and what differs from a good session token. `instance` is a key of INSTANCES; `claims`
 * change the payload, `payload` replaces it; `header` likewise changes the header; `signer` makes the signature;
 * `mangle` is done to the finished token. Whatever is a function gets the test's keys.
 */
export const AGREED = [
  { name: "a session token of version 1", verdict: "accepted", claims: { org_id: "org_1", org_role: "org:admin" } },
  { name: "a session token of version 2", verdict: "accepted", claims: { v: 2, o: { id: "org_1", rol: "admin" } } },
  { name: "a session token that says version 1", verdict: "accepted", claims: { v: 1, org_id: "org_1" } },
  { name: "an agent that acts for the user", verdict: "accepted", claims: { act: { sub: "agent_1", type: "agent" } } },
  { name: "a version 2 written as a string", verdict: "accepted", claims: { v: "2" } },
  { name: "custom claims", verdict: "accepted", claims: { role: "authenticated", metadata: { plan: "gold" } } },
  { name: "a pending session", verdict: "accepted", claims: { sts: "pending" } },
  { name: "no typ", verdict: "accepted", header: { typ: undefined } },
  { name: "the category of session tokens", verdict: "accepted", header: { cat: "cl_B7d4PD111AAA" } },
  { name: "the category of an instance that opted out", verdict: "accepted", header: { cat: "cl_I7d4PD111III" } },
  { name: "header parameters nobody knows", verdict: "accepted", header: { oiat: 1, "x-new": [1] } },
  { name: "a signature with padding", verdict: "accepted", mangle: (token) => `${token}==` },

  // Form
  { name: "the empty string", verdict: "token-invalid", mangle: () => "" },
  { name: "one part", verdict: "token-invalid", mangle: () => "abc" },
  { name: "two parts", verdict: "token-invalid", mangle: (token) => token.split(".").slice(0, 2).join(".") },
  { name: "four parts", verdict: "token-invalid", mangle: (token) => `${token}.e30` },
  { name: "a JWE of five parts", verdict: "token-invalid", mangle: (token) => `${token}.e30.e30` },
  { name: "three empty parts", verdict: "token-invalid", mangle: () => ".." },
  { name: "an opaque M2M token", verdict: "token-invalid", mangle: () => "mt_0123456789abcdef" },
  { name: "an API key", verdict: "token-invalid", mangle: () => "ak_0123456789abcdef" },
  { name: "with Bearer in front", verdict: "token-invalid", mangle: (token) => `Bearer ${token}` },
  { name: "a header that is not base64url", verdict: "token-invalid", mangle: (token) => `*${token}` },
  { name: "a payload that is not base64url", verdict: "token-invalid", mangle: (token) => token.replace(".", ".*") },
  { name: "a signature that is not base64url", verdict: "token-invalid", mangle: (token) => `${token}*` },
  { name: "base64 where base64url belongs", verdict: "token-invalid", mangle: (token) => token.replace(".", "+/.") },
  { name: "a header that is not JSON", verdict: "token-invalid", header: () => "{alg: RS256}" },
  { name: "a payload that is not JSON", verdict: "token-invalid", payload: () => "{sub: 1}" },
  { name: "a payload that ends early", verdict: "token-invalid", payload: (_, text) => text.slice(0, -1) },
  { name: "an empty payload", verdict: "token-invalid", payload: () => "" },

  // Kind
  { name: "the category of M2M tokens", verdict: "token-invalid", header: { cat: "cl_B7d4PD333AAA" } },
  { name: "a typ that is null", verdict: "token-invalid", header: { typ: null } },

  // Algorithm
  { name: "no alg", verdict: "token-invalid-algorithm", header: { alg: undefined } },
  { name: "alg none, unsigned", verdict: "token-invalid-algorithm", header: { alg: "none" }, signer: () => unsigned },
  { name: "alg None, signed", verdict: "token-invalid-algorithm", header: { alg: "None" } },
  { name: "alg rs256", verdict: "token-invalid-algorithm", header: { alg: "rs256" } },
  { name: "alg ES256", verdict: "token-invalid-algorithm", header: { alg: "ES256" } },
  {
    name: "HS256 keyed with the public key",
    verdict: "token-invalid-algorithm",
    header: { alg: "HS256" },
    signer: ({ ours }) => hs(256, ours.pem),
  },
  {
    name: "PS256",
    verdict: "token-invalid-algorithm",
    header: { alg: "PS256" },
    signer: ({ ours }) => ps(256, ours.privateKey),
  },

  // Signature
  { name: "another key", verdict: "token-invalid-signature", signer: ({ theirs }) => rs(256, theirs.privateKey) },
  { name: "an empty signature", verdict: "token-invalid-signature", signer: () => unsigned },
  { name: "a signature one octet short", verdict: "token-invalid-signature", mangle: (token) => token.slice(0, -2) },
  {
    name: "a second spelling of the signature",
    verdict: "token-invalid",
    mangle: (token) => token.slice(0, -1) + String.fromCharCode(token.charCodeAt(token.length - 1) + 1),
  },
  {
    name: "RS256 in the header, PSS in the signature",
    verdict: "token-invalid-signature",
    signer: ({ ours }) => ps(256, ours.privateKey),
  },
  {
    name: "RS256 in the header, SHA-512 in the signature",
    verdict: "token-invalid-signature",
    signer: ({ ours }) => rs(512, ours.privateKey),
  },
  {
    name: "another user put in after signing",
    verdict: "token-invalid-signature",
    mangle: (token) => {
      const [header, payload, signature] = token.split(".");
      const claims = JSON.parse(Buffer.from(payload, "base64url"));
      const forged = Buffer.from(JSON.stringify({ ...claims, sub: "user_eve" })).toString("base64url");
      return `${header}.${forged}.${signature}`;
    },
  },
  {
    name: "a key of its own along in the header",
    verdict: "token-invalid-signature",
    header: ({ theirs }) => ({ alg: "RS256", kid: KID, typ: "JWT", jwk: theirs.jwk }),
    signer: ({ theirs }) => rs(256, theirs.privateKey),
  },
  {
    name: "the address of a key along in the header",
    verdict: "token-invalid-signature",
    header: { jku: "http://127.0.0.1:9/jwks.json", x5u: "http://127.0.0.1:9/cert.pem" },
    signer: ({ theirs }) => rs(256, theirs.privateKey),
  },
  {
    name: "a bad signature and an expired token",
    verdict: "token-invalid-signature",
    claims: { exp: 1 },
    signer: ({ theirs }) => rs(256, theirs.privateKey),
  },

  // Times, in seconds; the skew is 5 s
  { name: "expired", verdict: "token-expired", claims: { exp: nowSeconds() - 30 } },
  { name: "expired since 1970", verdict: "token-expired", claims: { exp: 0 } },
  { name: "an exp with a fraction", verdict: "accepted", claims: { exp: nowSeconds() + 3600.5 } },
  { name: "no exp", verdict: "token-verification-failed", claims: { exp: undefined } },
  { name: "an exp that is a string", verdict: "token-verification-failed", claims: { exp: "4102444800" } },
  { name: "an exp that is null", verdict: "token-verification-failed", claims: { exp: null } },
  { name: "not good yet", verdict: "token-not-active-yet", claims: { nbf: nowSeconds() + 3600 } },
  { name: "no nbf", verdict: "accepted", claims: { nbf: undefined } },
  { name: "an nbf that is a string", verdict: "token-verification-failed", claims: { nbf: "0" } },
  { name: "made in the future", verdict: "token-iat-in-the-future", claims: { iat: nowSeconds() + 3600 } },
  { name: "no iat", verdict: "accepted", claims: { iat: undefined } },
  { name: "an iat that is null", verdict: "token-verification-failed", claims: { iat: null } },

  // Subject and issuer
  { name: "no sub", verdict: "token-verification-failed", claims: { sub: undefined } },
  { name: "a sub that is a number", verdict: "token-verification-failed", claims: { sub: 1 } },
  { name: "a sub that is a list", verdict: "token-verification-failed", claims: { sub: ["user_ada"] } },
  { name: "another issuer", verdict: "token-invalid-issuer", claims: { iss: "https://clerk.elsewhere.example" } },
  { name: "no issuer", verdict: "token-invalid-issuer", claims: { iss: undefined } },
  { name: "a list of issuers", verdict: "token-invalid-issuer", claims: { iss: ["https://clerk.plain.example"] } },
  {
    name: "a slash after the issuer",
    verdict: "token-invalid-issuer",
    claims: { iss: "https://clerk.plain.example/" },
  },
  { name: "the issuer in capitals", verdict: "token-invalid-issuer", claims: { iss: "HTTPS://CLERK.PLAIN.EXAMPLE" } },

  // Authorized parties and audiences
  { name: "the first party", verdict: "accepted", instance: "parties" },
  { name: "the second party", verdict: "accepted", instance: "parties", claims: { azp: "https://admin.example" } },
  {
    name: "another party",
    verdict: "token-invalid-authorized-parties",
    instance: "parties",
    claims: { azp: "https://evil.example" },
  },
  { name: "no party", verdict: "token-invalid-authorized-parties", instance: "parties", claims: { azp: undefined } },
  { name: "an empty party", verdict: "token-invalid-authorized-parties", instance: "parties", claims: { azp: "" } },
  {
    name: "a party that is a number",
    verdict: "token-invalid-authorized-parties",
    instance: "parties",
    claims: { azp: 5 },
  },
  {
    name: "another party and an expired token",
    verdict: "token-invalid-authorized-parties",
    instance: "parties",
    claims: { azp: "https://evil.example", exp: 1 },
  },
  { name: "any party where none is configured", verdict: "accepted", claims: { azp: "https://evil.example" } },
  { name: "the audience", verdict: "accepted", instance: "audience", claims: { aud: "https://api.example" } },
  {
    name: "the audience among others",
    verdict: "accepted",
    instance: "audience",
    claims: { aud: ["https://other.example", "https://api.example"] },
  },
  { name: "no audience", verdict: "accepted", instance: "audience", claims: { aud: undefined } },
  { name: "an empty list of audiences", verdict: "accepted", instance: "audience", claims: { aud: [] } },
  { name: "a list of null", verdict: "accepted", instance: "audience", claims: { aud: [null] } },
  { name: "a list of null where none is configured", verdict: "accepted", claims: { aud: [null] } },
  { name: "an audience that is null", verdict: "accepted", instance: "audience", claims: { aud: null } },
  { name: "a list of an empty text", verdict: "accepted", instance: "audience", claims: { aud: ["", null] } },
];
