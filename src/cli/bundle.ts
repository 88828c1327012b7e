/**
 * One JavaScript module out of an agent's source: its relative imports, zod and the npm packages it uses, by esbuild in this process. What runs
 * later needs no TypeScript, no source tree and no network.
 */
// @ts-types="esbuild-wasm"
import * as esbuild from "esbuild-wasm/esm/browser.min.js";
import { dirname, relative, resolve } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { decode, encode, type SourceMapSegment } from "@jridgewell/sourcemap-codec";
import { digest, encodeText } from "../core/code.ts";
import { MAX_CODE_BYTES } from "../core/deploy.ts";
import { MAP_COMMENT } from "../hosts/source_map.ts";
import { EXIT, trouble } from "./exit.ts";
import { importMapOf, isOfPackage, isOwnLocales, packageFile } from "./packages.ts";

export interface Bundle {
  readonly code: string;
  /** SHA-256 of the code's UTF-8, hex. */
  readonly digest: string;
  readonly bytes: number;
  /** What the bundler warned of, one line each. */
  readonly warnings: readonly string[];
  readonly ms: number;
}

const EXTENSIONS = [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".json"];
const LOADERS: Readonly<Record<string, esbuild.Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
  ".json": "json",
  ".txt": "text",
  ".md": "text",
};
/** Of zod's messages in fifty languages, an agent gets those in English; who wants others installs zod beside the agent. */
const ENGLISH = 'export { default as en } from "./en.js";';
const FILES = "file";
const WASM_MAGIC = [0, 0x61, 0x73, 0x6d];
const ERRORS_SHOWN = 5;

let started: Promise<void> | undefined;

/** esbuild, once a process; on this thread, since a worker of it could not be embedded in a binary. */
function start(): Promise<void> {
  return started ??= (async () => {
    const wasm = await Deno.readFile(new URL(import.meta.resolve("esbuild-wasm/esbuild.wasm")));
    const wasmModule = await WebAssembly.compile(unpacked(wasm));
    await esbuild.initialize({ wasmModule, worker: false });
  })();
}

/** A binary has it packed: what is embedded there is in the memory of each of its processes, and few of them bundle. */
function unpacked(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const isWasm = WASM_MAGIC.every((byte, i) => bytes[i] === byte);
  return isWasm ? bytes : new Uint8Array(brotliDecompressSync(bytes));
}

/**
 * The author's files that a bundle is made of, outside packages, each with a stamp that is another one when the file is; those that were looked for and are not
 * there among them.
 */
export type Inputs = Map<string, string>;

/**
 * Bundles the module at `entry`, as an operator or author names it.
 * @param inputs takes the files that were read, also where this rejects
 * @throws an error for people, naming file, line and what to do
 */
export async function bundle(entry: string, inputs: Inputs = new Map()): Promise<Bundle> {
  const began = performance.now();
  const path = resolve(entry);
  inputs.set(path, stampOf(path));
  if (!isFile(path)) throw noFile(entry, path);
  await start();
  const dir = dirname(path);
  let built: esbuild.BuildResult<{ write: false }>;
  try {
    built = await esbuild.build({
      entryPoints: [path],
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "esnext",
      charset: "utf8",
      legalComments: "none",
      treeShaking: true,
      minifySyntax: true,
      minifyWhitespace: true,
      keepNames: true,
      sourcemap: "external",
      sourcesContent: false,
      outdir: dir,
      absWorkingDir: dir,
      logLevel: "silent",
      tsconfigRaw: "{}",
      plugins: [sources(dir, inputs)],
    });
  } catch (error) {
    throw refused(entry, dir, error);
  }
  const script = built.outputFiles.find((file) => !file.path.endsWith(".map"))!;
  const map = built.outputFiles.find((file) => file.path.endsWith(".map"))!;
  const code = script.text + MAP_COMMENT + bareMap(map.text, dir) + "\n";
  const bytes = encodeText(code).length;
  if (bytes > MAX_CODE_BYTES) {
    throw trouble(
      EXIT.failed,
      `${entry} becomes a bundle of ${bytes} bytes; an agent has at most ${MAX_CODE_BYTES}`,
      "Import less: only what the agent uses.",
    );
  }
  return {
    code,
    digest: digest(code),
    bytes,
    warnings: built.warnings.map((warning) => line(warning, dir)),
    ms: Math.round(performance.now() - began),
  };
}

/** What the map says of the author's own files, in base64: nobody looks for an error's place in a package, and that is most of a map. */
function bareMap(text: string, dir: string): string {
  const map = JSON.parse(text) as { sources: string[]; mappings: string };
  const own = map.sources.map((source) => !isOfPackage(resolve(dir, source)));
  const sources: string[] = [];
  const places = map.sources.map((source, i) => own[i] ? sources.push(source) - 1 : -1);
  const lines = decode(map.mappings).map((line) =>
    line.map((segment): SourceMapSegment => {
      const [column, source, at, from] = segment;
      const place = source === undefined ? -1 : places[source]!;
      return place < 0 ? [column] : [column, place, at!, from!];
    }).filter((segment, i, all) => segment.length > 1 || i === 0 || all[i - 1]!.length > 1)
  );
  const bare = { version: 3, sources, names: [], mappings: encode(lines) };
  return encodeText(JSON.stringify(bare)).toBase64();
}

