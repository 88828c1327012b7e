/** Server-sent events, as they are written and as they are read. */
import { type SseBlock, sseBlocks } from "../../../src/http/sse.ts";
import { eventText } from "../../../src/http/events.ts";
import { deepEqual, equal } from "../../assert.ts";
import { anyText, brokenBytes, brokenText, partsOf, sizesOf } from "../mutate.ts";
import type { Target } from "../target.ts";

const VALID = [
  "retry: 1000\nid: 7\n\n",
  'id: 8\nevent: tick_end\ndata: {"seq":8,"type":"tick_end"}\n\n',
  ":\n\n: still here\r\n\r\n",
  "event: dropped\ndata: one\ndata: two\n\n",
  'id: 9\r\ndata: {"a":"é\u{1f512}"}\r\r',
].map((text) => new TextEncoder().encode(text));
const EVENTS = [
  '{"seq":1,"type":"log","text":"hello"}',
  '{"seq":9007199254740993,"type":"a\\nb"}',
  '"text"',
  "no json",
];

type Blocks = (SseBlock | "comment")[];

async function blocksOf(parts: Iterable<Uint8Array>): Promise<Blocks> {
  return await Array.fromAsync(sseBlocks(ReadableStream.from(parts).getReader()));
}

export const target: Target<{ bytes: Uint8Array; sizes: number[]; event: string }> = {
  about: "events read alike however they are cut; what is written as one event is read as one",
  make: (chance) => ({
    bytes: brokenBytes(chance, chance.pick(VALID), VALID),
    sizes: sizesOf(chance),
    event: chance.percent(80)
      ? brokenText(chance, chance.pick(EVENTS), EVENTS)
      : anyText(chance, 20),
  }),
  begin: () => ({
    async try({ bytes, sizes, event }) {
      deepEqual(await blocksOf(partsOf(bytes, sizes)), await blocksOf([bytes]));
      const written = new TextEncoder().encode(eventText(event));
      const read = await blocksOf(partsOf(written, sizes)) as SseBlock[];
      const said = event.toWellFormed();
      // An empty event carries nothing, and is told to nobody.
      if (said !== "") equal(read.map(({ data }) => data).join("|"), said.replace(/\r\n?/g, "\n"));
      for (const { id } of read) if (id !== undefined) equal(String(JSON.parse(event).seq), id);
    },
  }),
};
