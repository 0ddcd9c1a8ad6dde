/** The database refuses longer bodies (1 MiB), so nobody may make this function hold one in memory. */
const MAX_BYTES = 1_048_576;

/**
 * The body as the text that was signed, or undefined if it is too long. Throws if it is no text.
 * `Request.text()` would not do: it drops a byte order mark, replaces what is not UTF-8, and knows no limit.
 */
export async function readText(request: Request): Promise<string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let bytes = 0;
  let text = "";
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) {
      return undefined; // leaving the loop cancels the rest of the stream
    }
    text += decoder.decode(chunk, { stream: true });
  }
  text += decoder.decode();
  if (text.includes("\0")) {
    throw new TypeError("A text in Postgres holds no NUL.");
  }
  return text;
}
