/** Laws of versions: what a change is guarded by. */
import { hasCode } from "../../src/fs/error.ts";
import { type FileService, MATCH_ANY, MATCH_NONE } from "../../src/fs/file.ts";
import { appendText, exists, readText, writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { faultOf, type FileLaw, type FileSubject, inScratch, isAbsent, utf8 } from "./subject.ts";

async function versionOf(files: FileService, path: string): Promise<string> {
  const { version } = await files.stat(path);
  holds(version, `${path} has a version`);
  return version;
}

async function keepsMatch(
  subject: FileSubject,
  change: (path: string, match: string) => Promise<void>,
): Promise<void> {
  const { files } = subject;
  const path = inScratch(subject, "guarded");
  const absent = inScratch(subject, "absent");
  await writeText(files, path, "one");
  const old = await versionOf(files, path);
  await writeText(files, path, "two");
  for (const match of [old, MATCH_NONE, "no such version"]) {
    await refuses("precondition_failed", () => change(path, match), `match ${match}`);
  }
  same(await readText(files, path), "two", "content after refused changes");
  await change(path, await versionOf(files, path));
  for (const match of [MATCH_ANY, old]) {
    const error = await faultOf(() => change(absent, match));
    const told = hasCode(error, "precondition_failed") || hasCode(error, "not_found");
    holds(told, `match ${match} on what is absent is refused: ${String(error)}`);
  }
  holds(!await exists(files, absent), "a refused change makes nothing");
}

export const versionLaws: readonly FileLaw[] = [
  {
    id: "F20",
    name: "versions_change_with_content",
    says: "stat tells size, time and a version; the version is another after every change, and " +
      "after the file has gone and come again",
    needs: ["scratch", "versions"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "versioned");
      const seen = new Set<string>();
      for (const text of ["a", "bb", "a"]) {
        await writeText(files, path, text);
        const { size, modified } = await files.stat(path);
        same(size, text.length, "size in stat");
        holds(Number.isSafeInteger(modified) && modified! >= 0, "time in stat");
        const entry = (await files.list(inScratch(subject))).find((e) => e.name === "versioned");
        same([entry?.size, entry?.modified], [size, modified], "size and time in the listing");
        seen.add(await versionOf(files, path));
        same(await versionOf(files, path), [...seen].at(-1), "version without a change");
      }
      await files.remove(path);
      await writeText(files, path, "a");
      seen.add(await versionOf(files, path));
      same(seen.size, 4, "different versions");
    },
  },
  {
    id: "F21",
    name: "match_guards_a_write",
    says: "a write counts only if the file still has the version it names, *none* or *any*; else " +
      "precondition_failed, and nothing changed",
    needs: ["scratch", "versions"],
    async test(subject) {
      const { files } = subject;
      await keepsMatch(subject, (path, match) => writeText(files, path, "new", { match }));
      const fresh = inScratch(subject, "fresh");
      await writeText(files, fresh, "made", { match: MATCH_NONE });
      await writeText(files, fresh, "kept", { match: MATCH_ANY });
      same(await readText(files, fresh), "kept", "content after matching writes");
    },
  },
  {
    id: "F22",
    name: "match_is_checked_in_the_commit",
    says: "of two writers who opened on the same version, or on none, the one who closes first " +
      "wins and the other is told precondition_failed",
    needs: ["scratch", "versions"],
    async test(subject) {
      const { files } = subject;
      const path = inScratch(subject, "raced");
      for (const round of ["made", "changed"]) {
        const match = round === "made" ? MATCH_NONE : await versionOf(files, path);
        const first = await files.open(path, "write", { match });
        const second = await files.open(path, "write", { match });
        await first.write(utf8(`${round} by the first`));
        await second.write(utf8(`${round} by the second`));
        await second.close();
        await refuses("precondition_failed", () => first.close(), `the later close, ${round}`);
        same(await readText(files, path), `${round} by the second`, "who has won");
      }
    },
  },
  {
    id: "F23",
    name: "match_guards_append_and_remove",
    says: "match holds for an append and a removal as for a write",
    needs: ["scratch", "versions", "append"],
    async test(subject) {
      const { files } = subject;
      await keepsMatch(subject, (path, match) => appendText(files, path, "+", { match }));
      await files.remove(inScratch(subject, "guarded"));
      await keepsMatch(subject, (path, match) => files.remove(path, { match }));
      await isAbsent(subject, "guarded", "after a matching removal");
    },
  },
];
