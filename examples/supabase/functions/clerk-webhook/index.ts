// Carries Clerk's webhooks to clerk.receive_webhook and its answers back. The database holds the signing secret, judges
// the signature and keeps the event, so what matters here is that the bytes arrive as they were signed.
import { readText } from "./body.ts";
import { type Answer, describe, receiveWebhook } from "./database.ts";

Deno.serve(async (request) => {
  if (request.method !== "POST") {
    return refuse(405, "method-not-allowed", "Webhooks are delivered with POST.", { allow: "POST" });
  }
  let body: string | undefined;
  try {
    body = await readText(request);
  } catch {
    return refuse(400, "webhook-body-invalid", "The body is not UTF-8 text, holds a NUL, or broke off.");
  }
  if (body === undefined) {
    return refuse(413, "webhook-too-large", "The body is over 1 MiB.");
  }
  try {
    return reply(await receiveWebhook(body, signatureHeaders(request.headers)));
  } catch (error) {
    console.error(`clerk-webhook: a delivery was not confirmed: ${describe(error)}`);
    return reply({
      status: "unavailable",
      http_status: 503,
      reason: "database-unavailable",
      message: "The database did not confirm the delivery. Deliver it again.",
    });
  }
});

/** The headers that the signature is made of and stands in. No other header, such as a key, is the database's business. */
function signatureHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => /^(svix|webhook)-(id|timestamp|signature)$/.test(name)));
}

function refuse(http_status: number, reason: string, message: string, headers?: Record<string, string>): Response {
  return reply({ status: "rejected", http_status, reason, message }, headers);
}

function reply(answer: Answer, headers: Record<string, string> = {}): Response {
  const status = answer.http_status;
  return Response.json(answer, { status, headers: status === 503 ? { ...headers, "retry-after": "5" } : headers });
}
