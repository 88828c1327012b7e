/** Where a package's file is: in `node_modules` beside the agent or above it; zod, if it is not there, comes with this program. */
import { dirname, join, resolve } from "node:path";
import { exports as exported, legacy } from "resolve.exports";
import { parseJsonc } from "./jsonc.ts";

/** What a bundle for a world without Node chooses where a package has several forms. */
const CONDITIONS = { conditions: ["deno", "worker"], unsafe: false, browser: true } as const;
/** zod is always there: where it is not installed, this program's own. */
const OWN_ZOD = dirname(
  decodeURIComponent(new URL(import.meta.resolve("zod/package.json")).pathname),
);
const EXTENSIONS = ["", ".js", ".mjs", ".cjs", ".json", "/index.js", "/index.mjs"];

/** The file that a bare specifier (`left-pad`, `npm:zod@4/mini`) means for an importer in `from`. */
export function packageFile(specifier: string, from: string): string | undefined {
  const wanted = parse(specifier);
  if (!wanted) return undefined;
  for (let dir = resolve(from);; dir = dirname(dir)) {
    const found = fileOf(join(dir, "node_modules", wanted.name), wanted.path);
    if (found) return found;
    if (dir === dirname(dir)) break;
  }
  return wanted.name === "zod" ? fileOf(OWN_ZOD, wanted.path) : undefined;
}

/** A file that no author edits. */
export function isOfPackage(path: string): boolean {
  return path.includes("/node_modules/") || path.startsWith(OWN_ZOD + "/");
}

/** The list of languages of this program's own zod. */
export function isOwnLocales(path: string): boolean {
  return path === `${OWN_ZOD}/v4/locales/index.js`;
}

/** `imports` of the nearest deno.json, so that an author's own short names are understood. */
export function importMapOf(from: string): Readonly<Record<string, string>> {
  for (let dir = resolve(from);; dir = dirname(dir)) {
    for (const name of ["deno.json", "deno.jsonc"]) {
      const text = readText(join(dir, name));
      if (text === undefined) continue;
      const { imports = {} } = parseJsonc(text) as { imports?: Record<string, string> };
      return Object.fromEntries(
        Object.entries(imports).map(([key, to]) => [key, to.startsWith(".") ? join(dir, to) : to]),
      );
    }
    if (dir === dirname(dir)) return {};
  }
}

function parse(specifier: string): { name: string; path: string } | undefined {
  const match = /^(?:npm:\/?)?((?:@[^/@]+\/)?[^/@]+)(?:@[^/]*)?(\/.*)?$/.exec(specifier);
  return match ? { name: match[1]!, path: match[2] ?? "" } : undefined;
}

function fileOf(dir: string, path: string): string | undefined {
  const text = readText(join(dir, "package.json"));
  if (text === undefined) return undefined;
  const pkg = JSON.parse(text) as { name: string; exports?: unknown };
  const entry = pkg.name + path;
  let target: string | undefined;
  if (pkg.exports !== undefined) {
    try {
      target = exported(pkg, entry, CONDITIONS)?.[0];
    } catch {
      return undefined;
    }
  } else if (path === "") {
    const main = legacy(pkg, { browser: false, fields: ["module", "main"] });
    target = typeof main === "string" ? main : "index.js";
  } else target = "." + path;
  if (!target) return undefined;
  const base = join(dir, target);
  return EXTENSIONS.map((extension) => base + extension).find(isFile);
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
