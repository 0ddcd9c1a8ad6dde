// Supabase's command line tool judges a database with the extension, exposed to an API and used in policies.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";

import { openTool } from "../lib/cli.js";

const JUDGE = "clerk_node_judge";
const PASSWORD = "Only-for-this-test";
const ROLES = ["anon", "authenticated", "service_role"];

/** What a project has that uses us. */
const PROJECT = `
  CREATE EXTENSION clerk_sync;
  GRANT USAGE ON SCHEMA public TO ${ROLES};
  SELECT clerk.expose_api();
  CREATE TABLE public.notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL DEFAULT (clerk.current_user_id()),
    body text
  );
  ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON public.notes TO authenticated
    USING (user_id = (SELECT clerk.current_user_id())) WITH CHECK (user_id = (SELECT clerk.current_user_id()));
  GRANT SELECT, INSERT ON public.notes TO authenticated`;

/** What each of the judges must find, so that it is seen to look. */
const FAULTS = `
  CREATE TABLE public.open_to_all (id bigint PRIMARY KEY);
  GRANT SELECT ON public.open_to_all TO anon;
  CREATE FUNCTION public.broken() RETURNS void LANGUAGE plpgsql SET search_path = ''
    AS 'BEGIN PERFORM missing FROM public.notes; END'`;

let supabase;
let owner;
before(async () => {
  supabase = await openTool("supabase");
  owner = await connect("postgres");
  for (const role of ROLES) {
    await owner.query(`DO $$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  }
  await owner.query(`DROP ROLE IF EXISTS ${JUDGE}`);
  await owner.query(`CREATE ROLE ${JUDGE} SUPERUSER LOGIN PASSWORD '${PASSWORD}'`);
  await openProject("clerk_node_judged", PROJECT, FAULTS);
});
after(async () => {
  await supabase?.close();
  await owner?.end();
});

async function connect(database) {
  const client = new pg.Client({ database });
  await client.connect();
  return client;
}

/** A new database in which these statements were run, whose API is schema public. */
async function openProject(name, ...statements) {
  await owner.query(`DROP DATABASE IF EXISTS ${name}`);
  await owner.query(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`);
  await owner.query(`ALTER DATABASE ${name} SET pgrst.db_schemas = 'public'`);
  await inDatabase(name, ...statements);
}

async function inDatabase(name, ...statements) {
  const client = await connect(name);
  try {
    for (const statement of statements) {
      await client.query(statement);
    }
  } finally {
    await client.end();
  }
}

const urlOf = (name) => `postgresql://${JUDGE}:${PASSWORD}@127.0.0.1:${process.env.PGPORT}/${name}?sslmode=disable`;
const REMOTE = `--remote=${urlOf("clerk_node_judged")}`;

/** What the tool prints. */
async function judged(...parameters) {
  const { status, output, errors } = await supabase.run(parameters);
  assert.equal(status, 0, `${output}\n${errors}`);
  return output;
}

test("db lint finds nothing in our functions", async (context) => {
  const { rows } = await owner.query("SELECT FROM pg_available_extensions WHERE name = 'plpgsql_check'");
  if (rows.length === 0) {
    return context.skip("this server has no plpgsql_check");
  }
  const lint = ["--schema=clerk,public", "--level=warning", "--fail-on=none", "--output-format=json"];
  const { results } = JSON.parse(await judged("db", "lint", REMOTE, ...lint));
  const found = results.map((result) => [result.function, result.issues.map((issue) => issue.message)]);
  assert.deepEqual(found, [["public.broken", ['column "missing" does not exist']]]);
});

test("db advisors report nothing of ours", async () => {
  const printed = await judged("db", "advisors", REMOTE, "--level=info", "--fail-on=none");
  const found = JSON.parse(printed.slice(printed.indexOf("[")));
  assert.deepEqual(
    found.map(({ name, metadata }) => `${name}: ${metadata?.name}`),
    ["rls_disabled_in_public: open_to_all"],
  );
});

test("gen types describes what is exposed", async () => {
  const types = await judged("gen", "types", "typescript", REMOTE, "--schema=public,clerk");
  for (const name of ["clerk_me", "clerk_profiles", "clerk_my_organizations", "clerk_whoami", "notes"]) {
    assert.match(types, new RegExp(`\\b${name}"?:\\s*\\{`), name);
  }
  assert.match(types, /\bexisting_users"?: \{/, "schema clerk");
});

test("db diff makes a migration that makes the same database, and nothing of the extension's own", async () => {
  await openProject("clerk_node_judged_first", PROJECT);
  await openProject("clerk_node_judged_empty");
  const diff = (from, to) => judged("db", "diff", `--from=${urlOf(from)}`, `--to=${urlOf(to)}`);
  const migration = await diff("clerk_node_judged_empty", "clerk_node_judged_first");
  assert.match(migration, /^CREATE EXTENSION "?clerk_sync"?/m);
  assert.match(migration, /^CREATE POLICY "?own"?/m);
  assert.doesNotMatch(migration, /^(CREATE|ALTER)( OR REPLACE)? (TABLE|VIEW|FUNCTION|PROCEDURE|TYPE|INDEX) "?clerk"?\./m);

  await inDatabase("clerk_node_judged_empty", migration);
  const left = await diff("clerk_node_judged_empty", "clerk_node_judged_first");
  // It gives again what it has just given on parts of the extension.
  const statements = left.split(/;\s*/).filter((statement) => statement !== "" && !/^(SET|GRANT|REVOKE) /.test(statement));
  assert.deepEqual(statements, []);
});
