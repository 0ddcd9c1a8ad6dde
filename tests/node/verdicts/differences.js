// Tokens on which @clerk/backend and the database differ, and why. What no longer differs must leave this table.
import { KID, rs } from "../lib/tokens.js";

const KINDS =
  "The instance's key also signs tokens of machines, OAuth applications and templates. @clerk/backend leaves telling them " +
  "apart to its request layer; here nothing comes after verify_jwt, so it asks for a session's claims.";
const KEY_ID = "Keys are found by issuer and kid; the one key of a PEM needs neither.";
const STRICT =
  "A token must mean the same to every reader, PostgREST and jsonb included, so JSON is read strictly and its size bounded.";
const CODE = "Refused by both. We give every audience, and every kind of token, one code; Clerk's SDKs have several.";
const ISSUER_FIRST =
  "Refused by both. The issuer chooses the instance and so the key, hence it is judged before the signature.";
const NO_TIME = "@clerk/backend makes a JavaScript date of the number; what is no date compares as good for ever.";

const RS256_PEM =
  "@clerk/backend allows all three algorithms but makes an RS256 key of any PEM; our key names no algorithm.";

/** One row: as in AGREED, but with a verdict of each. */
export const DIFFERENCES = [
  // Kinds of token
  {
    name: "a template token",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    claims: { sid: undefined },
  },
  {
    name: "a template token with its category",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    header: { cat: "cl_B7d4PD222AAA" },
    claims: { sid: undefined },
  },
  {
    name: "a category that nobody knows",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    header: { cat: "cl_B7d4PD444AAA" },
  },
  { name: "an empty sid", because: KINDS, backend: "accepted", database: "token-type-mismatch", claims: { sid: "" } },
  {
    name: "an M2M token without a category",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    claims: { sub: "mch_1", sid: undefined, azp: undefined },
  },
  {
    name: "an OAuth access token of typ JWT",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    claims: { client_id: "client_1", sid: undefined, scope: "profile" },
  },
  {
    name: "a client_id beside a session",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    claims: { client_id: "c" },
  },
  {
    name: "an OIDC ID token that has a session id",
    because: KINDS,
    backend: "accepted",
    database: "token-invalid-audience",
    claims: { aud: "client_1" },
  },
  {
    name: "a sub that is no user",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    claims: { sub: "org_1" },
  },
  {
    name: "a sub of the prefix alone",
    because: KINDS,
    backend: "accepted",
    database: "token-type-mismatch",
    claims: { sub: "user_" },
  },
  {
    name: "an empty sub",
    because: KINDS,
    backend: "accepted",
    database: "token-verification-failed",
    claims: { sub: "" },
  },
  { name: "no kid", because: KEY_ID, backend: "accepted", database: "jwk-kid-mismatch", header: { kid: undefined } },
  {
    name: "an unknown kid",
    because: KEY_ID,
    backend: "accepted",
    database: "jwk-kid-mismatch",
    header: { kid: "ins_other" },
  },

  {
    name: "RS384",
    because: RS256_PEM,
    backend: "token-verification-failed",
    database: "accepted",
    header: { alg: "RS384" },
    signer: ({ ours }) => rs(384, ours.privateKey),
  },
  {
    name: "RS512",
    because: RS256_PEM,
    backend: "token-verification-failed",
    database: "accepted",
    header: { alg: "RS512" },
    signer: ({ ours }) => rs(512, ours.privateKey),
  },

  // The same refusal by another code
  {
    name: "typ at+jwt",
    because: CODE,
    backend: "token-invalid",
    database: "token-type-mismatch",
    header: { typ: "at+jwt" },
  },
  { name: "typ jwt", because: CODE, backend: "token-invalid", database: "token-type-mismatch", header: { typ: "jwt" } },
  {
    name: "another audience",
    because: CODE,
    backend: "token-verification-failed",
    database: "token-invalid-audience",
    instance: "audience",
    claims: { aud: "https://other.example" },
  },
  {
    name: "the audience beside null",
    because: "@clerk/backend skips what is neither a string nor a list of strings.",
    backend: "accepted",
    database: "token-invalid-audience",
    instance: "audience",
    claims: { aud: ["https://other.example", null] },
  },
  {
    name: "an audience that is a number",
    because: "@clerk/backend skips what is neither a string nor a list of strings.",
    backend: "accepted",
    database: "token-invalid-audience",
    instance: "audience",
    claims: { aud: 7 },
  },
  {
    name: "another issuer and another key",
    because: ISSUER_FIRST,
    backend: "token-invalid-signature",
    database: "token-invalid-issuer",
    claims: { iss: "https://clerk.elsewhere.example" },
    signer: ({ theirs }) => rs(256, theirs.privateKey),
  },
  {
    name: "another issuer and another party",
    because: ISSUER_FIRST,
    backend: "token-invalid-authorized-parties",
    database: "token-invalid-issuer",
    instance: "parties",
    claims: { iss: "https://clerk.elsewhere.example", azp: "https://evil.example" },
  },
  {
    name: "another issuer and no sub",
    because: ISSUER_FIRST,
    backend: "token-verification-failed",
    database: "token-invalid-issuer",
    claims: { iss: "https://clerk.elsewhere.example", sub: undefined },
  },

  // Times that are none
  {
    name: "an exp beyond all dates",
    because: NO_TIME,
    backend: "accepted",
    database: "token-verification-failed",
    claims: { exp: 1e300 },
  },
  {
    name: "an exp after the year 9999",
    because: NO_TIME,
    backend: "accepted",
    database: "token-verification-failed",
    claims: { exp: 1e12 },
  },
  {
    name: "a negative exp",
    because: "Refused by both; a time before 1970 is no time of a token.",
    backend: "token-expired",
    database: "token-verification-failed",
    claims: { exp: -1 },
  },
  {
    name: "a negative nbf",
    because: "A time before 1970 is no time of a token.",
    backend: "accepted",
    database: "token-verification-failed",
    claims: { nbf: -1 },
  },

  // Strict reading
  {
    name: "a claim that comes twice",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    payload: (_, text) => text.replace("{", '{"sub":"user_eve",'),
  },
  {
    name: "a header parameter that comes twice",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    header: () => `{"alg":"none","alg":"RS256","kid":"${KID}","typ":"JWT"}`,
  },
  {
    name: "bytes that are not UTF-8",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    payload: (_, text) => Buffer.from(text.replace("{", '{"name":"\u00ff",'), "latin1"),
  },
  {
    name: "a lone surrogate",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    payload: (_, text) => text.replace("{", '{"name":"\\ud800",'),
  },
  {
    name: "a NUL in the user id",
    because: STRICT,
    backend: "accepted",
    database: "token-verification-failed",
    claims: { sub: "user_ada\u0000eve" },
  },
  {
    name: "a number no double holds",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    payload: (_, text) => text.replace("{", '{"big":1e999,'),
  },
  {
    name: "65 levels of nesting",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    payload: (_, text) => text.replace("{", `{"deep":${"[".repeat(64)}${"]".repeat(64)},`),
  },
  {
    name: "17 KiB",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    claims: { padding: "x".repeat(13 * 1024) },
  },
  {
    name: "a byte order mark before the payload",
    because: STRICT,
    backend: "accepted",
    database: "token-invalid",
    payload: (_, text) => `\ufeff${text}`,
  },
  {
    name: "a payload that is a list",
    because: STRICT,
    backend: "token-verification-failed",
    database: "token-invalid",
    payload: () => "[]",
  },
  {
    name: "a payload that is null",
    because: STRICT,
    backend: "TypeError",
    database: "token-invalid",
    payload: () => "null",
  },
  {
    name: "a header that is a list",
    because: STRICT,
    backend: "token-invalid-algorithm",
    database: "token-invalid",
    header: () => "[]",
  },
  {
    name: "a critical extension",
    because: "RFC 7515, 4.1.11: a reader that does not know the extension must refuse the token.",
    backend: "accepted",
    database: "token-invalid",
    header: { crit: ["x-new"], "x-new": 1 },
  },
];
