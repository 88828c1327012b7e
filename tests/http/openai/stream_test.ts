/** Events as a body: what a reader sees of quiet, of failure, and what the maker learns of its reader. */
import { manualClock } from "../../../src/backends/manual_clock.ts";
import { FileError } from "../../../src/fs/error.ts";
import { STALLED_MS } from "../../../src/http/flow.ts";
import { eventStream, QUIET_MS, sseData } from "../../../src/http/openai/stream.ts";
import assert from "../../assert.ts";

/** Events that come when they are told to, and a reader of them. */
function made() {
  const clock = manualClock();
  let left = 0;
  const queue: PromiseWithResolvers<string | undefined>[] = [];
  const slot = (n: number) => queue[n] ??= Promise.withResolvers();
  let made = 0;
  async function* events(): AsyncGenerator<string> {
    for (let n = 0;; n++) {
      const event = await slot(n).promise;
      if (event === undefined) return;
      yield sseData(event);
    }
  }
  return {
    clock,
    left: () => left,
    say: (event: string | undefined) => slot(made++).resolve(event),
    fail: (error: Error) => slot(made++).reject(error),
    begin: () => eventStream(events(), clock.timer, () => void left++),
  };
}

type Read = ReadableStreamReadResult<Uint8Array>;
const textOf = ({ value }: Read) => new TextDecoder().decode(value);
const refused = new FileError("budget_exceeded", "ask", "m", { detail: "it is spent" });

Deno.test("events come as they are said, and a quiet stream shows that it lives", async () => {
  const { clock, say, begin, left } = made();
  say("one");
  const reader = (await begin()).body!.getReader();
  assert.equal(textOf(await reader.read()), "data: one\n\n");
  const next = reader.read();
  await clock.advance(QUIET_MS);
  assert.equal(textOf(await next), ":\n\n");
  const after = reader.read();
  say("two");
  assert.equal(textOf(await after), "data: two\n\n");
  say(undefined);
  assert.equal((await reader.read()).done, true);
  assert.deepEqual([left(), clock.waiting()], [0, 0]);
});

Deno.test("what fails at once is thrown; what fails later is an event, and the last", async () => {
  const soon = made();
  soon.fail(refused);
  await assert.rejects(soon.begin(), refused);
  const late = made();
  const answer = late.begin();
  await late.clock.advance(QUIET_MS);
  const reader = (await answer).body!.getReader();
  assert.equal(textOf(await reader.read()), ":\n\n");
  late.fail(refused);
  const { error } = JSON.parse(textOf(await reader.read()).slice("data: ".length));
  assert.deepEqual([error.code, error.message], ["budget_exceeded", "it is spent"]);
  assert.equal((await reader.read()).done, true);
});

Deno.test("a reader that goes is noticed, and one that does not read is left", async () => {
  const going = made();
  going.say("one");
  const first = (await going.begin()).body!;
  await first.cancel();
  assert.equal(going.left(), 1);
  const stalling = made();
  stalling.say("one");
  const reader = (await stalling.begin()).body!.getReader();
  await reader.read();
  await stalling.clock.advance(STALLED_MS - 1);
  assert.equal(stalling.left(), 0);
  await stalling.clock.advance(1);
  assert.equal(stalling.left(), 1);
  await assert.rejects(reader.read(), /does not read/);
});
