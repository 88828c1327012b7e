/** Stores broken on purpose in their names and listings: each with the laws that it breaks, and it breaks no others. */
import { FileError } from "../../../src/fs/error.ts";
import { entries } from "../../../src/fs/use.ts";
import { type Broken, errors, instead, lists, paths, type Spoil, stats } from "./spoil.ts";

const under = (path: string) => path.includes("/scratch");

function inOrder(compare: (a: string, b: string) => number): Spoil {
  return (files) => ({
    ...files,
    async list(path, { after, limit = 1000 } = {}) {
      if (!(limit >= 1 && Number.isInteger(limit))) return await files.list(path, { limit });
      const all = (await Array.fromAsync(entries(files, path)))
        .sort((a, b) => compare(a.name, b.name));
      const from = after === undefined ? 0 : all.findIndex((e) => e.name === after) + 1;
      return all.slice(from, from + Math.min(limit, 1000));
    },
  });
}

export const brokenNames: readonly Broken[] = [
  ["repairs paths", "F1", () => paths((path) => path.replaceAll("//", "/"))],
  ["walks up", "F1", () => paths((path) => path.replace(/\/[^/]+\/\.\.(?=\/|$)/, "") || "/")],
  [
    "cuts long names",
    "F1",
    () => paths((path) => path.replace(/[^/]{256,}/g, (name) => name.slice(0, 255))),
  ],
  ["drops half characters", "F1", () => paths((path) => path.toWellFormed())],
  ["decodes names", "F2 F8", () => paths((path) => path.replaceAll("%2e", "."))],
  ["knows backslashes", "F2 F8", () => paths((path) => path.replaceAll("\\", "/"))],
  ["ignores case", "F8", () => paths((path) => path.replaceAll("/B", "/b"))],
  [
    "hides what is not there",
    "F2 F3 F11 F12 F13 F18 F19 F21 F23",
    () => instead("not_found", "permission_denied"),
  ],
  ["looks names up in an object", "F3", () => (files) => ({
    ...files,
    stat: (path) =>
      path.slice(1) in {}
        ? Promise.resolve({ name: path.slice(1), dir: false, modes: [], kind: "value" })
        : files.stat(path),
  })],
  [
    "promises more modes",
    "F4",
    () => stats((stat) => stat.dir ? stat : { ...stat, modes: [...stat.modes, "call"] }),
  ],
  [
    "hides a mode",
    "F4",
    () => stats((stat) => ({ ...stat, modes: stat.modes.filter((mode) => mode !== "append") })),
  ],
  [
    "lists a ghost",
    "F4 F5 F6",
    () =>
      lists((entries, path, { after }) =>
        under(path) || after ? entries : [...entries, { name: "zz", dir: false }]
      ),
  ],
  [
    "lists files as directories",
    "F4 F5 F6",
    () =>
      lists((entries, path) => under(path) ? entries : entries.map((e) => ({ ...e, dir: true }))),
  ],
  ["calls a file a directory", "F4 F5 F18", () => instead("not_directory", "is_directory")],
  ["ignores a last slash", "F1 F5 F7", () => paths((path) => path.replace(/(?<=[^/])\/$/, ""))],
  ["knows no last slash", "F1 F5", () => (files) => ({
    ...files,
    stat(path) {
      if (!/[^/]\/$/.test(path)) return files.stat(path);
      return Promise.reject(new FileError("not_found", "stat", path));
    },
  })],
  ["begins each page anew", "F6 F9", () => (files) => ({
    ...files,
    list: (path, { limit } = {}) => files.list(path, limit === undefined ? {} : { limit }),
  })],
  ["takes any limit", "F6 F9", () => (files) => ({
    ...files,
    list: (path, page = {}) => files.list(path, page.limit! > 0 ? page : {}),
  })],
  ["gives more than was asked", "F6", () => (files) => ({
    ...files,
    list: (path, { after, limit } = {}) =>
      files.list(path, {
        ...(after === undefined ? {} : { after }),
        ...(limit === undefined ? {} : { limit: limit + 1 }),
      }),
  })],
  [
    "names its own path in errors",
    "F7",
    () => errors((error) => new FileError(error.code, error.op, `/srv/data${error.path}`)),
  ],
  ["sorts by UTF-16", "F8", () => inOrder((a, b) => a < b ? -1 : 1)],
  ["sorts for people", "F8", () => inOrder((a, b) => a.localeCompare(b, "en"))],
  ["lists everything", "F9", () => (files) => ({
    ...files,
    async list(path, page = {}) {
      const first = await files.list(path, page);
      if (page.limit! <= 1000 || first.length < 1000) return first;
      return [...first, ...await files.list(path, { after: first.at(-1)!.name })];
    },
  })],
];
