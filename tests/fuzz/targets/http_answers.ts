/** Answers of the web, as agents may ask for them. */
import { answerHead } from "../../../src/providers/http/head.ts";
import { readBody } from "../../../src/providers/http/body.ts";
import { readerOf } from "../../../src/providers/http/reader.ts";
import { equal, ok } from "../../assert.ts";
import { brokenBytes, brokenText, partsOf, sizesOf } from "../mutate.ts";
import type { Target } from "../target.ts";

const VALID = [
  "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n\r\nhello",
  "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nto the end",
  "HTTP/1.1 301 Moved\r\nlocation: https://é.example/\r\ncontent-length: 0\r\n\r\n",
];
const encoder = new TextEncoder();
const packed = new Uint8Array(
  await new Response(
    new Blob(["x".repeat(5_000)]).stream().pipeThrough(new CompressionStream("gzip")),
  ).arrayBuffer(),
);
const GZIP = Uint8Array.from([
  ...encoder.encode(
    `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`,
  ),
  ...packed,
]);
const ALL = [...VALID.map((text) => encoder.encode(text)), GZIP];
const MAX = 3_000;

type Answer = { status: number; body: string; truncated: boolean } | "refused";

/** What a server sends, as it is read. */
async function answerOf(parts: Iterator<Uint8Array>): Promise<Answer> {
  let left: Uint8Array = new Uint8Array(0);
  const reader = readerOf({
    read(into) {
      if (left.length === 0) left = parts.next().value ?? left;
      const count = Math.min(into.length, left.length);
      into.set(left.subarray(0, count));
      left = left.subarray(count);
      return Promise.resolve(count === 0 ? null : count);
    },
  });
  try {
    const head = await answerHead(reader);
    for (const [name, value] of head.headers) ok(!/[\r\n\0]/.test(name + value));
    const { body, truncated } = await readBody(reader, head, "GET", MAX);
    ok(body.length <= MAX);
    return { status: head.status, body: body.toHex(), truncated };
  } catch (error) {
    // Whatever a server does is told in a sentence.
    ok(error instanceof Error && error.name !== "AssertionError", String(error));
    return "refused";
  }
}

export const target: Target<{ bytes: Uint8Array; sizes: number[] }> = {
  about:
    "an answer of the web is read alike however it comes, never longer than wanted, or refused",
  make: (chance) => ({
    bytes: chance.percent(50)
      ? brokenBytes(chance, chance.pick(ALL), ALL)
      : encoder.encode(brokenText(chance, chance.pick(VALID), VALID)),
    sizes: sizesOf(chance),
  }),
  begin: () => ({
    async try({ bytes, sizes }) {
      const whole = await answerOf([bytes].values());
      const cut = await answerOf(partsOf(bytes, sizes));
      // Behind what is wanted nobody looks whether the rest is in order.
      if ([whole, cut].some((one) => one !== "refused" && one.truncated)) return;
      equal(JSON.stringify(cut), JSON.stringify(whole));
    },
  }),
};
