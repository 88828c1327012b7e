/** `/inbox`: everything that is written to it becomes an envelope, by its type or by what it looks like; what waits can be seen. */
import type { Envelope, Payload } from "../../src/core/envelope.ts";
import type { Receipt } from "../../src/core/view.ts";
import type { FileService, OpenOptions } from "../../src/fs/file.ts";
import {
  appendText,
  call,
  callJson,
  readJson,
  watch,
  writeBytes,
  writeJson,
  writeText,
} from "../../src/fs/use.ts";
import { deepEqual, equal, ok, rejects } from "../assert.ts";
import { inWorld, type World } from "./world.ts";

const encoder = new TextEncoder();

/** An agent that takes envelopes and ticks none. */
async function paused({ files }: World): Promise<void> {
  await writeText(files, "/ctl", "pause");
}

async function send(
  files: FileService,
  data: string | Uint8Array,
  options: OpenOptions = {},
): Promise<Receipt> {
  return JSON.parse(new TextDecoder().decode(await call(files, "/inbox", data, options)));
}

/** The payload that was made of the newest envelope. */
async function newest(files: FileService): Promise<Payload> {
  const name = (await files.list("/inbox")).map((entry) => entry.name).at(-2);
  return (await readJson<Envelope>(files, `/inbox/${name}`)).payload;
}

const bytes = new Uint8Array([0xff, 0xfe, 0, 1]);
const CASES: readonly [
  what: string,
  data: string | Uint8Array,
  type: string | undefined,
  Payload,
][] = [
  ["nothing", "", undefined, { kind: "text", text: "" }],
  ["nothing, said to be JSON", "", "application/json", { kind: "text", text: "" }],
  ["text", "hi", undefined, { kind: "text", text: "hi" }],
  ["an object", '{"a":1}', undefined, { kind: "json", data: { a: 1 } }],
  ["an array", " [1]", undefined, { kind: "json", data: [1] }],
  ["a number", "42", undefined, { kind: "text", text: "42" }],
  ["what only begins like JSON", "{a}", undefined, { kind: "text", text: "{a}" }],
  ["bytes", bytes, undefined, { kind: "binary", data: "//4AAQ==" }],
  ["a JSON number", "42", "application/json", { kind: "json", data: 42 }],
  ["a JSON text", '"hi"', "application/json", { kind: "text", text: "hi" }],
  ["other JSON", '{"a":1}', "application/ld+json; charset=utf-8", {
    kind: "json",
    data: { a: 1 },
  }],
  ["text of another alphabet", new Uint8Array([0xe9]), "text/plain; charset=ISO-8859-1", {
    kind: "text",
    text: "é",
  }],
  ["JSON as text", '{"a":1}', "text/plain", { kind: "text", text: '{"a":1}' }],
  ["a form that is JSON", '{"a":1}', "application/x-www-form-urlencoded", {
    kind: "json",
    data: { a: 1 },
  }],
  ["a form", "a=1%202&b", "application/x-www-form-urlencoded", { kind: "text", text: "a=1%202&b" }],
  ["bytes that are text", "hi", "application/octet-stream", {
    kind: "binary",
    data: "aGk=",
    type: "application/octet-stream",
  }],
  ["an image", bytes, "image/png", { kind: "binary", data: "//4AAQ==", type: "image/png" }],
  ["a payload in full", '{"payload":{"kind":"text","text":"x"}}', undefined, {
    kind: "text",
    text: "x",
  }],
  ["an envelope's plain payload", '{"payload":[1]}', "application/json", {
    kind: "json",
    data: [1],
  }],
];

inWorld("what is written becomes a payload by its type, or by what it looks like", async (made) => {
  await paused(made);
  for (const [what, data, type, payload] of CASES) {
    await send(made.files, data, type === undefined ? {} : { type });
    deepEqual(await newest(made.files), payload, what);
  }
});

inWorld(
  "what cannot be an envelope is refused, with what was wrong, and nothing waits",
  async (made) => {
    const { files } = made;
    await paused(made);
    const refused: [string | Uint8Array, OpenOptions, RegExp][] = [
      ["{a}", { type: "application/json" }, /no JSON/],
      [bytes, { type: "text/plain" }, /not utf-8/],
      ["hi", { type: "text/plain; charset=none-such" }, /not none-such text/],
      ['{"payload":1,"id":"alarm:x:1"}', {}, /belong to the runtime/],
      ['{"payload":1,"id":"a b"}', {}, /envelope id/],
      ['{"payload":1,"extra":1}', {}, /extra/],
      ['{"payload":{"kind":"binary","data":"?"}}', {}, /base64/],
      ['{"payload":1,"metadata":{"expires_at":"soon"}}', {}, /expires_at|time/],
    ];
    for (const [data, options, message] of refused) {
      await rejects(send(files, data, options), { code: "invalid_request", message });
    }
    deepEqual((await files.list("/inbox")).map((entry) => entry.name), ["overflow"]);
  },
);

