/** Bytes on a real connection to the control plane: request lines, heads and bodies as no client would write them. */
import { createAgentd } from "../../../src/agentd.ts";
import { memoryBackend } from "../../../src/backends/memory.ts";
import { agentId } from "../../../src/core/id.ts";
import { createApp } from "../../../src/http/app.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { equal, ok } from "../../assert.ts";
import { serve } from "../../http/served.ts";
import { brokenBytes, brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const request = (head: string, body = "") =>
  `${head}\r\nhost: localhost\r\n${body ? `content-length: ${body.length}\r\n` : ""}\r\n${body}`;
const VALID = [
  request("GET /healthz HTTP/1.1"),
  request("GET /agents/bob/files/../status?stat=1 HTTP/1.1"),
  request("GET http://localhost/agents/bob HTTP/1.0"),
  request("POST /agents/bob/send?wait=0 HTTP/1.1\r\ncontent-type: application/json", '{"a":1}'),
  "POST /agents/bob/send HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  request("PUT /agents/bob/files/a%2fb HTTP/1.1\r\nif-match: *", "text"),
  request("OPTIONS * HTTP/1.1"),
  request("GET /agents/bob/logs/trace HTTP/1.1\r\nlast-event-id: 5"),
  request(
    "GET /agents/bob HTTP/1.1\r\nexpect: 100-continue\r\nconnection: upgrade\r\nupgrade: h2c",
  ),
  request("DELETE /agents/bob/kv/x HTTP/1.1\r\nauthorization: Bearer x\r\ncookie: a=b"),
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];
const encoder = new TextEncoder();
const BYTES = VALID.map((text) => encoder.encode(text));

/** All that comes back until the server closes, or begins what has no end. */
async function answerTo(port: number, bytes: Uint8Array): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  try {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    await connection.closeWrite();
    while (!/^content-type: text\/event-stream/im.test(text)) {
      const count = await connection.read(buffer);
      if (count === null) break;
      text += decoder.decode(buffer.subarray(0, count));
    }
  } catch (error) {
    // It may close before all is written, and takes along what it has said.
    if (!isGone(error)) throw error;
  } finally {
    connection.close();
  }
  return text;
}

function isGone(error: unknown): boolean {
  const { ConnectionReset, BrokenPipe, NotConnected } = Deno.errors;
  return [ConnectionReset, BrokenPipe, NotConnected].some((one) => error instanceof one);
}

/** Connections after which it is asked whether it still serves. */
const ASKED = 100;

export const target: Target<Uint8Array> = {
  about: "whatever comes over a connection, no answer is 500, and the next one is served",
  sample: 500,
  make: (chance) =>
    chance.percent(40)
      ? brokenBytes(chance, chance.pick(BYTES), BYTES)
      : encoder.encode(brokenText(chance, chance.pick(VALID), VALID)),
  async begin() {
    const backend = memoryBackend();
    const runtime = await createAgentd({ backend, signer: memorySigner() });
    await runtime.create({ id: agentId("bob"), agent: "echo" });
    const stopping = new AbortController();
    const { signal } = stopping;
    const server = serve(createApp({ runtime, auth: {}, clock: backend, stopping: signal }));
    let asked = 0;
    return {
      async try(bytes) {
        const text = await answerTo(server.port, bytes);
        for (const [, status] of text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)) {
          ok(status !== "500", text);
        }
        if (++asked % ASKED > 0) return;
        const answer = await fetch(`${server.url}/healthz`);
        equal(answer.status, 200);
        await answer.body?.cancel();
      },
      async end() {
        stopping.abort();
        await runtime.stop(0);
        await server.close();
      },
    };
  },
};
