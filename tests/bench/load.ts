/** A load generator on plain sockets, in a process of its own: `deno run -N tests/bench/load.ts '<plan>'`. Prints what it found as JSON. */

export interface Plan {
  readonly port: number;
  readonly connections: number;
  /** Requests of the first so many milliseconds are not counted. */
  readonly warmMs: number;
  readonly measureMs: number;
  readonly method: string;
  /** `{n}` is the number of the connection. */
  readonly path: string;
  readonly body?: string;
  /** Every answer must have it. */
  readonly status: number;
}

export interface Load {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export async function load(plan: Plan): Promise<Load> {
  const tookMs: number[] = [];
  const beginMs = performance.now() + plan.warmMs;
  const endMs = beginMs + plan.measureMs;
  const all = Array.from(
    { length: plan.connections },
    (_, n) => drive(plan, n, beginMs, endMs, tookMs),
  );
  await Promise.all(all);
  tookMs.sort((a, b) => a - b);
  const at = (share: number) =>
    tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))];
  return {
    requests: tookMs.length,
    perSecond: tookMs.length / (plan.measureMs / 1000),
    p50Ms: at(0.5) ?? NaN,
    p99Ms: at(0.99) ?? NaN,
  };
}

/** One connection: a request, its answer, the next one. */
async function drive(
  plan: Plan,
  n: number,
  beginMs: number,
  endMs: number,
  tookMs: number[],
): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: plan.port });
  connection.setNoDelay(true);
  const request = requestOf(plan, n);
  const buffer = new Uint8Array(256 * 1024);
  try {
    while (true) {
      const startMs = performance.now();
      if (startMs >= endMs) return;
      for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
      await answer(connection, buffer, plan.status);
      const nowMs = performance.now();
      if (startMs >= beginMs && nowMs <= endMs) tookMs.push(nowMs - startMs);
    }
  } finally {
    connection.close();
  }
}

function requestOf({ method, path, body, port }: Plan, n: number): Uint8Array {
  const lines = [
    `${method} ${path.replace("{n}", String(n))} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...(body === undefined ? [] : ["Content-Type: text/plain", `Content-Length: ${body.length}`]),
  ];
  return encoder.encode(`${lines.join("\r\n")}\r\n\r\n${body ?? ""}`);
}

/** Reads one answer to its end. */
async function answer(connection: Deno.TcpConn, buffer: Uint8Array, want: number): Promise<void> {
  let have = 0;
  let needed = Infinity;
  while (have < needed) {
    const n = await connection.read(buffer.subarray(have));
    if (n === null) throw new Error("the server closed the connection");
    have += n;
    if (needed === Infinity) needed = lengthOf(buffer.subarray(0, have), want);
  }
}

/** Bytes of the whole answer; `Infinity` while its head is not here. */
function lengthOf(bytes: Uint8Array, want: number): number {
  const text = decoder.decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return Infinity;
  const head = text.slice(0, end).toLowerCase();
  const status = Number(head.slice(9, 12));
  if (status !== want) throw new Error(`status ${status}, want ${want}: ${text.slice(0, 500)}`);
  return end + 4 + Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
}

if (import.meta.main) {
  console.log(JSON.stringify(await load(JSON.parse(Deno.args[0]!))));
}
