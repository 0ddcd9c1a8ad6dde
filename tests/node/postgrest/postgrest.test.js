// A whole project, from the browser's library to the table, with the real PostgREST. Where there is none, it is skipped.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createClient } from "@supabase/supabase-js";

import { Clerk } from "../lib/clerk.js";
import { run } from "../lib/cli.js";
import { openCluster } from "../lib/cluster.js";
import { eventually } from "../lib/eventually.js";
import { Postgrest, findPostgrest } from "../lib/postgrest.js";
import { hs, makeToken, nowSeconds } from "../lib/tokens.js";
import { INSTANCE, newSecret, signedHeaders, userEvent } from "../lib/webhooks.js";

const program = findPostgrest();
const skip = program ? false : "there is no PostgREST: set POSTGREST to the program, or put it on the PATH";
if (skip) {
  console.log(`Skipped: ${skip}`);
}

const PASSWORD = "Only-for-this-test";
const SECRET = "a-shared-secret-of-the-operator-of-48-characters";
const PROJECT = `
  CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;
  CREATE ROLE authenticator NOINHERIT LOGIN PASSWORD '${PASSWORD}';
  GRANT anon, authenticated, service_role TO authenticator;
  GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
  ALTER ROLE anon SET statement_timeout = '3s';
  CREATE EXTENSION clerk_sync;
  CREATE TABLE public.notes (user_id text NOT NULL DEFAULT (clerk.current_user_id()), body text);
  ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON public.notes TO authenticated
    USING (user_id = (SELECT clerk.current_user_id())) WITH CHECK (user_id = (SELECT clerk.current_user_id()));
  GRANT SELECT, INSERT ON public.notes TO authenticated;
  GRANT SELECT ON public.notes TO service_role;
  CREATE TABLE public.news (headline text);
  GRANT SELECT ON public.news TO authenticated;
  SELECT clerk.expose_api()`;

