// The Edge Function, running between Svix and a database of its own.
import pg from "pg";

import { openDatabase } from "./database.js";
import { openFunction } from "./deno.js";
import { Door } from "./door.js";
import { INSTANCE, newSecret, signedHeaders } from "./webhooks.js";

/** Makes the database, and a role for the function that may do no more than `clerk.grant_service()` gives. */
export async function openRelay(name) {
  const database = await openDatabase(name);
  await database.client.query("SELECT clerk.configure(issuer => $1, jwks_url => '', instance_id => $2)", [
    `https://${name.replaceAll("_", "-")}.example`,
    INSTANCE,
  ]);
  const secret = newSecret();
  await database.value("SELECT clerk.add_webhook_signing_secret($1)", [secret]);

  const owner = new pg.Client({ database: name });
  await owner.connect();
  const role = `${name}_relay`;
  const password = "Only-for-this-test";
  await owner.query(`DROP ROLE IF EXISTS ${role}`);
  await owner.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  await owner.query("SELECT clerk.grant_service($1::text::regrole)", [role]);

  const door = await Door.open(process.env.PGPORT);
  const code = await openFunction();
  const server = code.start(
    ["run", "--no-prompt", "--node-modules-dir=manual", "--allow-net", "--allow-env", "index.ts"],
    {
      DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
      SUPABASE_DB_URL: `postgres://${role}:${password}@127.0.0.1:${door.port}/${name}`,
    },
  );
  const [, url] = await server.prints(/Listening on (http:\S+)/);
  return new Relay({ database, owner, role, password, secret, door, code, server, url });
}

class Relay {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Delivers an event or a text as Svix does. `headers` are added, or replace those that belong to the body. */
  async deliver(event, { headers = {}, ...identity } = {}) {
    const body = typeof event === "string" ? event : JSON.stringify(event);
    return this.post(body, { ...signedHeaders(this.secret, body, identity), ...headers });
  }

  /** Sends these bytes with these headers, of which the undefined ones are left out. */
  async post(body, headers = {}, options = {}) {
    const present = Object.entries({ "content-type": "application/json", ...headers }).filter(
      ([, value]) => value !== undefined,
    );
    const response = await fetch(`${this.url}clerk-webhook`, { method: "POST", headers: present, body, ...options });
    const text = await response.text();
    return { status: response.status, headers: response.headers, answer: text && JSON.parse(text) };
  }

  async close() {
    await this.server.stop();
    await this.code.close();
    await this.door.shut();
    await this.owner.end();
    await this.database.close();
  }
}
