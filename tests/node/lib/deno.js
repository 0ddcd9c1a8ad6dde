// The Edge Function of examples/supabase under a real Deno, with the packages that npm has installed and checked.
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../../examples/supabase/functions/clerk-webhook", import.meta.url));
const PACKAGES = fileURLToPath(new URL("../node_modules", import.meta.url));
const deno = createRequire(import.meta.url)("deno/install_api.cjs").runInstall();

/**
 * A copy of the function's folder in which Deno finds the packages beside it, so that it asks no registry.
 * Each command gets an environment of its own: a PGHOST of the tests, for one, would mislead the function.
 */
export async function openFunction() {
  const home = await mkdtemp(join(tmpdir(), "clerk-webhook-"));
  const folder = join(home, "clerk-webhook");
  await cp(SOURCE, folder, { recursive: true });
  await symlink(PACKAGES, join(folder, "node_modules"));
  const environment = { DENO_DIR: join(home, "deno"), DENO_NO_UPDATE_CHECK: "1", HOME: home, NO_COLOR: "1" };
  return {
    start: (command, variables = {}) =>
      new Command(spawn(deno, command, { cwd: folder, env: { ...environment, ...variables }, stdio: "pipe" })),
    close: () => rm(home, { recursive: true, force: true }),
  };
}

class Command {
  constructor(child) {
    this.child = child;
    /** What it has printed so far. */
    this.output = "";
    this.listeners = new Set();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.output += text;
        this.listeners.forEach((listener) => listener());
      });
    }
    this.ended = new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  }

  /** Waits for it to print what `pattern` matches, and returns the match. */
  prints(pattern) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = this.output.match(pattern);
        if (match) {
          this.listeners.delete(look);
          resolve(match);
        }
      };
      this.listeners.add(look);
      this.ended.then((code) => reject(new Error(`Deno ended with ${code}: ${this.output}`)));
      look();
    });
  }

  async stop() {
    this.child.kill();
    await this.ended;
  }
}
