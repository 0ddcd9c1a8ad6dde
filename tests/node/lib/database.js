// A database of its own with clerk_sync in it, on the server that libpq's environment variables name.
import pg from "pg";

/**
 * Makes the database anew, with an unprivileged role that may call what `clerk.grant_admin()` gives.
 * The connection runs as that role; `asOwner` does not.
 */
export async function openDatabase(name) {
  const role = `${name}_app`;
  const server = await connect("postgres");
  await server.query(`DROP DATABASE IF EXISTS ${name}`);
  await server.query(`DROP ROLE IF EXISTS ${role}`);
  await server.query(`CREATE ROLE ${role}`);
  await server.query(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`);
  await server.end();

  const client = await connect(name);
  await client.query("CREATE EXTENSION clerk_sync");
  await client.query("SELECT clerk.grant_admin($1::text::regrole)", [role]);
  await client.query(`SET ROLE ${role}`);
  return new Database(client, role);
}

class Database {
  constructor(client, role) {
    this.client = client;
    this.role = role;
  }

  /** The only value of the only row. */
  async value(sql, parameters = []) {
    const { rows } = await this.client.query({ text: sql, values: parameters, rowMode: "array" });
    return rows[0][0];
  }

  async row(sql, parameters = []) {
    return (await this.client.query(sql, parameters)).rows[0];
  }

  /** Trusts one more issuer, with these keys only; `settings` are further arguments of `clerk.configure()`. */
  async configure(issuer, jwks, settings = {}) {
    const values = { issuer, jwks_url: "", additional: true, ...settings };
    const named = Object.keys(values).map((name, index) => `${name} => $${index + 1}`);
    await this.client.query(`SELECT clerk.configure(${named})`, Object.values(values));
    await this.client.query("SELECT clerk.import_jwks($1, $2)", [issuer, jwks]);
  }

  /** What a statement raises, or undefined. `detail` is Clerk's reason code if a token was refused. */
  async errorOf(sql, parameters = []) {
    try {
      await this.client.query(sql, parameters);
      return undefined;
    } catch ({ code, message, detail, hint }) {
      return { code, message, detail, hint };
    }
  }

  async close() {
    await this.client.end();
  }
}

async function connect(database) {
  const client = new pg.Client({ database });
  await client.connect();
  return client;
}
