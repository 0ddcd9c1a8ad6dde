// The Edge Function, running between Svix and a database of its own.
import pg from "pg";

import { openDatabase } from "./database.js";
import { openFunction } from "./deno.js";
import { Door } from "./door.js";
import { INSTANCE, newSecret, signedHeaders } from "./webhooks.js";

const RUN = ["run", "--no-prompt", "--node-modules-dir=manual", "--allow-net", "--allow-env", "index.ts"];
const PASSWORD = "Only-for-this-test";
/** How long Svix waits for an answer, in milliseconds. */
export const SVIX_WAITS = 15_000;

/** Makes the database, and a role for the function that may do no more than `clerk.grant_service()` gives. */
export async function openRelay(name) {
  const relay = new Relay(name);
  try {
    await relay.open();
  } catch (error) {
    await relay.close();
    throw error;
  }
  return relay;
}

class Relay {
  #closers = [];

  constructor(name) {
    this.name = name;
    this.role = `${name}_relay`;
    this.password = PASSWORD;
    this.secret = newSecret();
  }

  async open() {
    this.database = await this.#opened(openDatabase(this.name));
    await this.database.client.query("SELECT clerk.configure(issuer => $1, jwks_url => '', instance_id => $2)", [
      `https://${this.name.replaceAll("_", "-")}.example`,
      INSTANCE,
    ]);
    await this.database.value("SELECT clerk.add_webhook_signing_secret($1)", [this.secret]);

    this.owner = new pg.Client({ database: this.name });
    this.#closers.push(() => this.owner.end());
    await this.owner.connect();
    await this.owner.query(`DROP ROLE IF EXISTS ${this.role}`);
    await this.owner.query(`CREATE ROLE ${this.role} LOGIN PASSWORD '${PASSWORD}'`);
    await this.owner.query("SELECT clerk.grant_service($1::text::regrole)", [this.role]);

    this.door = await this.#opened(Door.open(process.env.PGPORT));
    const code = await this.#opened(openFunction());
    this.server = code.start(RUN, {
      DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
      SUPABASE_DB_URL: `postgres://${this.role}:${PASSWORD}@127.0.0.1:${this.door.port}/${this.name}`,
    });
    this.#closers.push(() => this.server.stop());
    [, this.url] = await this.server.prints(/Listening on (http:\S+)/);
  }

  async #opened(opening) {
    const part = await opening;
    this.#closers.push(() => part.close());
    return part;
  }

  /** Delivers an event or a text as Svix does. `headers` are added, or replace those that belong to the body. */
  async deliver(event, { headers = {}, ...identity } = {}) {
    const body = typeof event === "string" ? event : JSON.stringify(event);
    return this.post(body, { ...signedHeaders(this.secret, body, identity), ...headers });
  }

  /** Sends these bytes with these headers. */
  async post(body, headers = {}, options = {}) {
    const response = await fetch(`${this.url}clerk-webhook`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      signal: AbortSignal.timeout(SVIX_WAITS),
      ...options,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, answer: text && JSON.parse(text) };
  }

  async close() {
    for (const close of this.#closers.reverse()) {
      await close();
    }
  }
}
