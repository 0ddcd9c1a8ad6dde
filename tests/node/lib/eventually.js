// Waiting for what happens by itself.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** How long it may take at most, in milliseconds; far more than it needs. */
const PATIENCE = 60_000;

/** Waits until `happened` gives true. */
export async function eventually(what, happened) {
  const deadline = Date.now() + PATIENCE;
  while (!(await happened())) {
    assert.ok(Date.now() < deadline, `still not so: ${what}`);
    await sleep(100);
  }
}
