// A server of one test's own, which may be restarted.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";

import { run } from "./cli.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Starts it with these settings; `scripts/test-node` says where and with which PostgreSQL. */
export async function openCluster(name, settings) {
  const { CLERK_SYNC_CACHE: cache, CLERK_SYNC_PG_CONFIG: pgConfig } = process.env;
  assert.ok(cache && pgConfig, "run scripts/test-node");
  const cluster = new Cluster(join(cache, "run", name));
  await cluster.script("start", pgConfig, ...Object.entries(settings).map(([setting, value]) => `${setting}=${value}`));
  const connection = await readFile(join(cluster.directory, "connection"), "utf8");
  const value = (variable) => connection.match(new RegExp(`^export ${variable}=(.*)$`, "m"))[1];
  Object.assign(cluster, { host: value("PGHOST"), port: Number(value("PGPORT")) });
  return cluster;
}

class Cluster {
  constructor(directory) {
    this.directory = directory;
  }

  async script(command, ...parameters) {
    const { status, errors } = await run(join(ROOT, "scripts/cluster"), [command, this.directory, ...parameters]);
    assert.equal(status, 0, errors);
  }

  /** The rows of a statement, by a session of its own of the superuser. */
  async query(statement, parameters = []) {
    const client = new pg.Client({ host: this.host, port: this.port, user: "postgres", database: "postgres" });
    await client.connect();
    try {
      return (await client.query(statement, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  restart() {
    return this.script("restart");
  }

  close() {
    return this.script("stop");
  }
}