inWorld("write, append and call enqueue; a call answers the receipt", async (made) => {
  const { files } = made;
  await paused(made);
  await writeText(files, "/inbox", "one");
  await appendText(files, "/inbox", "two");
  const receipt = await callJson<Receipt>(files, "/inbox", { payload: "three", id: "mine" });
  deepEqual(receipt, {
    envelope_id: "mine",
    disposition: "queued",
    queue_depth: 3,
    duplicate: false,
  });
  const again = await callJson<Receipt>(files, "/inbox", { payload: "three", id: "mine" });
  deepEqual([again.duplicate, again.queue_depth], [true, 3]);
  await rejects(callJson(files, "/inbox", { payload: "other", id: "mine" }), { code: "conflict" });
});

inWorld(
  "what waits is listed oldest first, in pages, and can be looked at without taking it",
  async (made) => {
    const { files } = made;
    await paused(made);
    for (const id of ["c", "b", "a"]) await callJson(files, "/inbox", { payload: id, id });
    const names = (await files.list("/inbox")).map((entry) => entry.name);
    const numbers = names.slice(0, 3).map((name) => Number(name.slice(0, 12)));
    deepEqual(names.map((name) => name.slice(13)), ["c.json", "b.json", "a.json", ""]);
    deepEqual(names.at(-1), "overflow");
    ok(numbers[0]! < numbers[1]! && numbers[1]! < numbers[2]!);
    deepEqual(
      (await files.list("/inbox", { after: names[0]!, limit: 2 })).map((entry) => entry.name),
      names.slice(1, 3),
    );
    deepEqual(
      (await files.list("/inbox", { after: "000000000000" })).map((entry) => entry.name),
      names,
    );
    const first = await readJson<Envelope>(files, `/inbox/${names[0]}`);
    deepEqual([first.id, first.source], ["c", { kind: "http", principal: "operator" }]);
    equal(first.timestamp as unknown, "2026-01-01T00:00:00.000Z");
    await readJson(files, `/inbox/${names[0]}`);
    await rejects(files.stat(`/inbox/${names[0]!.replace("-c", "-b")}`), { code: "not_found" });
    await writeText(files, "/ctl", "resume");
    await made.waited("a" as never);
    await rejects(files.stat(`/inbox/${names[0]}`), { code: "not_found" });
  },
);

inWorld("who watches is told of each envelope that was accepted", async (made) => {
  const { files } = made;
  await paused(made);
  const abort = new AbortController();
  const events = await watch(files, "/inbox", { signal: abort.signal });
  await callJson(files, "/inbox", { payload: 1, id: "x" });
  const { value } = await events.next();
  deepEqual([value?.type, value?.["envelope_id"]], ["created", "x"]);
  equal(value?.["name"], (await files.list("/inbox"))[0]!.name);
  abort.abort();
  equal((await events.next()).done, true);
});

inWorld("the overflow policy is kept to, changed in part, and checked", async (made) => {
  const { files } = made;
  await paused(made);
  await writeJson(files, "/inbox/overflow", { max_depth: 1, policy: "dead_letter" });
  deepEqual(await readJson(files, "/inbox/overflow"), {
    max_depth: 1,
    policy: "dead_letter",
    dead_letter_max: 1000,
  });
  equal((await callJson<Receipt>(files, "/inbox", 1)).disposition, "queued");
  equal((await callJson<Receipt>(files, "/inbox", 2)).disposition, "dead_letter");
  await writeJson(files, "/inbox/overflow", { policy: "reject_new" });
  await rejects(callJson(files, "/inbox", 3), { code: "inbox_full" });
  for (const bad of [{ max_depth: 0 }, { policy: "none" }, { max: 1 }, [], "x", 1.5]) {
    await rejects(writeJson(files, "/inbox/overflow", bad), { code: "invalid_request" });
  }
  await rejects(writeBytes(files, "/inbox/overflow", encoder.encode("{")), {
    code: "invalid_request",
  });
});
