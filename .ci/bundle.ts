/**
 * The program as a few modules of plain JavaScript: its own and what it uses of packages. A compiled program keeps everything that is embedded in the memory of
 * each of its processes, an agent's too, so whole packages would cost each of them 35 MB and the start half its time.
 */
// @ts-types="esbuild-wasm"
import * as esbuild from "esbuild-wasm/esm/browser.min.js";
import { type Module, resolve, ROOT, urlOf } from "./modules.ts";

export interface Bundled {
  /** By their names, all in one folder. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Modules that are started by their URL and not imported: workers. */
  readonly workers: readonly string[];
  /** Files of packages that are read while the program runs, by what the source calls them. */
  readonly assets: readonly string[];
}

const MAIN = "main.ts";
/** Modules named by their URL. */
const BY_URL = /new URL\(\s*"(\.{1,2}\/[^":]+\.ts)",\s*import\.meta\.url,?\s*\)/g;
/** Files of packages. */
const BY_NAME = /import\.meta\.resolve\(\s*"([a-z@][^":]*)",?\s*\)/g;
/** Of zod's messages in fifty languages the program speaks those in English. */
export const LOCALES = /^npm:zod@[^/]+\/v4\/locales\/index\.js$/;
export const ENGLISH = 'export { default as en } from "./en.js";\n';

const LOADERS: Readonly<Record<string, esbuild.Loader>> = { ts: "ts", json: "json" };
const ATTRIBUTES: Readonly<Record<string, esbuild.Loader>> = {
  json: "json",
  text: "text",
  bytes: "binary",
};

let started: Promise<void> | undefined;
function start(): Promise<void> {
  return started ??= (async () => {
    const wasm = await Deno.readFile(new URL(import.meta.resolve("esbuild-wasm/esbuild.wasm")));
    await esbuild.initialize({ wasmModule: await WebAssembly.compile(wasm), worker: false });
  })();
}

/** Where an asset lies beside the modules. What ended in `.wasm` would be taken for a module. */
export function assetPath(asset: string): string {
  return `npm/${asset.replace(/\.wasm$/, ".wasm.br")}`;
}

/** @throws Error that names what does not resolve or parse */
export async function bundle(): Promise<Bundled> {
  await start();
  const workers = (await Array.fromAsync(byUrl())).flat();
  const assets = new Set<string>();
  const entries = [MAIN, ...new Set(workers)];
  const { outputFiles } = await esbuild.build({
    entryPoints: entries.map((module) => ({ in: module, out: flat(module) })),
    bundle: true,
    splitting: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "esnext",
    legalComments: "none",
    chunkNames: "[name]-[hash]",
    outdir: "/",
    absWorkingDir: "/",
    logLevel: "warning",
    tsconfigRaw: "{}",
    // Where several modules become one file, none of them is the main one but the door.
    define: { "import.meta.main": "false" },
    plugins: [{ name: "house", setup: (build) => house(build, assets) }],
  });
  return {
    files: new Map(outputFiles.map(({ path, contents }) => [path.slice(1), contents])),
    workers: entries.slice(1).map((module) => `${flat(module)}.js`),
    assets: [...assets].sort(),
  };
}

/** JavaScript of a package with the same meaning and fewer bytes; ASCII, which V8 takes as it lies there. */
export async function smaller(source: string): Promise<string> {
  await start();
  const options = { minifyWhitespace: true, minifySyntax: true, legalComments: "none" } as const;
  return (await esbuild.transform(source, { ...options, target: "esnext" })).code;
}

function house(build: esbuild.PluginBuild, assets: Set<string>): void {
  build.onResolve({ filter: /.*/ }, ({ path, importer, kind, with: attributes }) => {
    if (kind === "entry-point") return { path, namespace: "house" };
    const required = kind === "require-call";
    const found = resolve(path, importer, required);
    if (found !== "builtin") {
      return { path: found, namespace: "house", pluginData: attributes.type };
    }
    const builtin = path.replace(/^(?!node:)/, "node:");
    return required ? { path: builtin, namespace: "required" } : { path: builtin, external: true };
  });
  // A module has no `require`; this is the same object, so that who changes it is seen.
  build.onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
    contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
  }));
  build.onLoad({ filter: /.*/, namespace: "house" }, async ({ path, pluginData }) => {
    if (LOCALES.test(path)) return { contents: ENGLISH };
    const ending = path.slice(path.lastIndexOf(".") + 1);
    const loader = ATTRIBUTES[pluginData as string] ?? LOADERS[ending] ?? "js";
    if (loader === "binary") return { contents: await Deno.readFile(urlOf(path)), loader };
    const source = await Deno.readTextFile(urlOf(path));
    if (loader === "js") return { contents: await smaller(source), loader };
    return { contents: loader === "ts" ? moved(source, path, assets) : source, loader };
  });
}

/** All modules lie in one folder afterwards, and so do the files that they name. */
function moved(source: string, module: Module, assets: Set<string>): string {
  return source
    .replace(BY_URL, (_, to) => beside(`${flat(pathFrom(module, to))}.js`))
    .replace(BY_NAME, (_, asset) => {
      assets.add(asset);
      return `${beside(assetPath(asset))}.href`;
    });
}

const beside = (file: string) => `new URL("./${file}", import.meta.url)`;

function pathFrom(module: Module, to: string): Module {
  return new URL(to, `file:///${module}`).pathname.slice(1);
}

/** `src/hosts/process_child.ts` → `src.hosts.process_child` */
function flat(module: Module): string {
  return module.replace(/\.ts$/, "").replaceAll("/", ".");
}

async function* byUrl(): AsyncGenerator<Module[]> {
  for await (const module of sources("src/")) {
    const source = await Deno.readTextFile(new URL(module, ROOT));
    yield Array.from(source.matchAll(BY_URL), ([, to]) => pathFrom(module, to!));
  }
}

async function* sources(dir: string): AsyncGenerator<Module> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(dir, ROOT))) {
    if (isDirectory) yield* sources(`${dir}${name}/`);
    else if (name.endsWith(".ts")) yield dir + name;
  }
}
