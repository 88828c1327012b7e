/** Laws of handles: each belongs to one caller, serves one mode, and ends when it is closed or aborted. */
import { readText, writeText } from "../../src/fs/use.ts";
import { refuses, same } from "../expect.ts";
import { type FileLaw, inScratch, MODES, utf8, withHandle } from "./subject.ts";

export const handleLaws: readonly FileLaw[] = [
  {
    id: "F24",
    name: "a_handle_serves_one_mode",
    says:
      "a verb that is not of the handle's mode is invalid_request, and so is every verb after close",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "modes");
      await writeText(files, path, "stands");
      const reading = await files.open(path, "read");
      await refuses("invalid_request", () => reading.write(utf8("x")), "write to a reader");
      await reading.close();
      await reading.close();
      await refuses("invalid_request", () => reading.read(), "read after close");
      const leave = new AbortController();
      const writing = await files.open(path, "write", { signal: leave.signal });
      await refuses("invalid_request", () => writing.read(), "read from a writer");
      leave.abort();
      await writing.close().catch(() => {});
      const closed = await files.open(path, "write");
      await closed.close();
      await refuses("invalid_request", () => closed.write(utf8("x")), "write after close");
      same(await readText(files, path), "", "content after a write that came too late");
      const none = "truncate" as unknown as (typeof MODES)[number];
      await refuses("invalid_request", () => files.open(path, none), "a mode that is none");
    },
  },
  {
    id: "F25",
    name: "handles_are_not_shared",
    says:
      "readers of one file do not move each other on, writers do not mix, and nobody's buffer is another's",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "shared");
      await writeText(files, path, "content");
      const [one, two] = [await files.open(path, "read"), await files.open(path, "read")];
      const read = await one.read();
      read?.fill(0);
      same(await two.read(), utf8("content"), "what the second reads after the first");
      same(await one.read(), undefined, "the end, for the first");
      await Promise.all([one.close(), two.close()]);
      same(await readText(files, path), "content", "the file, after its reader used the buffer");

      const [left, right] = [await files.open(path, "write"), await files.open(path, "write")];
      const buffer = utf8("left ");
      const written = left.write(buffer);
      buffer.fill(0);
      await written;
      await right.write(utf8("right "));
      await left.write(utf8("left"));
      await right.write(utf8("right"));
      await right.close();
      same(await readText(files, path), "right right", "after the first close");
      await left.close();
      same(await readText(files, path), "left left", "after the second close");
    },
  },
  {
    id: "F26",
    name: "an_aborted_read_is_told",
    says: "a read whose signal aborted says interrupted, and never passes for the end of the file",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "interrupted");
      await writeText(files, path, "content");
      const abort = new AbortController();
      await withHandle(files, path, "read", async (handle) => {
        abort.abort();
        await refuses("interrupted", () => handle.read(), "read after abort");
      }, { signal: abort.signal });
      await refuses(
        "interrupted",
        () => files.open(path, "read", { signal: abort.signal }),
        "open with a signal that has aborted",
      );
    },
  },
  {
    id: "F27",
    name: "verbs_of_one_handle_keep_their_order",
    says:
      "writes that are not waited for take effect in the order of the calls, and before the close",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "order");
      const handle = await files.open(path, "write");
      const parts = Array.from({ length: 50 }, (_, i) => `${i},`);
      const writes = parts.map((text) => handle.write(utf8(text)));
      await handle.close();
      await Promise.all(writes);
      same(await readText(files, path), parts.join(""), "what was written");
      await writeText(files, path, "0123456789");
      const got: string[] = [];
      await withHandle(files, path, "read", async (handle) => {
        const reads = [handle.read(), handle.read(), handle.read()];
        for (const chunk of await Promise.all(reads)) got.push(new TextDecoder().decode(chunk));
      });
      same(got.join(""), "0123456789", "what reads that did not wait got");
    },
  },
];
