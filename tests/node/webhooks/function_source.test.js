// The Edge Function's source: its types, its format, and Deno's lints.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openFunction } from "../lib/deno.js";

let code;
before(async () => (code = await openFunction()));
after(() => code?.close());

for (const command of [["check", "--node-modules-dir=manual"], ["fmt", "--check"], ["lint"]]) {
  test(`deno ${command.join(" ")}`, async () => {
    const run = code.start(command);
    assert.equal(await run.ended, 0, run.output);
    assert.match(run.output, /^Check/, "it found nothing to look at");
  });
}

test("without SUPABASE_DB_URL it does not start, and says why", async () => {
  const run = code.start(["run", "--no-prompt", "--node-modules-dir=manual", "--allow-net", "--allow-env", "index.ts"]);
  assert.notEqual(await run.ended, 0);
  assert.match(run.output, /SUPABASE_DB_URL is not set/);
});
