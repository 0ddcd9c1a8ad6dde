// Webhooks as Svix sends them for Clerk, signed with the npm library `svix`.
import { randomBytes } from "node:crypto";
import { Webhook } from "svix";

import { nowSeconds } from "./tokens.js";

export const INSTANCE = "ins_node";

/** A signing secret of as many random bytes, as Clerk's dashboard shows it. */
export const newSecret = (bytes = 24) => `whsec_${randomBytes(bytes).toString("base64")}`;

export const newId = () => `msg_${randomBytes(12).toString("hex")}`;

/** The headers of a delivery; `at` is in seconds. */
export function signedHeaders(secret, body, { id = newId(), at = nowSeconds() } = {}) {
  return {
    "svix-id": id,
    "svix-timestamp": String(at),
    "svix-signature": new Webhook(secret).sign(id, new Date(at * 1000), body),
  };
}

/** The same headers under the names of the Standard Webhooks specification. */
export const unbranded = (headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.replace("svix-", "webhook-"), value]));

/** What Clerk sends about a user who was made or changed at `at` (milliseconds). */
export function userEvent(type, id, at, changes = {}) {
  const data = {
    id,
    object: "user",
    first_name: "Ada",
    last_name: "Lovelace",
    username: null,
    primary_email_address_id: "idn_1",
    email_addresses: [
      { id: "idn_1", object: "email_address", email_address: "ada@example.com", verification: { status: "verified" } },
    ],
    public_metadata: {},
    banned: false,
    locked: false,
    created_at: at,
    updated_at: at,
    ...changes,
  };
  return event(type, data, at);
}

/** What Clerk sends about a user who was deleted: nothing in it but the envelope says when. */
export const userDeletedEvent = (id, at) => event("user.deleted", { id, object: "user", deleted: true }, at);

const event = (type, data, timestamp) => ({ data, object: "event", type, timestamp, instance_id: INSTANCE });
