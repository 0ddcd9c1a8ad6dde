// The server around an Edge Function, as self-hosted Supabase has it: a main isolate takes the requests and hands them to the
// function's isolate, which is started at the first request and lives for 60 s. Hands over text by message, which is less
// than the Edge Runtime does: that one streams requests.
//
// Prints its port once it listens. DELETE ends the function's isolate, as its 60 s would.

type Answer = { id: number; status: number };

class Isolate {
  #worker = new Worker(import.meta.resolve("./edge_function.ts"), { type: "module" });
  #waiting = new Map<number, (status: number) => void>();
  #requests = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, status } }: MessageEvent<Answer>) => {
      this.#waiting.get(id)?.(status);
      this.#waiting.delete(id);
    };
  }

  receive(body: string, headers: Record<string, string>): Promise<number> {
    const id = this.#requests++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#worker.postMessage({ id, body, headers });
    });
  }

  end() {
    this.#worker.terminate();
  }
}

let isolate: Isolate | undefined;

async function serve(request: Request): Promise<Response> {
  if (request.method === "DELETE") {
    isolate?.end();
    isolate = undefined;
    return new Response(null, { status: 204 });
  }
  isolate ??= new Isolate();
  const status = await isolate.receive(await request.text(), Object.fromEntries(request.headers));
  return Response.json({ received: status === 200 }, { status });
}

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) }, serve);