describe("with PostgREST", { skip }, () => {
  let clerk;
  let cluster;
  let postgrest;
  const webhookSecret = newSecret();

  before(async () => {
    clerk = await Clerk.open("https://clerk.postgrest.example");
    cluster = await openCluster("postgrest-cluster", {
      shared_preload_libraries: "clerk_sync",
      "clerk.maintain_interval": "1s",
      "clerk.jwks_cooldown": "1s",
      "clerk.allow_http_loopback": "on",
    });
    await cluster.query(PROJECT);
    await cluster.query("SELECT clerk.configure(issuer => $1, jwks_url => $2, instance_id => $3)", [
      clerk.issuer,
      clerk.jwksUrl,
      INSTANCE,
    ]);
    await cluster.query("SELECT clerk.add_webhook_signing_secret($1)", [webhookSecret]);
    postgrest = await openPostgrest();
  });
  after(async () => {
    await postgrest?.stop();
    await cluster?.close();
    clerk?.close();
  });

  const openPostgrest = (changes = {}) =>
    Postgrest.open(program, {
      PGRST_DB_URI: `postgres://authenticator:${PASSWORD}@127.0.0.1:${cluster.port}/postgres`,
      PGRST_DB_SCHEMAS: "public",
      PGRST_DB_ANON_ROLE: "anon",
      PGRST_JWT_SECRET: SECRET,
      ...changes,
    });

  /** A token of the operator's own. */
  const keyOf = (role, secret = SECRET) =>
    makeToken({ alg: "HS256", typ: "JWT" }, { role, exp: nowSeconds() + 3600 }, hs(256, secret));

  /** The client that a browser has; the gateway's path is taken off. */
  function client(accessToken) {
    const direct = (url, init) => fetch(String(url).replace("/rest/v1", ""), init);
    return createClient(postgrest.url, keyOf("anon"), {
      accessToken: async () => accessToken,
      global: { fetch: direct },
      realtime: { transport: class {} },
    });
  }

  const notesOf = (accessToken) => client(accessToken).from("notes").select("body").order("body");
  const isSignedIn = async (user) => (await notesOf(clerk.token(user))).status === 200;
  const signsIn = (what) => eventually(`user_ada is signed in after ${what}`, () => isSignedIn("user_ada"));

  test("connect: Clerk's tokens are refused before, and taken after", async () => {
    assert.equal((await notesOf(clerk.token("user_ada"))).status, 401);
    await cluster.query("SELECT clerk.connect_postgrest($1)", [SECRET]);
    await signsIn("connect_postgrest()");
  });

  test("two people, a stranger and a service", async () => {
    for (const user of ["user_ada", "user_bob"]) {
      const { error } = await client(clerk.token(user)).from("notes").insert({ body: `of ${user}` });
      assert.equal(error, null);
    }
    for (const user of ["user_ada", "user_bob"]) {
      assert.deepEqual((await notesOf(clerk.token(user))).data, [{ body: `of ${user}` }]);
    }
    const forged = await client(clerk.token("user_ada")).from("notes").insert({ user_id: "user_bob", body: "forged" });
    assert.equal(forged.error.code, "42501");
    assert.equal((await notesOf(keyOf("anon"))).error.code, "42501");
    const all = await notesOf(keyOf("service_role"));
    assert.deepEqual(all.data, [{ body: "of user_ada" }, { body: "of user_bob" }]);
  });

  test("clerk_whoami says who is asking, and is for those whom nobody knows too", async () => {
    const whoami = async (accessToken) => (await client(accessToken).rpc("clerk_whoami")).data;
    const ada = await whoami(clerk.token("user_ada"));
    assert.deepEqual([ada.user_id, ada.database_role], ["user_ada", "authenticated"]);
    const anon = await whoami(keyOf("anon"));
    assert.deepEqual([anon.user_id, anon.database_role], [null, "anon"]);
  });

  test("rotate: the new key counts by itself, and the old one no longer", async () => {
    const old = clerk.token("user_ada");
    assert.equal((await notesOf(old)).status, 200);
    clerk.rotate();
    await signsIn("a rotation");
    assert.equal((await notesOf(old)).status, 401);
  });

  test("a text that everybody knows is refused as a shared secret, and signs nothing", async () => {
    const published = JSON.stringify(clerk.keys.jwks);
    const texts = [`'${published}'`, `JWT_JWKS=${published}`, `\uFEFF${published}`, encodeURIComponent(published)];
    for (const text of [...texts, Buffer.from(published).toString("base64url")]) {
      await assert.rejects(cluster.query("SELECT clerk.connect_postgrest($1)", [text]), { code: "22023" });
      assert.equal((await notesOf(keyOf("service_role", text))).status, 401, text);
    }
    assert.equal((await notesOf(keyOf("service_role"))).status, 200);
  });

  test("a shared secret counts as it was meant, as text, as a JWK and in a key set", async () => {
    const jwk = (secret) => ({ kty: "oct", k: Buffer.from(secret).toString("base64url") });
    const text = "correct.horse~battery_staple-correct+horse/=";
    const [blanks, quoted] = ["a secret with blanks, and more than 32 bytes", "'quoted-on-purpose-and-more-than-32-bytes'"];
    const MEANT = [
      [text, text],
      [JSON.stringify(jwk(blanks)), blanks],
      [JSON.stringify({ keys: [jwk(quoted)] }), quoted],
      [SECRET, SECRET],
    ];
    const counts = async (secret) => (await notesOf(keyOf("service_role", secret))).status === 200;
    for (const [given, secret] of MEANT) {
      await cluster.query("SELECT clerk.connect_postgrest($1)", [given]);
      await eventually(`${secret} signs`, () => counts(secret));
      for (const other of [given, ...MEANT.map(([, meant]) => meant)].filter((other) => other !== secret)) {
        assert.equal(await counts(other), false, `${other} signs when ${given} was given`);
      }
      await signsIn(`connect_postgrest(${given})`);
    }
  });

  const endSessions = () =>
    cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'authenticator'");
  const RESTARTS = {
    "a restart of PostgREST": async () => {
      await postgrest.stop();
      await postgrest.start();
    },
    "a restart of the database": () => cluster.restart(),
    "the end of all of authenticator's sessions": endSessions,
    "a rotation while sessions are ended": async () => {
      clerk.rotate();
      await endSessions();
    },
    "a start of PostgREST while the database restarts": async () => {
      await postgrest.stop();
      await Promise.all([cluster.restart(), postgrest.start()]);
    },
  };
  for (const [what, restart] of Object.entries(RESTARTS)) {
    test(`signing in recovers by itself after ${what}`, async () => {
      await restart();
      await signsIn(what);
      assert.equal((await notesOf(keyOf("service_role"))).status, 200);
    });
  }

  /** Sends a file as curl does: the status of the answer, and what became of the delivery. */
  async function deliver(body, headers) {
    const folder = await mkdtemp(join(tmpdir(), "clerk-delivery-"));
    try {
      const file = join(folder, "body.json");
      await writeFile(file, body);
      const options = Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
      const url = `${postgrest.url}/rpc/clerk_webhook`;
      const json = ["--header", "content-type: application/json", "--data-binary", `@${file}`];
      const { output } = await run("curl", ["--silent", "--write-out", "\n%{http_code}", ...options, ...json, url]);
      const [answer, status] = output.split(/\n(?=\d+$)/);
      return [Number(status), JSON.parse(answer).status];
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test("a webhook arrives byte for byte", async () => {
    const body = JSON.stringify(userEvent("user.created", "user_web", Date.now()), null, 2).replaceAll("\n", "\r\n");
    const headers = signedHeaders(webhookSecret, body);
    assert.deepEqual(await deliver(body.replace("Ada", "Eve"), headers), [401, "rejected"]);
    assert.deepEqual(await deliver(body, headers), [200, "applied"]);
    assert.deepEqual(await deliver(body, headers), [200, "duplicate"]);
    assert.equal((await cluster.query("SELECT FROM clerk.existing_users WHERE id = 'user_web'")).length, 1);
  });

  test("a delivery that meets a slow trigger is stored within the time limit of anon, and fails", async () => {
    await cluster.query(`
      CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END';
      CREATE TRIGGER slow AFTER INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.slow()`);
    const body = JSON.stringify(userEvent("user.created", "user_slow", Date.now()));
    const headers = signedHeaders(webhookSecret, body);
    assert.deepEqual(await deliver(body, headers), [200, "failed"]);
    const stored = await cluster.query("SELECT state FROM clerk.webhook_events WHERE svix_id = $1", [headers["svix-id"]]);
    assert.deepEqual(stored, [{ state: "failed" }]);
    await cluster.query("DROP FUNCTION public.slow() CASCADE");
  });

  test("pre_request refuses a token of another application, also where no policy asks who it is", async () => {
    await cluster.query("SELECT clerk.configure(authorized_parties => ARRAY['https://app.example'])");
    const stranger = () => client(clerk.token("user_ada", { azp: "https://evil.example" })).from("news").select();
    assert.equal((await stranger()).status, 200, "PostgREST does not look at it");
    await cluster.query("ALTER ROLE authenticator IN DATABASE postgres SET pgrst.db_pre_request = 'clerk.pre_request'");
    await cluster.query("NOTIFY pgrst, 'reload config'");
    await eventually("it is refused", async () => (await stranger()).status === 401);
    await signsIn("pre_request was set");
  });

  test("a Clerk token in a header of its own signs in, and a Clerk that does not answer is answered 503", async () => {
    await cluster.query("SELECT clerk.configure_requests(token_header => 'x-clerk-token')");
    const ask = async (token) => {
      const headers = { authorization: `Bearer ${keyOf("anon")}`, "x-clerk-token": token };
      return (await fetch(`${postgrest.url}/news`, { headers })).status;
    };
    const old = clerk.token("user_ada");
    assert.equal(await ask(old), 200);
    assert.equal(await ask(`${old}x`), 401);
    clerk.isSilent = true;
    clerk.rotate();
    assert.equal(await ask(clerk.token("user_ada")), 503);
    assert.equal(await ask(old), 200);
    clerk.isSilent = false;
    await eventually("the new key is known", async () => (await ask(clerk.token("user_ada"))) === 200);
    await cluster.query("SELECT clerk.configure_requests(token_header => '')");
  });

  for (const deaf of [{ PGRST_DB_CHANNEL_ENABLED: "false" }, { PGRST_DB_CHANNEL: "other" }]) {
    test(`with ${JSON.stringify(deaf)}: keys by the pre-config of the environment and by SIGUSR2, and the doctor warns`, async () => {
      await postgrest.stop();
      postgrest = await openPostgrest({ ...deaf, PGRST_DB_PRE_CONFIG: "clerk.postgrest_config" });
      assert.equal(await isSignedIn("user_ada"), true);
      const [listens] = await cluster.query("SELECT status FROM clerk.doctor_postgrest() WHERE \"check\" = 'listens'");
      assert.equal(listens.status, "warning");
      clerk.rotate();
      await cluster.query("SELECT clerk.refresh_jwks()");
      assert.equal(await isSignedIn("user_ada"), false);
      postgrest.child.kill("SIGUSR2");
      await signsIn("SIGUSR2");
    });
  }
});
