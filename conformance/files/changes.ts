/** Laws of files that can be written: what a write is, when it counts, and when it does not. */
import type { FileService } from "../../src/fs/file.ts";
import {
  appendBytes,
  appendText,
  readBytes,
  readText,
  walk,
  writeBytes,
  writeText,
} from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { faultOf, type FileLaw, inScratch, isAbsent, pattern, sameBytes, utf8 } from "./subject.ts";

/** Opened, written and left before its close. */
async function begun(files: FileService, path: string, text: string, signal?: AbortSignal) {
  const handle = await files.open(path, "write", signal ? { signal } : {});
  await handle.write(utf8(text));
  return handle;
}

export const changeLaws: readonly FileLaw[] = [
  {
    id: "F10",
    name: "what_was_written_is_read",
    says: "any bytes, in any chunks, come back as they were; a write without an offset replaces " +
      "the whole file",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "bytes");
      for (const size of [300_000, 256, 1, 0]) {
        await writeBytes(files, path, pattern(size));
        sameBytes(await readBytes(files, path), pattern(size), `${size} bytes in one chunk`);
      }
      const handle = await files.open(path, "write");
      for (const chunk of ["a", "", "bc", "d"]) await handle.write(utf8(chunk));
      await handle.close();
      same(await readText(files, path), "abcd", "several chunks");
      await (await files.open(path, "write")).close();
      same(await readText(files, path), "", "a write of nothing");
    },
  },
  {
    id: "F11",
    name: "a_write_counts_at_close",
    says: "nobody sees a write before its close, and everybody does after it; close is idempotent",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "late");
      const first = await begun(files, path, "first");
      await isAbsent(subject, "late", "before the close");
      await Promise.all([first.close(), first.close()]);
      same(await readText(files, path), "first", "after the close");
      const second = await begun(files, path, "second");
      same(await readText(files, path), "first", "before the second close");
      await second.close();
      await writeText(files, path, "third");
      await second.close();
      same(await readText(files, path), "third", "after a repeated close of the second");
    },
  },
  {
    id: "F12",
    name: "an_aborted_write_is_discarded",
    says: "a handle whose signal aborted changes nothing, and one of its verbs says interrupted",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "aborted");
      await writeText(files, path, "stands");
      const abort = new AbortController();
      const handle = await begun(files, path, "lost", abort.signal);
      abort.abort();
      await refuses("interrupted", async () => {
        await handle.write(utf8("!"));
        await handle.close();
      }, "write and close after abort");
      await handle.close().catch(() => {});
      same(await readText(files, path), "stands", "content after abort");
      const late = new AbortController();
      const closing = await begun(files, path, "lost too", late.signal);
      late.abort();
      await refuses("interrupted", () => closing.close(), "close after abort");
      same(await readText(files, path), "stands", "content after close of an aborted write");
      await refuses(
        "interrupted",
        () => writeText(files, inScratch(subject, "never"), "x", { signal: abort.signal }),
        "write with a signal that has aborted",
      );
      await isAbsent(subject, "never", "after a write that never began");
    },
  },
  {
    id: "F13",
    name: "a_failed_write_is_discarded",
    says: "after a write that failed, close commits nothing",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const handle = await begun(files, inScratch(subject, "spoilt"), "half");
      const noBytes = "text" as unknown as Uint8Array;
      await refuses("invalid_request", () => handle.write(noBytes), "write of what is no bytes");
      await handle.close().catch(() => {});
      await isAbsent(subject, "spoilt", "after a failed write");
    },
  },
  {
    id: "F14",
    name: "too_large_is_told_while_writing",
    says: "more than a file takes is too_large before its close, and changes nothing",
    needs: ["scratch", "limit"],
    async test(subject) {
      const { files, scratch } = subject;
      const limit = scratch?.maxBytes;
      holds(limit, "the subject tells its limit");
      const path = inScratch(subject, "large");
      await writeBytes(files, path, pattern(limit));
      same((await readBytes(files, path)).length, limit, "bytes of a write at the limit");
      const handle = await files.open(path, "write");
      await refuses("too_large", async () => {
        await handle.write(pattern(limit));
        await handle.write(pattern(1));
      }, "one byte beyond the limit");
      await handle.close().catch(() => {});
      same((await readBytes(files, path)).length, limit, "bytes after a refused write");
    },
  },
  {
    id: "F15",
    name: "appends_go_to_the_end",
    says: "an append goes behind what stands at its close, whole, and makes the file if need be",
    needs: ["scratch", "append"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "log");
      await appendText(files, path, "1");
      await appendText(files, path, "2");
      const one = await files.open(path, "append");
      const two = await files.open(path, "append");
      await one.write(utf8("a"));
      await two.write(utf8("b"));
      await one.write(utf8("a"));
      await two.write(utf8("b"));
      same(await readText(files, path), "12", "before the closes");
      await two.close();
      await one.close();
      same(await readText(files, path), "12bbaa", "after the closes");
      const many = Array.from({ length: 20 }, (_, i) => `<${i}>`);
      await Promise.all(many.map((text) => appendBytes(files, path, utf8(text))));
      const text = await readText(files, path);
      for (const part of many) same(text.split(part).length, 2, `${part} is there once`);
      await refuses(
        "invalid_request",
        () => appendText(files, path, "x", { offset: 0 }),
        "an append with an offset",
      );
    },
  },
  {
    id: "F16",
    name: "a_part_leaves_the_rest",
    says: "a write with an offset replaces the bytes from there on, keeps the others, may grow " +
      "the file, and leaves no hole",
    needs: ["scratch", "parts"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "parts");
      await writeText(files, path, "0123456789");
      await writeText(files, path, "ab", { offset: 3 });
      same(await readText(files, path), "012ab56789", "a part within");
      await writeText(files, path, "xyz", { offset: 8 });
      same(await readText(files, path), "012ab567xyz", "a part over the end");
      await writeText(files, path, "!", { offset: 11 });
      same(await readText(files, path), "012ab567xyz!", "a part at the end");
      await writeText(files, path, "", { offset: 0 });
      same(await readText(files, path), "012ab567xyz!", "an empty part");
      await refuses(
        "range_not_satisfiable",
        () => writeText(files, path, "?", { offset: 13 }),
        "a part beyond the end",
      );
      same(await readText(files, path), "012ab567xyz!", "after a refused part");
    },
  },
  {
    id: "F17",
    name: "ranges_are_cut",
    says: "offset and length cut a read; an offset beyond the end is range_not_satisfiable, a " +
      "number that is none invalid_request",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "range");
      await writeText(files, path, "0123456789");
      const cuts: [{ offset?: number; length?: number }, string][] = [
        [{ offset: 0, length: 3 }, "012"],
        [{ offset: 7 }, "789"],
        [{ length: 2 }, "01"],
        [{ offset: 4, length: 0 }, ""],
        [{ offset: 8, length: 100 }, "89"],
        [{ offset: 10 }, ""],
      ];
      for (const [range, text] of cuts) {
        same(await readText(files, path, range), text, `range ${JSON.stringify(range)}`);
      }
      await refuses(
        "range_not_satisfiable",
        () => readText(files, path, { offset: 11 }),
        "an offset beyond the end",
      );
      for (const offset of [-1, 0.5, NaN, 2 ** 60]) {
        await refuses("invalid_request", () => readText(files, path, { offset }), `${offset}`);
        await refuses(
          "invalid_request",
          () => readText(files, path, { length: offset }),
          `length ${offset}`,
        );
      }
    },
  },
  {
    id: "F18",
    name: "directories_come_with_what_is_written",
    says: "writing a/b/c makes a and a/b; a directory is not written or read, a file has nothing " +
      "below it",
    needs: ["scratch", "nested"],
    async test(subject) {
      const { files } = subject;
      const at = (name: string) => inScratch(subject, name);
      await writeText(files, at("a/b/c"), "deep");
      same(await readText(files, at("a/b/c")), "deep", "content below new directories");
      const found = (await Array.fromAsync(walk(files, inScratch(subject))))
        .map(({ path, entry }) => [path, entry.dir]);
      same(found, [[at("a"), true], [at("a/b"), true], [at("a/b/c"), false]], "what stands there");
      same((await files.stat(at("a/b"))).dir, true, "stat of a new directory");
      await refuses("is_directory", () => readText(files, at("a")), "read of a directory");
      await refuses("is_directory", () => writeText(files, at("a/b"), "x"), "write on a directory");
      await refuses(
        "not_directory",
        () => writeText(files, at("a/b/c/d"), "x"),
        "write below a file",
      );
      await refuses("not_directory", () => files.list(at("a/b/c")), "list of a file");
      await refuses("not_found", () => files.list(at("a/x")), "list of what is not there");
      same(await readText(files, at("a/b/c")), "deep", "content after refused writes");
    },
  },
  {
    id: "F19",
    name: "what_is_removed_is_gone",
    says:
      "what was removed is not_found to every verb and a second removal; nothing that is in a " +
      "directory goes with it",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      await writeText(files, inScratch(subject, "gone"), "x");
      await writeText(files, inScratch(subject, "stays"), "y");
      await files.remove(inScratch(subject, "gone"));
      await isAbsent(subject, "gone", "after its removal");
      const refused = await faultOf(() => files.remove(inScratch(subject)));
      holds(refused, "removal of a directory with a file in it is refused");
      same(await readText(files, inScratch(subject, "stays")), "y", "the file that stays");
    },
  },
];
