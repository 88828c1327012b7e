/** Laws of paths and of what stands there: open, stat, list and remove see one tree, and say so in one way. */
import { codeOf, isCode } from "../../src/fs/error.ts";
import type { FileService, Stat } from "../../src/fs/file.ts";
import { entries, walk, writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { faultOf, type FileLaw, inScratch, MODES } from "./subject.ts";

/** Everything that can be asked of a path without changing anything if it is refused. */
function verbs(files: FileService, path: string): [string, () => Promise<unknown>][] {
  return [
    ["stat", () => files.stat(path)],
    ["list", () => files.list(path)],
    ["remove", () => files.remove(path)],
    ...MODES.map((mode): [string, () => Promise<unknown>] => [
      `open to ${mode}`,
      () => files.open(path, mode),
    ]),
  ];
}

const MALFORMED: Readonly<Record<string, string>> = {
  "nothing": "",
  "a relative path": "a/b",
  "only slashes": "//",
  "an empty segment": "/a//b",
  "two last slashes": "/a//",
  "a leading empty segment": "//a",
  "the same directory": "/./a",
  "the directory above": "/..",
  "the directory above, within": "/a/../b",
  "the directory above, last": "/a/..",
  "NUL": "/a\u0000b",
  "a line break": "/a\nb",
  "a control character": "/a\u007f",
  "a high control character": "/a\u0085",
  "half a character": "/a\ud800",
  "the other half": "/\udc00b",
  "a segment of 256 bytes": "/" + "a".repeat(256),
  "a segment of 128 two-byte characters": "/" + "é".repeat(128),
  "a path of 4097 bytes": "/" + "abcdefg/".repeat(512),
};

/** Well-formed, and nobody has them. */
const UNUSUAL = [
  "/no such file",
  "/%2e%2e",
  "/%2fstatus",
  "/..%2f..",
  "/...",
  "/a\\..\\b",
  "/C:",
  "/~root",
  "/ユニコード 🙂",
  "/" + "é".repeat(127),
  // Short of the limit: whoever wraps a service may put a path before it.
  "/" + "abcdefg/".repeat(440) + "abcdefg",
];

async function refusesMalformedPaths(files: FileService): Promise<void> {
  for (const [what, path] of Object.entries(MALFORMED)) {
    for (const [verb, run] of verbs(files, path)) {
      await refuses("invalid_path", run, `${verb} of ${what}`);
    }
  }
}

/** Writing may be able to make a file, so only what needs one is asked. */
async function saysNotFound(files: FileService, path: string): Promise<void> {
  for (const [verb, run] of verbs(files, path)) {
    if (verb === "open to write" || verb === "open to append") continue;
    await refuses("not_found", run, `${verb} of ${path}, which is not there`);
  }
}

async function agrees(files: FileService, path: string): Promise<void> {
  const stat = await files.stat(path);
  holds(stat.kind, `stat of ${path} says a kind`);
  if (stat.dir) await files.list(path);
  else await agreesAsFile(files, path);
  for (const mode of MODES) await opensAsTold(files, path, stat, mode);
}

async function agreesAsFile(files: FileService, path: string): Promise<void> {
  await refuses("not_directory", () => files.list(path), `list of the file ${path}`);
  await refuses("not_directory", () => files.stat(`${path}/x`), `stat below the file ${path}`);
  await refuses(
    "not_directory",
    () => files.open(`${path}/x`, "read"),
    `open below the file ${path}`,
  );
}

/** A mode that is told opens; one that is not is refused. Nothing is written, so nothing is changed. */
async function opensAsTold(
  files: FileService,
  path: string,
  stat: Stat,
  mode: (typeof MODES)[number],
): Promise<void> {
  if (!stat.modes.includes(mode)) {
    const code = codeOf(await faultOf(() => files.open(path, mode)));
    const fine = stat.dir
      ? ["is_directory", "permission_denied"]
      : ["not_supported", "permission_denied"];
    holds(fine.includes(code), `open ${path} to ${mode}, which stat does not tell: ${code}`);
  } else if (mode !== "write" && mode !== "append") {
    const leave = new AbortController();
    const handle = await files.open(path, mode, { signal: leave.signal });
    leave.abort();
    await handle.close().catch(() => {});
  }
}

/** Names page by page; at most `most` pages and one, so that pages which repeat themselves come to an end. */
async function paged(
  files: FileService,
  dir: string,
  limit: number,
  most: number,
): Promise<string[]> {
  const names: string[] = [];
  for (let page = 0; page <= most; page++) {
    const after = names.at(-1);
    const next = await files.list(dir, after === undefined ? { limit } : { limit, after });
    holds(next.length <= limit, `a page of ${dir} has ${limit} entries at the most`);
    names.push(...next.map((e) => e.name));
    if (next.length < limit) break;
  }
  return names;
}

export const nameLaws: readonly FileLaw[] = [
  {
    id: "F1",
    name: "malformed_paths_are_refused",
    says: "a path that is not absolute, normal, well-formed UTF-8 of at most 4096 bytes, " +
      "255 a segment, without control characters, is invalid_path to every verb",
    needs: [],
    test: ({ files }) => refusesMalformedPaths(files),
  },
  {
    id: "F2",
    name: "absent_is_not_found",
    says: "what is not there is not_found to every verb; an encoded, long or strange name is " +
      "a name like another, never a way out",
    needs: [],
    async test({ files }) {
      if (!(await files.stat("/")).dir) return;
      for (const path of UNUSUAL) await saysNotFound(files, path);
    },
  },
  {
    id: "F3",
    name: "prototype_names_are_names",
    says: "constructor, __proto__ and their like are names: there only when something has them",
    needs: [],
    async test({ files }) {
      if (!(await files.stat("/")).dir) return;
      const there = new Set((await Array.fromAsync(entries(files, "/"))).map((e) => e.name));
      const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "prototype", "then"];
      for (const name of names.filter((name) => !there.has(name))) {
        await saysNotFound(files, `/${name}`);
        await saysNotFound(files, `/${name}/constructor`);
      }
    },
  },
  {
    id: "F4",
    name: "open_stat_and_list_agree",
    says: "every entry of every listing has a stat that says the same, opens in the modes it " +
      "tells and in no other, and is a directory exactly when it can be listed",
    needs: [],
    async test({ files }) {
      await agrees(files, "/");
      if (!(await files.stat("/")).dir) return;
      for await (const { path, entry } of walk(files)) {
        const stat = await files.stat(path);
        same([stat.name, stat.dir], [entry.name, entry.dir], `name and dir of ${path}`);
        await agrees(files, path);
      }
    },
  },
  {
    id: "F5",
    name: "last_slash_means_directory",
    says: "one last / names the same directory, and is not_directory on a file",
    needs: [],
    async test({ files }) {
      if (!(await files.stat("/")).dir) return;
      for await (const { path, entry } of walk(files)) {
        if (entry.dir) {
          const name = entry.name;
          same((await files.stat(`${path}/`)).name, name, `name of ${path}/`);
          same(
            (await files.list(`${path}/`)).map((e) => e.name),
            (await files.list(path)).map((e) => e.name),
            `list of ${path}/`,
          );
        } else {
          await refuses("not_directory", () => files.stat(`${path}/`), `stat of ${path}/`);
          await refuses("not_directory", () => files.list(`${path}/`), `list of ${path}/`);
          await refuses(
            "not_directory",
            () => files.open(`${path}/`, "read"),
            `open of ${path}/`,
          );
        }
      }
    },
  },
  {
    id: "F6",
    name: "lists_are_paged",
    says: "pages of any size, each behind the last name of the one before, give every entry " +
      "once and in one order; a limit is a positive integer",
    needs: [],
    async test({ files }) {
      if (!(await files.stat("/")).dir) return;
      const dirs = ["/"];
      for await (const { path, entry } of walk(files)) if (entry.dir) dirs.push(path);
      for (const dir of dirs) {
        const whole = (await Array.fromAsync(entries(files, dir))).map((e) => e.name);
        same(new Set(whole).size, whole.length, `names in ${dir} that are there once`);
        for (const size of [1, 2]) {
          same(await paged(files, dir, size, whole.length), whole, `${dir} in pages of ${size}`);
        }
      }
      for (const limit of [0, -1, 1.5, NaN]) {
        await refuses("invalid_request", () => files.list("/", { limit }), `limit ${limit}`);
      }
    },
  },
  {
    id: "F7",
    name: "errors_name_the_callers_path",
    says: "an error says a code of the closed list, the verb, and the path as its caller gave it",
    needs: [],
    async test({ files }) {
      if (!(await files.stat("/")).dir) return;
      for (const path of ["/no such file", "/no/such/file", "/../x", "/no such file/"]) {
        for (const [verb, run] of verbs(files, path)) {
          const error = await faultOf(run) as { code?: unknown; path?: unknown; op?: unknown };
          if (error === undefined && verb.startsWith("open to")) continue;
          holds(isCode(error?.code), `${verb} of ${path} is refused with a code`);
          same(error.path, path, `path in the error of ${verb}`);
          holds(typeof error.op === "string" && error.op, `verb in the error of ${verb}`);
        }
      }
    },
  },
  {
    id: "F8",
    name: "any_name_can_be_written",
    says:
      "a file can have any name that is a segment, and is listed under that name, in byte order",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      const names = [
        "constructor",
        "__proto__",
        "toString",
        "%2e%2e",
        "a b",
        "a",
        "B",
        "a\\b",
        "?q=1#f",
        "...",
        "ｚ",
        "🙂",
        "é".repeat(127),
      ];
      for (const name of names) await writeText(files, inScratch(subject, name), name);
      const listed = (await files.list(inScratch(subject))).map((e) => e.name);
      same(listed, names.toSorted(byUtf8), "names in the listing");
      for (const name of names) {
        same((await files.stat(inScratch(subject, name))).name, name, "name in stat");
      }
    },
  },
  {
    id: "F9",
    name: "a_list_is_capped",
    says: "one list gives 1,000 entries at the most, whatever it is asked for",
    needs: ["scratch"],
    async test(subject) {
      const { files } = subject;
      for (let i = 0; i < 1001; i++) {
        await writeText(files, inScratch(subject, String(i).padStart(4, "0")), "x");
      }
      same((await files.list(inScratch(subject))).length, 1000, "entries by default");
      const asked = await files.list(inScratch(subject), { limit: 100_000 });
      same(asked.length, 1000, "entries when 100,000 are asked for");
      const rest = await files.list(inScratch(subject), { after: asked.at(-1)!.name });
      same(rest.map((e) => e.name), ["1000"], "what is behind them");
    },
  },
];

function byUtf8(a: string, b: string): number {
  const [x, y] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return x.length - y.length;
}
