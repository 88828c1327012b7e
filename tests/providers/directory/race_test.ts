/** While another program puts links to the outside in the way and takes them back, nothing of the outside is read, listed or changed. */
import { codeOf } from "../../../src/fs/error.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { appendText, entries, readText, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, ok } from "../../assert.ts";
import { host, inYard, outsideOf, SECRET, UNTOUCHED, type Yard } from "./yard.ts";

/** Files that stand inside and out; and one that is outside only. */
const SHARED = ["f", "g"];
/** What may be told while the ground moves. */
const FAIR = ["conflict", "not_found", "not_directory", "range_not_satisfiable"];

interface Swapping {
  readonly swaps: number;
  stop(): Promise<void>;
}

async function swap(name: string, other: string, pauseUs: number): Promise<Swapping> {
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL("./swapper.ts", import.meta.url), { type: "module" });
  const told = () =>
    new Promise<void>((resolve) => {
      worker.onmessage = () => resolve();
    });
  const begun = told();
  worker.postMessage({ name, other, flags, pauseUs });
  await begun;
  return {
    get swaps() {
      return Atomics.load(flags, 1);
    },
    async stop() {
      const ended = told();
      Atomics.store(flags, 0, 1);
      await ended;
      worker.terminate();
    },
  };
}

interface Tally {
  done: number;
  refused: number;
}

/** Either it is done, or refused with a code that says that something moves. */
async function fairly(tally: Tally, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    tally.done++;
  } catch (error) {
    ok(FAIR.includes(codeOf(error)), String(error));
    tally.refused++;
  }
}

function isInner(text: string): void {
  ok(!text.includes("secret"), "a byte of the outside was read");
}

/** One of everything that a service of files can do, below `dir`. */
async function use(files: FileService, dir: string, n: number, tally: Tally): Promise<void> {
  const at = (name: string) => `${dir}/${name}`;
  await fairly(tally, async () => isInner(await readText(files, at("f"))));
  await fairly(tally, async () => isInner(await readText(files, at("deep/f"))));
  await fairly(tally, async () => {
    equal((await files.stat(at("g"))).size !== SECRET.length, true, "the size of an outer file");
  });
  await fairly(tally, async () => {
    for await (const { name, size } of entries(files, dir)) {
      ok(!name.startsWith("only_outside"), `${name} was listed`);
      ok(size !== SECRET.length, "the size of an outer file was listed");
    }
  });
  await fairly(tally, () => writeText(files, at("f"), `whole ${n}`));
  await fairly(tally, () => writeText(files, at("g"), "part", { offset: 2 }));
  await fairly(tally, () => appendText(files, at("g"), "+"));
  await fairly(tally, () => writeText(files, at(`new/${n % 7}`), "new"));
  await fairly(tally, () => files.remove(at(`new/${n % 7}`)));
  await fairly(tally, () => writeText(files, at("h"), "gone soon"));
  await fairly(tally, () => files.remove(at("h")));
}

async function prepared(yard: Yard): Promise<void> {
  const { inside, outside } = yard;
  await Deno.mkdir(`${inside}/way/deep`, { recursive: true });
  await Deno.mkdir(`${outside}/deep`);
  await Deno.mkdir(`${outside}/new`);
  for (const name of [...SHARED, "deep/f"]) {
    await Deno.writeTextFile(`${inside}/way/${name}`, `inner ${name}`);
  }
  for (const name of ["h", "only_outside", "deep/f", "new/0", "new/1"]) {
    await Deno.writeTextFile(`${outside}/${name}`, SECRET);
  }
}

/** A file without a byte, under a name by chance, is all that may have been made by mistake. */
function withoutStrays(found: Record<string, string>): Record<string, string> {
  const kept = Object.entries(found).filter(([path, text]) => {
    const isStray = /\/\.agentd-[0-9a-f]{32}\.tmp$/.test(path);
    if (isStray) equal(text, "", `${path} has content`);
    return !isStray;
  });
  return Object.fromEntries(kept);
}

for (const pauseUs of [0, 100, 2000]) {
  inYard(`a directory that is exchanged for a link, at most every ${pauseUs} µs`, async (yard) => {
    await prepared(yard);
    const before = await outsideOf(yard);
    await Deno.symlink(yard.outside, `${yard.inside}/door`);
    const swapping = await swap(`${yard.inside}/way`, `${yard.inside}/door`, pauseUs);
    const tally: Tally = { done: 0, refused: 0 };
    try {
      for (let n = 0; n < 400; n++) await use(yard.files, "/way", n, tally);
    } finally {
      await swapping.stop();
    }
    ok(swapping.swaps > 100, `${swapping.swaps} swaps`);
    ok(tally.refused > 0, JSON.stringify(tally));
    // Who exchanges them all the time may keep everybody else from doing anything.
    ok(tally.done > 0 || pauseUs === 0, JSON.stringify(tally));
    deepEqual(withoutStrays(await outsideOf(yard)), before);
  });
}

inYard("a file that is exchanged for a link", async (yard) => {
  await prepared(yard);
  const before = await outsideOf(yard);
  await Deno.symlink(`${yard.outside}/f`, `${yard.inside}/way/link`);
  const swapping = await swap(`${yard.inside}/way/f`, `${yard.inside}/way/link`, 50);
  const tally: Tally = { done: 0, refused: 0 };
  try {
    for (let n = 0; n < 1000; n++) {
      await fairly(tally, async () => isInner(await readText(yard.files, "/way/f")));
      await fairly(tally, () => appendText(yard.files, "/way/f", "+"));
      await fairly(tally, () => writeText(yard.files, "/way/f", "x", { offset: 0 }));
    }
  } finally {
    await swapping.stop();
  }
  ok(swapping.swaps > 100 && tally.done > 0);
  deepEqual(withoutStrays(await outsideOf(yard)), before);
});

inYard("a file that is exchanged for a fifo never makes anybody wait", async (yard) => {
  await Deno.writeTextFile(`${yard.inside}/f`, "inner");
  await host("mkfifo", `${yard.inside}/fifo`);
  const swapping = await swap(`${yard.inside}/f`, `${yard.inside}/fifo`, 20);
  const tally: Tally = { done: 0, refused: 0 };
  try {
    for (let n = 0; n < 2000; n++) {
      await fairly(tally, async () => equal(await readText(yard.files, "/f"), "inner"));
    }
  } finally {
    await swapping.stop();
  }
  ok(tally.done > 0 && tally.refused > 0, JSON.stringify(tally));
  deepEqual(await outsideOf(yard), UNTOUCHED);
});

inYard("a directory that becomes a link between two pages of its listing", async (yard) => {
  await prepared(yard);
  for (let i = 0; i < 10; i++) await Deno.writeTextFile(`${yard.inside}/way/n${i}`, "");
  const [first] = await yard.files.list("/way", { limit: 1 });
  await Deno.rename(`${yard.inside}/way`, `${yard.inside}/was`);
  await Deno.symlink(yard.outside, `${yard.inside}/way`);
  const second = await yard.files.list("/way", { after: first!.name }).catch(codeOf);
  equal(second, "not_found");
});
