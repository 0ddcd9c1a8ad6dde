// Command line tools that npm has installed.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TOOLS = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));

/** A tool with a home of its own, in which it may keep what it likes. */
export async function openTool(name) {
  const home = await mkdtemp(join(tmpdir(), `${name}-cli-`));
  const environment = { PATH: process.env.PATH, HOME: home, CI: "true", NO_COLOR: "1", DO_NOT_TRACK: "1" };
  return {
    run: (parameters, input = "") => run(join(TOOLS, name), parameters, { cwd: home, env: environment }, input),
    close: () => rm(home, { recursive: true, force: true }),
  };
}

/** Runs a program to its end: its status and what it printed. */
export function run(program, parameters, options = {}, input = "") {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { ...options, stdio: "pipe" });
    const printed = { output: "", errors: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => (printed.output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (printed.errors += text));
    child.stdin.on("error", () => {}); // It need not read its input.
    child.stdin.end(input);
    child.once("error", reject).once("close", (status) => resolve({ status, ...printed }));
  });
}
