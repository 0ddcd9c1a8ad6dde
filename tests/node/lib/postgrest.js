// The real program `postgrest`, if there is one on this machine.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

import { eventually } from "./eventually.js";

/** What POSTGREST names, or what is on the PATH. */
export function findPostgrest() {
  const { POSTGREST, PATH = "" } = process.env;
  return POSTGREST || PATH.split(delimiter).map((folder) => join(folder, "postgrest")).find(isProgram);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Postgrest {
  /** Starts it with these variables as its whole configuration. */
  static async open(program, variables) {
    const postgrest = new Postgrest();
    const port = await freePort();
    postgrest.program = program;
    postgrest.url = `http://127.0.0.1:${port}`;
    postgrest.environment = {
      PATH: process.env.PATH,
      LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH,
      PGRST_SERVER_HOST: "127.0.0.1",
      PGRST_SERVER_PORT: String(port),
      ...variables,
    };
    await postgrest.start();
    return postgrest;
  }

  async start() {
    this.child = spawn(this.program, [], { env: this.environment, stdio: ["ignore", "inherit", "inherit"] });
    this.ended = new Promise((resolve) => this.child.once("error", resolve).once("close", resolve));
    await eventually("PostgREST answers", async () => (await fetch(this.url).catch(() => undefined))?.status === 200);
  }

  async stop() {
    this.child.kill();
    await this.ended;
  }
}
