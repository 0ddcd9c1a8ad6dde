// Ways to spoil a delivery. svix refuses every one; `reason` is what the database says.
import { newSecret, signedHeaders } from "../lib/webhooks.js";

/** Holds what rewriting would change: an escape, a letter that has two forms, equal keys, odd spaces, a long number. */
export const BODY =
  String.raw`{ "type":"user.updated","data":{"id":"user_1","name":"\u0041da Zo` +
  "é" +
  String.raw`","n":1.0,"n":12345678901234567890},  "object":"event" }`;

const mismatch = "webhook-signature-mismatch";
const missing = "webhook-headers-missing";

const body = (name, change) => ({
  name: `body: ${name}`,
  reason: mismatch,
  spoil: ({ body, headers }) => ({ body: change(body), headers }),
});

const header = (name, reason, change) => ({
  name,
  reason,
  spoil: ({ body, headers, secret }) => ({ body, headers: { ...headers, ...change(headers, secret) } }),
});

const signature = (name, change, reason = mismatch) =>
  header(`signature: ${name}`, reason, (headers, secret) => ({
    "svix-signature": change(headers["svix-signature"].replace("v1,", ""), { headers, secret }),
  }));

/** Signed as it is, but at another time. */
const signedAt = (name, reason, at) => ({
  name: `timestamp: ${name}`,
  reason,
  spoil: ({ body, headers, secret }) => ({
    body,
    headers: signedHeaders(secret, body, { id: headers["svix-id"], at: at(Number(headers["svix-timestamp"])) }),
  }),
});

export const MUTATIONS = [
  body("one byte changed", (text) => text.replace("user_1", "user_2")),
  body("parsed and written again", (text) => JSON.stringify(JSON.parse(text))),
  body("an escape resolved", (text) => text.replace(String.raw`\u0041`, "A")),
  body("a letter in its other form", (text) => text.normalize("NFD")),
  body("the first of two equal keys dropped", (text) => text.replace('"n":1.0,', "")),
  body("a space dropped", (text) => text.replace(",  ", ", ")),
  body("a line end added", (text) => `${text}\n`),
  body("a byte order mark added", (text) => `\ufeff${text}`),
  body("cut short", (text) => text.slice(0, -2)),
  body("empty", () => ""),
  body("an empty object", () => "{}"),

  header("id: another", mismatch, () => ({ "svix-id": "msg_another" })),
  header("id: in capitals", mismatch, ({ "svix-id": id }) => ({ "svix-id": id.toUpperCase() })),
  header("id: spaces", missing, () => ({ "svix-id": "  " })),
  header("id: empty", missing, () => ({ "svix-id": "" })),
  header("id: missing", missing, () => ({ "svix-id": undefined })),

  header("timestamp: a second later", mismatch, ({ "svix-timestamp": at }) => ({ "svix-timestamp": String(+at + 1) })),
  header("timestamp: no number", "webhook-timestamp-invalid", () => ({ "svix-timestamp": "soon" })),
  header("timestamp: empty", missing, () => ({ "svix-timestamp": "" })),
  header("timestamp: missing", missing, () => ({ "svix-timestamp": undefined })),
  signedAt("an hour ago", "webhook-timestamp-expired", (at) => at - 3600),
  signedAt("in an hour", "webhook-timestamp-in-the-future", (at) => at + 3600),
  signedAt("in milliseconds", "webhook-timestamp-in-the-future", (at) => at * 1000),
  signedAt("before 1970", "webhook-timestamp-invalid", () => -5),

  signature("missing", () => undefined, missing),
  signature("empty", () => "", missing),
  signature("nothing but the version", () => "v1,"),
  signature("without a version", (signed) => signed),
  signature("another version", (signed) => `v2,${signed}`),
  signature("the version of public keys", (signed) => `v1a,${signed}`),
  signature("the version in capitals", (signed) => `V1,${signed}`),
  signature("one letter short", (signed) => `v1,${signed.slice(1)}`),
  signature("without padding", (signed) => `v1,${signed.replace("=", "")}`),
  signature("in hexadecimal", (signed) => `v1,${Buffer.from(signed, "base64").toString("hex")}`),
  signature("one bit changed", (signed) => {
    const bytes = Buffer.from(signed, "base64");
    bytes[31] ^= 1;
    return `v1,${bytes.toString("base64")}`;
  }),
  signature("two that are wrong", (signed) => `v1,${signed.slice(1)} v1,${signed.slice(2)}`),
  signature(
    "by another secret",
    (_, { headers }) =>
      signedHeaders(newSecret(), BODY, { id: headers["svix-id"], at: Number(headers["svix-timestamp"]) })[
        "svix-signature"
      ],
  ),
  signature(
    "of another body",
    (_, { headers, secret }) =>
      signedHeaders(secret, "{}", { id: headers["svix-id"], at: Number(headers["svix-timestamp"]) })["svix-signature"],
  ),
];
