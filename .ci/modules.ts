/**
 * Where an import leads: files of the house by their path from the top, files of packages as deno.lock pins them. Names and not paths of this machine, so that
 * what is built is the same everywhere.
 */
import { isBuiltin } from "node:module";
import { exports as exported, legacy } from "resolve.exports";
import config from "../deno.json" with { type: "json" };

export const ROOT = new URL("../", import.meta.url);

/** `src/cli/mod.ts`, or `npm:zod@4.6.7/v4/index.js`. */
export type Module = string;

interface Lock {
  /** `npm:zod@4.6.7` → `4.6.7` */
  readonly specifiers: Readonly<Record<string, string>>;
  /** `zod@4.6.7` → what it needs, by name, with the version where there are several. */
  readonly npm: Readonly<Record<string, { readonly dependencies?: readonly string[] }>>;
}
interface Package {
  readonly name: string;
  readonly type?: string;
  readonly exports?: unknown;
}

const lock = JSON.parse(Deno.readTextFileSync(new URL("deno.lock", ROOT))) as Lock;
/** Deno's cache of packages: the folder above one that is known. */
const CACHE = new URL("../../", import.meta.resolve("zod/package.json"));
const NAME = /^((?:@[^/]+\/)?[^/]+)(?:\/(.*))?$/;
const PINNED = /^npm:((?:@[^/]+\/)?[^/@]+)@([^/]+)\/(.*)$/;
const ENDINGS = ["", ".js", ".cjs", ".mjs", ".json", "/index.js"];

/** Where the module's text is. */
export function urlOf(module: Module): URL {
  const [, name, version, path] = PINNED.exec(module) ?? [];
  // Packages that need others of several versions lie several times, under names of Deno's own.
  return name
    ? new URL(`${name}/${version!.replace(/_.*/, "")}/${path}`, CACHE)
    : new URL(module, ROOT);
}

/**
 * What `specifier` means in the module `from`; `builtin` for what the runtime brings.
 * @param required by CommonJS
 * @throws Error where it leads nowhere
 */
export function resolve(specifier: string, from: Module, required: boolean): Module | "builtin" {
  if (specifier.startsWith("node:") || isBuiltin(specifier)) return "builtin";
  const module = specifier.startsWith(".")
    ? beside(specifier, from)
    : packaged(specifier, from, required);
  const found = ENDINGS.map((ending) => module + ending).find((each) => isFile(urlOf(each)));
  if (found === undefined) throw new Error(`${from} imports ${specifier}: there is no ${module}`);
  return found;
}

function beside(specifier: string, from: Module): Module {
  const [, name, version, path] = PINNED.exec(from) ?? [];
  const base = new URL(path ?? from, "file:///");
  const to = decodeURIComponent(new URL(specifier, base).pathname.slice(1));
  return name ? `npm:${name}@${version}/${to}` : to;
}

function packaged(specifier: string, from: Module, required: boolean): Module {
  const [, name, path] = NAME.exec(specifier) ?? [];
  if (!name) throw new Error(`${from} imports ${specifier}, which is no name of a package`);
  const version = versionOf(name, from);
  const folder = `npm:${name}@${version}/`;
  const pkg = JSON.parse(Deno.readTextFileSync(urlOf(`${folder}package.json`))) as Package;
  return folder + fileOf(pkg, path, required);
}

function fileOf(pkg: Package, path: string | undefined, required: boolean): string {
  if (pkg.exports !== undefined) {
    const entry = path === undefined ? pkg.name : `${pkg.name}/${path}`;
    const [file] = exported(pkg, entry, { require: required, conditions: ["deno"] }) ?? [];
    if (file === undefined) throw new Error(`${pkg.name} does not export ${path ?? "anything"}`);
    return file.replace(/^\.\//, "");
  }
  if (path !== undefined) return path;
  const main = legacy(pkg, { browser: false, fields: ["main"] });
  return typeof main === "string" ? main.replace(/^\.\//, "") : "index.js";
}

/** The version that the lock file gives the importer. */
function versionOf(name: string, from: Module): string {
  const [, importer, own] = PINNED.exec(from) ?? [];
  if (importer === undefined) {
    const specifier = (config.imports as Readonly<Record<string, string>>)[name];
    const version = specifier && lock.specifiers[specifier];
    if (!version) throw new Error(`${from} imports ${name}, which deno.json does not name`);
    return version;
  }
  if (name === importer) return own!;
  const needs = lock.npm[`${importer}@${own}`]?.dependencies ?? [];
  const said = needs.find((need) => need === name || need.startsWith(`${name}@`));
  const key = said === name
    ? Object.keys(lock.npm).find((key) => key.startsWith(`${name}@`))
    : said;
  if (!key) {
    throw new Error(`${from} imports ${name}, which ${importer} does not need by deno.lock`);
  }
  return key.slice(name.length + 1);
}

function isFile(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}
