/** A model server that does what a good one does not: each of its models is one way to fail. */

export const BAD_MODELS = [
  "ends-early",
  "stalls",
  "silent",
  "garbage-json",
  "garbage-shape",
  "garbage-stream",
  "garbage-part",
  "html",
  "empty",
  "busy",
  "busy-until",
  "no-credit",
  "refuses",
  "refuses-key",
  "not-here",
  "huge",
  "huge-line",
  "breaks",
  "breaks-inside",
  "redirects",
  "one-embedding",
] as const;
export type BadModel = typeof BAD_MODELS[number];

export const BUSY_SECONDS = 7;

export interface BadServer extends AsyncDisposable {
  readonly url: string;
  /** What a request to a model had for `authorization`, `null` for none, in the order of the requests. */
  readonly keys: (string | null)[];
  /** All headers of the last request. */
  last(): Headers;
  /** Resolves when a further client has left before its answer was whole. */
  left(): Promise<void>;
  /** Resolves when a further request was heard that is never answered. */
  heard(): Promise<void>;
}

/** @param elsewhere where `redirects` points to */
export function badServer(elsewhere = "http://127.0.0.1:9/v1"): BadServer {
  const keys: (string | null)[] = [];
  const left = signals(), heard = signals();
  let last = new Headers();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      last = request.headers;
      if (pathname === "/v1/models") {
        return Response.json({ object: "list", data: BAD_MODELS.map((id) => ({ id })) });
      }
      keys.push(request.headers.get("authorization"));
      const { model } = await request.json() as { model: BadModel };
      const url = new URL(pathname, elsewhere);
      const key = keys.at(-1) ?? "";
      return await answers({ request, url, key, left: left.put, heard: heard.put })[model]();
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    keys,
    last: () => last,
    left: left.take,
    heard: heard.take,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

interface Telling {
  readonly request: Request;
  readonly url: URL;
  readonly key: string;
  left(): void;
  heard(): void;
}

function answers(
  { request, url, key, left, heard }: Telling,
): Record<BadModel, () => Response | Promise<Response>> {
  return {
    "ends-early": () => whole(WORD),
    "stalls": () => stream((controller) => controller.enqueue(WORD), left),
    "silent": () => {
      heard();
      const none = new Response();
      return new Promise((done) => request.signal.addEventListener("abort", () => done(none)));
    },
    "garbage-json": () => new Response('{"choices": [', { headers: JSON_TYPE }),
    "garbage-shape": () => Response.json({ choices: "none", object: "chat.completion" }),
    "garbage-stream": () => whole("data: {not json}\n\n"),
    "garbage-part": () => whole(part({ choices: [{ delta: { content: 5 } }] })),
    "html": () => new Response("<h1>It works</h1>", { headers: { "content-type": "text/html" } }),
    "empty": () => new Response(null, { status: 204 }),
    "busy": () => refusal(429, "slow down", {}, { "retry-after": String(BUSY_SECONDS) }),
    "busy-until": () =>
      refusal(429, "slow down", {}, { "retry-after": "Thu, 01 Jan 1970 00:00:09 GMT" }),
    "no-credit": () => refusal(429, "You exceeded your quota", { code: "insufficient_quota" }),
    "refuses": () => refusal(400, `temperature is ${"very ".repeat(200)}wrong`),
    "refuses-key": () => refusal(401, `Incorrect API key provided: ${key.replace("Bearer ", "")}`),
    "not-here": () => refusal(404, "The model does not exist", { code: "model_not_found" }),
    "huge": () =>
      stream(
        (controller) => controller.enqueue(part({ choices: [{ delta: { content: BLOCK } }] })),
        left,
        true,
      ),
    "huge-line": () => stream((controller) => controller.enqueue(BLOCK), left, true),
    "breaks": () => refusal(500, "out of memory"),
    "breaks-inside": () => whole(WORD + part({ error: { message: "CUDA error", code: 502 } })),
    "one-embedding": () => Response.json({ data: [{ index: 0, embedding: [1, 2] }] }),
    "redirects": () => Response.redirect(url, 307),
  };
}

/** A server that sends the words of an answer, with or without its end, and then breaks off in the middle of the body. */
export function dyingServer(behindTheEnd: boolean) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const text = behindTheEnd ? WORD + END : WORD;
  const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
    `content-length: ${text.length + 1000}\r\n\r\n`;
  const bytes = new TextEncoder().encode(head + text);
  const serving = (async () => {
    for await (using connection of listener) {
      await wholeRequest(connection);
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/v1`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

/** What is not read when a connection is closed resets it, and takes the answer along. */
async function wholeRequest(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (let want = Infinity; text.length < want;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
    const head = text.indexOf("\r\n\r\n");
    if (head < 0) continue;
    want = head + 4 + Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? 0);
  }
}

const JSON_TYPE = { "content-type": "application/json" };
const BLOCK = "x".repeat(64 * 1024);

function part(value: unknown): string {
  return `data: ${JSON.stringify({ object: "chat.completion.chunk", ...value as object })}\n\n`;
}

const WORD = part({ choices: [{ index: 0, delta: { content: "Hello" }, finish_reason: null }] });
const END = part({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });

function refusal(
  status: number,
  message: string,
  more: Record<string, unknown> = {},
  headers: HeadersInit = {},
): Response {
  return Response.json({ error: { message, ...more } }, { status, headers });
}

function whole(events: string): Response {
  return new Response(events, { headers: { "content-type": "text/event-stream" } });
}

/** @param endless whether `write` is called as often as the client reads */
function stream(
  write: (controller: ReadableStreamDefaultController<string>) => void,
  left: () => void = () => {},
  endless = false,
): Response {
  const body = new ReadableStream<string>({
    start: (controller) => write(controller),
    pull: endless ? (controller) => write(controller) : () => new Promise(() => {}),
    cancel: left,
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: { "content-type": "text/event-stream" },
  });
}

/** What happened, each time for one who waits for it. */
function signals() {
  let happened = 0;
  const waiting: (() => void)[] = [];
  return {
    put(): void {
      const first = waiting.shift();
      if (first) first();
      else happened++;
    },
    take: (): Promise<void> =>
      happened > 0 ? Promise.resolve(void happened--) : new Promise((done) => waiting.push(done)),
  };
}
