/** The worker of a directory: it may die, and it ends with its mount. */
import { readText, writeText } from "../../../src/fs/use.ts";
import { localDirectories, permissionsOf } from "../../../src/providers/directory/provider.ts";
import { workerFiles } from "../../../src/providers/directory/service.ts";
import { deepEqual, equal, rejects } from "../../assert.ts";
import { inYard, namesIn } from "./yard.ts";

/** A worker that answers the first question, and dies of the second. */
const DYING = `
  let asked = 0;
  onmessage = ({ data }) => {
    if (asked++ > 0) throw new Error("of something in ${"/"}srv/secret");
    postMessage({ id: data.id, ok: undefined });
  };
`;

inYard(
  "who waits for a worker that dies is told io, and the next one is asked",
  async ({ inside }) => {
    await Deno.writeTextFile(`${inside}/f`, "x");
    let started = 0;
    const real = new URL("../../../src/providers/directory/worker.ts", import.meta.url);
    const permissions = permissionsOf({ path: inside, access: "read_write" });
    const begin = { op: "begin", root: inside, writable: true, hidden: [] } as const;
    const { files, close } = workerFiles(() => {
      const url = ++started === 2 ? real : `data:text/javascript,${encodeURIComponent(DYING)}`;
      return new Worker(url, { type: "module", deno: { permissions } });
    }, begin);
    const waiting = await Promise.allSettled([
      files.stat("/f"),
      files.list("/"),
      files.open("/f", "watch"),
      writeText(files, "/f", "lost"),
    ]);
    for (const one of waiting) {
      equal(one.status, "rejected");
      const { code, message } = (one as PromiseRejectedResult).reason;
      equal(code, "io");
      equal(message.includes("srv"), false, message);
    }
    equal(await readText(files, "/f"), "x");
    equal(started, 2);
    await close();
  },
);

inYard(
  "a handle of a worker that has died is lost, its write told as not done",
  async ({ inside }) => {
    const begin = { op: "begin", root: inside, writable: true, hidden: [] } as const;
    const workers: Worker[] = [];
    const { files, close } = workerFiles(() => {
      const answers = `
      onmessage = ({ data }) => {
        if (data.question?.op === "stat") throw new Error("now");
        postMessage({ id: data.id, ok: undefined });
      };
    `;
      const url = `data:text/javascript,${encodeURIComponent(answers)}`;
      const worker = new Worker(url, { type: "module", deno: { permissions: "none" } });
      workers.push(worker);
      return worker;
    }, begin);
    const writing = await files.open("/f", "write");
    const reading = await files.open("/f", "read");
    await writing.write(new Uint8Array(3));
    await rejects(files.stat("/f"), { code: "io" });
    await rejects(reading.read(), { code: "io" });
    await reading.close();
    await rejects(writing.close(), { code: "io" });
    await files.list("/");
    equal(workers.length, 2);
    await close();
  },
);

inYard(
  "what ends discards what was not closed, and answers nobody after that",
  async ({ inside }) => {
    const directory = localDirectories().open({ type: "dir", path: inside, access: "read_write" });
    const { files } = directory;
    const writing = await files.open("/new/f", "write");
    await writing.write(new Uint8Array(1024 * 1024));
    const watching = await files.open("/", "watch");
    const event = watching.read();
    await directory.close();
    await event.catch(() => {});
    await rejects(writing.close(), { code: "io" });
    await rejects(files.stat("/"), { code: "not_found" });
    deepEqual((await Array.fromAsync(Deno.readDir(inside))).map(({ name }) => name), []);
  },
);

inYard(
  "those who mount the same share a worker, until the last of them leaves",
  async ({ inside }) => {
    const provider = localDirectories();
    const mount = { type: "dir", path: inside, access: "read_write" } as const;
    const [one, two] = [provider.open(mount), provider.open(mount)];
    equal(one.files, two.files);
    await one.close();
    await one.close();
    await writeText(two.files, "/f", "x");
    await two.close();
    await rejects(two.files.stat("/"), { code: "not_found" });
    const three = provider.open(mount);
    deepEqual(await namesIn(three.files, "/"), ["f"]);
    await three.close();
  },
);

inYard(
  "a directory that is gone is told at each use, and found when it is there again",
  async ({ inside }) => {
    await Deno.remove(inside);
    const directory = localDirectories().open({ type: "dir", path: inside, access: "read_only" });
    await rejects(directory.files.stat("/"), { code: "not_found" });
    await rejects(directory.files.list("/"), { code: "not_found" });
    await Deno.mkdir(inside);
    deepEqual(await directory.files.list("/"), []);
    await directory.close();
  },
);
