/** The pipe's two ends: any messages in any chunks arrive whole and in order, and what is no message is a breach. */
import fc from "fast-check";
import assert from "../../assert.ts";
import {
  type Channel,
  channel,
  type Message,
  WINDOW_BYTES,
} from "../../../src/hosts/process/channel.ts";
import {
  encodeFrame,
  frameReader,
  type Head,
  isBreach,
  MAX_FRAME_BYTES,
} from "../../../src/hosts/process/wire.ts";

/** Two ends whose bytes cross when `turn` is called, cut into chunks of the given sizes. */
function pair(sizes: readonly number[], maxBodyBytes = Infinity) {
  const wires: [Uint8Array[], Uint8Array[]] = [[], []];
  const heard: [Message[], Message[]] = [[], []];
  const end = (side: 0 | 1): Channel =>
    channel({
      write: (bytes) => (wires[side].push(bytes.slice()), Promise.resolve()),
      deliver: (message) => void heard[side].push(message),
      maxBodyBytes: () => maxBodyBytes,
    });
  const ends = [end(0), end(1)] as const;
  let next = 0;
  function carry(side: 0 | 1): boolean {
    const bytes = wires[side].splice(0);
    for (const part of bytes) {
      for (let at = 0; at < part.length;) {
        const size = sizes[next++ % sizes.length]!;
        ends[1 - side]!.take(part.slice(at, at + size));
        at += size;
      }
    }
    return bytes.length > 0;
  }
  /** Until nothing more is said. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet++) {
      await Promise.resolve();
      if (carry(0) || carry(1)) quiet = 0;
    }
  }
  return { ends, heard, settle, wires };
}

const bodies = fc.option(
  fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 0, max: 900_000 })),
  { nil: undefined },
);
const asBytes = (body: Uint8Array | number | undefined) =>
  typeof body === "number" ? new Uint8Array(body).map((_, i) => i * 31) : body;

Deno.test("messages arrive whole and in order, whatever the chunks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(bodies, fc.boolean()), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 5 }),
      async (messages, sizes) => {
        const { ends, heard, settle } = pair(sizes);
        const sent: [Message[], Message[]] = [[], []];
        for (const [i, [body, second]] of messages.entries()) {
          const side = second ? 1 : 0;
          const message = { head: { t: "m", i }, body: asBytes(body) };
          sent[side].push(message);
          ends[side]!.send(message.head, message.body);
        }
        await settle();
        for (const side of [0, 1] as const) {
          const got = heard[1 - side as 0 | 1];
          assert.deepEqual(got.map(({ head }) => head.i), sent[side].map(({ head }) => head.i));
          for (const [i, { body }] of got.entries()) {
            const was = sent[side][i]!.body;
            assert.equal(body?.length, was?.length);
            assert.ok(!body || body.every((byte, at) => byte === was![at]));
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("no more than a window is on its way, and what is urgent does not wait behind a body", async () => {
  const { ends, wires, settle, heard } = pair([65_536]);
  ends[0].send({ t: "large" }, new Uint8Array(3_000_000));
  ends[0].send({ t: "after" });
  for (let i = 0; i < 50; i++) await Promise.resolve();
  const onWire = wires[0].reduce((sum, bytes) => sum + bytes.length, 0);
  assert.ok(onWire > WINDOW_BYTES / 2 && onWire < WINDOW_BYTES + 10_000, `${onWire}`);
  ends[0].sendUrgent({ t: "urgent" });
  await settle();
  assert.deepEqual(heard[1].map(({ head }) => head.t), ["urgent", "large", "after"]);
});

Deno.test("a closed channel says nothing, and one whose pipe broke stays quiet", async () => {
  const written: unknown[] = [];
  const broken = channel({
    write: (bytes) => (written.push(bytes), Promise.reject(new Error("broken pipe"))),
    deliver: () => {},
    maxBodyBytes: () => 0,
  });
  broken.send({ t: "a" });
  for (let i = 0; i < 5; i++) await Promise.resolve();
  broken.send({ t: "b" });
  broken.close();
  broken.sendUrgent({ t: "c" });
  assert.equal(written.length, 1);
});

Deno.test("a head that is larger than a frame is refused where it is sent", () => {
  const { ends } = pair([1]);
  assert.throws(() => ends[0].send({ t: "x".repeat(MAX_FRAME_BYTES) }), isBreach);
});

/** What a hostile end may say to a channel that takes bodies of 1,000 bytes. */
const BREACHES: Record<string, readonly [Head, Uint8Array?][]> = {
  "a tail without a size": [[{ t: "m" }, new Uint8Array(3)]],
  "a size that is none": [[{ t: "m", size: -1, n: 1 }]],
  "a size in words": [[{ t: "m", size: "9", n: 1 }]],
  "a body of four gigabytes": [[{ t: "m", size: 4e9, n: 1 }]],
  "a body longer than it said": [[{ t: "m", size: 1, n: 1 }, new Uint8Array(2)]],
  "a body without a number": [[{ t: "m", size: 9 }]],
  "a body within another": [[{ t: "m", size: 9, n: 1 }], [{ t: "m", size: 9, n: 2 }]],
  "a part of no body": [[{ t: "more", n: 7 }, new Uint8Array(2)]],
  "a part of another body": [[{ t: "m", size: 9, n: 1 }], [{ t: "more", n: 2 }, new Uint8Array(2)]],
  "a part of nothing": [[{ t: "m", size: 9, n: 1 }], [{ t: "more", n: 1 }]],
  "a part that is too long": [[{ t: "m", size: 9, n: 1 }], [
    { t: "more", n: 1 },
    new Uint8Array(10),
  ]],
  "credit for what was not sent": [[{ t: "credit", n: 7, bytes: 1 }]],
  "credit that is none": [[{ t: "credit", n: 0, bytes: -1 }]],
};
for (const [what, frames] of Object.entries(BREACHES)) {
  Deno.test(`a breach: ${what}`, () => {
    const { ends } = pair([1], 1000);
    assert.throws(() => {
      for (const [head, tail] of frames) ends[0].take(encodeFrame(head, tail));
    }, isBreach);
  });
}

Deno.test("a breach: more credit than the window", async () => {
  const { ends } = pair([65_536]);
  ends[0].send({ t: "large" }, new Uint8Array(3_000_000));
  await Promise.resolve();
  const more = encodeFrame({ t: "credit", n: 1, bytes: WINDOW_BYTES + 1 });
  assert.throws(() => ends[0].take(more), isBreach);
});

Deno.test("bytes that are no frames are a breach, and never anything else", () => {
  const bad: Uint8Array[] = [
    new Uint8Array([255, 255, 255, 255]),
    new Uint8Array([0, 0, 0, 3]),
    new Uint8Array(8),
    new Uint8Array([0, 0, 0, 8, 0, 0, 0, 99, 1, 1, 1, 1]),
    new Uint8Array([0, 0, 0, 6, 0, 0, 0, 2, 123, 123]),
    new Uint8Array([0, 0, 0, 6, 0, 0, 0, 2, 255, 255]),
    new Uint8Array([0, 0, 0, 6, 0, 0, 0, 2, 91, 93]),
    new Uint8Array([0, 0, 0, 6, 0, 0, 0, 2, 123, 125]),
  ];
  for (const bytes of bad) assert.throws(() => frameReader()(bytes), isBreach);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    try {
      frameReader()(bytes);
    } catch (error) {
      assert.ok(isBreach(error), String(error));
    }
  }));
});

Deno.test("a head's names are just names", () => {
  const read = frameReader();
  const json = new TextEncoder().encode('{"t":"m","__proto__":{"run":1}}');
  const bytes = new Uint8Array(8 + json.length);
  new DataView(bytes.buffer).setUint32(0, 4 + json.length);
  new DataView(bytes.buffer).setUint32(4, json.length);
  bytes.set(json, 8);
  const [frame] = read(bytes);
  assert.equal(frame!.head.run, undefined);
});
