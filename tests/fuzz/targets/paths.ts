/** Paths, as files, addresses and people write them. */
import { isRefusal, refusing } from "../expect.ts";
import { baseName, byteOrder, isDirPath, joinPath, segments } from "../../../src/fs/path.ts";
import { fileOf, plainPath, rawPath, targetOf } from "../../../src/http/target.ts";
import { targetOf as typedTarget } from "../../../src/cli/target.ts";
import { anyText, brokenText } from "../mutate.ts";
import { deepEqual, equal, ok } from "../../assert.ts";
import { mistyped } from "../expect.ts";
import type { Target } from "../target.ts";

const VALID = [
  "/",
  "/a",
  "/a/b/",
  "/files/notes/log.txt",
  "/logs/../status",
  "/%2e%2e/x",
  "/a%2fb/c%252f",
  "/\u{1f512}/é",
  `/${"a".repeat(255)}`,
  "/agents/abc/files/a%20b?watch=1&after=9#top",
];
const encoder = new TextEncoder();

// deno-lint-ignore no-control-regex -- control characters are exactly what stands in no name
const NEVER = /[\0-\x1f\x7f-\x9f/]/;

function mustBeNames(names: readonly string[]): void {
  for (const name of names) {
    ok(!["", ".", ".."].includes(name) && !NEVER.test(name), JSON.stringify(name));
    ok(name.isWellFormed() && encoder.encode(name).length <= 255, JSON.stringify(name));
  }
}

function compared(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? a.length - b.length : b[at] === undefined ? 1 : a[at]! - b[at]!;
}

export const target: Target<{ path: string; other: string }> = {
  about: "a path is names that can be, or refused; written again it is the same",
  make: (chance) => ({
    path: chance.percent(80) ? brokenText(chance, chance.pick(VALID), VALID) : anyText(chance, 20),
    other: chance.percent(50) ? brokenText(chance, chance.pick(VALID)) : chance.pick(VALID),
  }),
  begin: () => ({
    try({ path, other }) {
      const names = refusing(() => segments(path), "invalid_path");
      if (names) {
        mustBeNames(names);
        deepEqual(segments(joinPath(names)), names);
        equal(baseName(path), names.at(-1) ?? "");
        equal(isDirPath(path), path.length > 1 && path.endsWith("/"));
      }
      const url = `http://localhost${path.startsWith("/") ? "" : "/"}${path}`;
      const found = refusing(() => targetOf(url), "invalid_path");
      if (found) {
        mustBeNames(found.names);
        const file = fileOf(found, 0);
        try {
          deepEqual(segments(file), found.names);
        } catch (error) {
          if (!isRefusal(error, ["invalid_path"]) || encoder.encode(file).length <= 4096) {
            throw error;
          }
        }
      }
      ok(plainPath(url).length <= rawPath(url).length);
      const typed = mistyped(() => typedTarget(path));
      if (typed) mustBeNames(segments(typed.path));
      if (path.isWellFormed() && other.isWellFormed()) {
        const order = compared(encoder.encode(path), encoder.encode(other));
        equal(Math.sign(byteOrder(path, other)), Math.sign(order));
      }
    },
  }),
};
