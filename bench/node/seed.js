// How a table of users is usually seeded: page through Clerk's Backend API, and upsert one user at a time. Prints the seconds it took.

import postgres from 'postgres';

const { CLERK_API_URL, CLERK_SECRET_KEY, DATABASE_URL } = process.env;
const sql = postgres(DATABASE_URL);
const limit = 500;

const page = async (offset) => {
  const answer = await fetch(`${CLERK_API_URL}/users?limit=${limit}&offset=${offset}&order_by=%2Bcreated_at`, {
    headers: { authorization: `Bearer ${CLERK_SECRET_KEY}` },
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
};

// Connected before the clock starts.
await sql`SELECT 1`;
const start = process.hrtime.bigint();
for (let offset = 0, users; offset === 0 || users.length === limit; offset += limit) {
  users = await page(offset);
  for (const user of users) {
    const primary = user.email_addresses.find((address) => address.id === user.primary_email_address_id);
    await sql`
      INSERT INTO users (id, email_address, first_name, last_name, data, updated_at)
      VALUES (${user.id}, ${primary?.email_address ?? null}, ${user.first_name}, ${user.last_name}, ${sql.json(user)},
              ${new Date(user.updated_at)})
      ON CONFLICT (id) DO UPDATE SET email_address = excluded.email_address, first_name = excluded.first_name,
        last_name = excluded.last_name, data = excluded.data, updated_at = excluded.updated_at`;
  }
}
console.log(Number(process.hrtime.bigint() - start) / 1e9);
await sql.end();
