// What people deploy for Clerk's webhooks today: an Edge Function that verifies with svix and upserts over a connection to
// Postgres. Kept as lean as such functions are: no ledger, so neither order nor repetition is seen. Runs in an isolate of its
// own, which edge_runtime.ts starts.

import postgres from "postgres";
import { Webhook } from "svix";

const sql = postgres(Deno.env.get("DATABASE_URL")!);
const webhook = new Webhook(Deno.env.get("SIGNING_SECRET")!);

// deno-lint-ignore no-explicit-any
type Event = { type: string; data: any };

async function apply({ type, data }: Event) {
  switch (type) {
    case "user.created":
    case "user.updated": {
      const primary = data.email_addresses.find((address: { id: string }) => address.id === data.primary_email_address_id);
      await sql`
        INSERT INTO edge.users ${
        sql({
          id: data.id,
          email_address: primary?.email_address ?? null,
          username: data.username,
          first_name: data.first_name,
          last_name: data.last_name,
          image_url: data.image_url,
          public_metadata: sql.json(data.public_metadata ?? null),
          created_at: new Date(data.created_at),
          updated_at: new Date(data.updated_at),
        })
      }
        ON CONFLICT (id) DO UPDATE SET email_address = excluded.email_address, username = excluded.username,
          first_name = excluded.first_name, last_name = excluded.last_name, image_url = excluded.image_url,
          public_metadata = excluded.public_metadata, updated_at = excluded.updated_at`;
      break;
    }
    case "organization.created":
    case "organization.updated":
      await sql`
        INSERT INTO edge.organizations ${
        sql({
          id: data.id,
          name: data.name,
          slug: data.slug,
          image_url: data.image_url,
          created_at: new Date(data.created_at),
          updated_at: new Date(data.updated_at),
        })
      }
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, slug = excluded.slug, image_url = excluded.image_url,
          updated_at = excluded.updated_at`;
      break;
    case "organizationMembership.created":
    case "organizationMembership.updated":
      await sql`
        INSERT INTO edge.organization_memberships ${
        sql({
          id: data.id,
          organization_id: data.organization.id,
          user_id: data.public_user_data.user_id,
          role: data.role,
          created_at: new Date(data.created_at),
          updated_at: new Date(data.updated_at),
        })
      }
        ON CONFLICT (id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at`;
      break;
    case "user.deleted":
      await sql`DELETE FROM edge.users WHERE id = ${data.id}`;
      break;
    case "organization.deleted":
      await sql`DELETE FROM edge.organizations WHERE id = ${data.id}`;
      break;
    case "organizationMembership.deleted":
      await sql`DELETE FROM edge.organization_memberships WHERE id = ${data.id}`;
      break;
  }
}

async function receive(body: string, headers: Record<string, string>): Promise<number> {
  let event: Event;
  try {
    event = webhook.verify(body, headers) as Event;
  } catch {
    return 400;
  }
  await apply(event);
  return 200;
}

self.onmessage = async ({ data: { id, body, headers } }: MessageEvent) => {
  self.postMessage({ id, status: await receive(body, headers) });
};
