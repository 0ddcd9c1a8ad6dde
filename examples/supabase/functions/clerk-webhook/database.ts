// @ts-types="@types/pg"
import pg from "pg";

/** What `clerk.receive_webhook` says about a delivery. */
export type Answer = { http_status: number; [member: string]: unknown };

// Svix waits 15 s. Together these leave it 5 s for the way here, the start of this function, and the way back.
const CONNECT_MS = 4_000;
const DELIVERY_MS = 6_000;

const url = Deno.env.get("SUPABASE_DB_URL");
if (!url) {
  throw new Error("SUPABASE_DB_URL is not set: it says how to reach the database.");
}

const pool = new pg.Pool({
  connectionString: url,
  application_name: "clerk-webhook",
  max: 3,
  connectionTimeoutMillis: CONNECT_MS,
  idleTimeoutMillis: 60_000,
});
// Unheard, these events would end the process. An idle connection that is lost needs no more than to be forgotten, which
// the pool does; one that is lost during a delivery fails the delivery's query as well.
pool.on("error", () => {});
pool.on("connect", (client) => client.on("error", () => {}));

/** Hands a delivery to the database. The answer counts: what it says is committed. Throws if that took too long. */
export async function receiveWebhook(body: string, headers: Record<string, string>): Promise<Answer> {
  const client = await pool.connect();
  try {
    const answer = await within(DELIVERY_MS, deliver(client, body, headers));
    client.release();
    return answer;
  } catch (error) {
    // It may be broken, silent or in the middle of something: nobody gets this connection again.
    client.release(true);
    throw error;
  }
}

async function deliver(client: pg.PoolClient, body: string, headers: Record<string, string>): Promise<Answer> {
  // In a transaction, because behind a transaction pooler a setting of the session would reach somebody else's.
  await client.query("begin; set local statement_timeout = '5s'");
  const { rows } = await client.query<{ answer: Answer }>(
    "select clerk.receive_webhook($1, $2) as answer",
    [body, JSON.stringify(headers)],
  );
  await client.query("commit");
  return rows[0].answer;
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What may be logged of an error: an error of the database may quote a delivery, so its code has to do. */
export function describe(error: unknown): string {
  return error instanceof pg.DatabaseError ? `SQLSTATE ${error.code}` : String(error);
}
