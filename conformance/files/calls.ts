/** Laws of calls: one request, one performance, one answer, all on one handle. */
import type { FileHandle } from "../../src/fs/file.ts";
import { call } from "../../src/fs/use.ts";
import { refuses, same } from "../expect.ts";
import { callOf, type FileLaw, utf8 } from "./subject.ts";

async function rest(handle: FileHandle): Promise<Uint8Array> {
  const bytes: number[] = [];
  for (let chunk = await handle.read(); chunk; chunk = await handle.read()) bytes.push(...chunk);
  return Uint8Array.from(bytes);
}

export const callLaws: readonly FileLaw[] = [
  {
    id: "F34",
    name: "an_answer_belongs_to_its_handle",
    says: "a call answers the request of its own handle, however many others are open",
    needs: ["call"],
    async test(subject) {
      const { files } = subject;
      const { path, request, answer } = callOf(subject);
      same((await files.stat(path)).modes.includes("call"), true, "stat tells the call");
      const one = await files.open(path, "call");
      const two = await files.open(path, "call");
      await one.write(request(1).slice(0, 1));
      await two.write(request(2));
      await one.write(request(1).slice(1));
      same(await rest(two), answer(2), "the second's answer");
      same(await rest(one), answer(1), "the first's answer");
      same(await one.read(), undefined, "the first, after its end");
      await Promise.all([one.close(), two.close()]);
      const answers = await Promise.all([3, 4, 5].map((n) => call(files, path, request(n))));
      same(answers, [3, 4, 5].map(answer), "three answers at once");
    },
  },
  {
    id: "F35",
    name: "a_call_is_performed_once",
    says: "a call is performed at the first read, or at close if something was written and " +
      "nothing read; once, and not at all if nothing was written or read",
    needs: ["call"],
    async test(subject) {
      const { files } = subject;
      const { path, request, answer, performed } = callOf(subject);
      const before = await performed();
      const since = async () => await performed() - before;
      await (await files.open(path, "call")).close();
      same(await since(), 0, "performed, after nothing");

      const read = await files.open(path, "call");
      await read.write(request(1));
      same(await since(), 0, "performed, before the first read");
      same(await rest(read), answer(1), "the answer");
      await refuses("invalid_request", () => read.write(request(2)), "a write after the read");
      await read.close();
      await read.close();
      same(await since(), 1, "performed, after read and close");

      const unread = await files.open(path, "call");
      await unread.write(request(2));
      await unread.close();
      await unread.close();
      same(await since(), 2, "performed, after a close without a read");
    },
  },
  {
    id: "F36",
    name: "a_call_that_was_given_up_is_not_performed",
    says: "a call whose signal aborted, or whose request failed, before it was performed never is",
    needs: ["call"],
    async test(subject) {
      const { files } = subject;
      const { path, request, performed } = callOf(subject);
      const before = await performed();
      const abort = new AbortController();
      const given = await files.open(path, "call", { signal: abort.signal });
      await given.write(request(1));
      abort.abort();
      await refuses("interrupted", () => given.read(), "read of a call that was given up");
      await given.close().catch(() => {});
      const spoilt = await files.open(path, "call");
      await spoilt.write(utf8("half"));
      const noBytes = {} as unknown as Uint8Array;
      await refuses("invalid_request", () => spoilt.write(noBytes), "write of what is no bytes");
      await spoilt.close().catch(() => {});
      same(await performed(), before, "how often it was performed");
    },
  },
];