/** Which file this is, as far as one can see from outside; `none` if there is none. */
export function stampOf(path: string): string {
  try {
    const { mtime, size, ino } = Deno.statSync(path);
    return `${mtime?.getTime()} ${size} ${ino}`;
  } catch {
    return "none";
  }
}

function noFile(entry: string, path: string): Error {
  const inside = `${entry.replace(/\/$/, "")}/agent.ts`;
  const hint = isFile(`${path}/agent.ts`)
    ? `It is a directory; did you mean ${inside}?`
    : undefined;
  return trouble(EXIT.notFound, `There is no file ${entry}`, hint);
}

function sources(dir: string, inputs: Inputs): esbuild.Plugin {
  const imports = importMapOf(dir);
  return {
    name: "sources",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        const from = importer ? dirname(importer) : dir;
        if (kind === "entry-point") return { path, namespace: FILES };
        const found = locate(path, from, imports);
        if (typeof found === "string") return { path: found, namespace: FILES };
        if (/^\.{0,2}\//.test(path)) inputs.set(resolve(from, path), "none");
        return found;
      });
      build.onLoad({ filter: /.*/, namespace: FILES }, async ({ path }) => {
        const extension = /\.[a-z]+$/.exec(path)?.[0] ?? ".js";
        // Before it is read, so that a change in between is seen as one.
        if (!isOfPackage(path)) inputs.set(path, stampOf(path));
        return {
          contents: isOwnLocales(path) ? ENGLISH : await Deno.readFile(path),
          loader: LOADERS[extension] ?? "js",
          resolveDir: dirname(path),
        };
      });
      build.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "export {};" }));
    },
  };
}

function locate(
  named: string,
  from: string,
  imports: Readonly<Record<string, string>>,
): string | esbuild.OnResolveResult {
  const specifier = imports[named] ?? named;
  if (specifier.startsWith("node:")) return { path: specifier, external: true };
  if (/^(https?|jsr|data|blob):/.test(specifier)) {
    return failed(
      `"${named}" would be fetched: an agent's code is bundled from what is on this machine`,
    );
  }
  if (specifier.startsWith(".") || specifier.startsWith("/") || specifier.startsWith("file:")) {
    const path = specifier.startsWith("file:")
      ? decodeURIComponent(new URL(specifier).pathname)
      : resolve(from, specifier);
    return withExtension(path) ?? failed(`there is no file ${specifier}`);
  }
  // Only its types are ever needed, and those are gone by now.
  if (specifier === "agentd") return { path: specifier, namespace: "nothing" };
  const found = packageFile(specifier, from);
  return found ??
    failed(
      `the package "${specifier.replace(/^npm:/, "")}" is not installed: run \`npm install ${
        packageName(specifier)
      }\` beside the agent`,
    );
}

function packageName(specifier: string): string {
  return specifier.replace(/^npm:\/?/, "");
}

function failed(text: string): esbuild.OnResolveResult {
  return { errors: [{ text }] };
}

function withExtension(path: string): string | undefined {
  if (isFile(path)) return path;
  // TypeScript's own habit: the import says .js, the file is .ts.
  const typed = path.replace(/\.([mc]?)js$/, ".$1ts");
  if (typed !== path && isFile(typed)) return typed;
  for (const extension of EXTENSIONS) if (isFile(path + extension)) return path + extension;
  for (const extension of EXTENSIONS) {
    if (isFile(`${path}/index${extension}`)) return `${path}/index${extension}`;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function refused(entry: string, dir: string, error: unknown): Error {
  const errors = (error as { errors?: esbuild.Message[] }).errors ?? [];
  if (errors.length === 0) return trouble(EXIT.failed, `Cannot bundle ${entry}: ${error}`);
  const lines = errors.slice(0, ERRORS_SHOWN).map((one) => line(one, dir));
  const more = errors.length - lines.length;
  return trouble(
    EXIT.failed,
    `Cannot bundle ${entry}: ${lines.join("\n  ")}${more > 0 ? `\n  and ${more} more` : ""}`,
  );
}

/** `dir`: what the bundler's file names are relative to; a person's are relative to where they are. */
function line({ text, location }: esbuild.Message, dir: string): string {
  if (!location) return text;
  const path = resolve(dir, location.file.replace(/^file:/, ""));
  const near = relative(Deno.cwd(), path);
  const file = near.startsWith("..") ? path : near;
  return `${file}:${location.line}:${location.column + 1}: ${text}`;
}
