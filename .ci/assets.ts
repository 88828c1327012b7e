/** Files of packages that the program reads while it runs, as small as they can be: they are in the memory of each of its processes. */
import { brotliCompressSync, constants } from "node:zlib";
import { assetPath, ENGLISH, LOCALES, smaller } from "./bundle.ts";
import { type Module, resolve, urlOf } from "./modules.ts";

/** Path beside the modules → bytes. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** A better one takes half a minute for a tenth less. */
const QUALITY = 9;
const WINDOW_BITS = 24;

type Made = [path: string, bytes: Uint8Array][];
/** How each asset becomes files. */
const MAKERS: Readonly<Record<string, (asset: string, module: Module) => Promise<Made>>> = {
  "esbuild-wasm/esbuild.wasm": packed,
  "zod/package.json": zod,
};

/** @throws Error for one that is not known here */
export async function assetFiles(assets: readonly string[]): Promise<Files> {
  const files = new Map<string, Uint8Array>();
  for (const asset of assets) {
    const make = MAKERS[asset];
    if (!make) {
      throw new Error(`the source reads ${asset}: say in .ci/assets.ts how it is embedded`);
    }
    const made = await make(asset, resolve(asset, "main.ts", false));
    for (const [path, bytes] of made) files.set(path, bytes);
  }
  return files;
}

/** Unpacked by who reads it. */
async function packed(asset: string, module: Module): Promise<Made> {
  const bytes = await Deno.readFile(urlOf(module));
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  return [[assetPath(asset), new Uint8Array(brotliCompressSync(bytes, { params }))]];
}

/** What agents import of it, for the bundler: modules, without types, CommonJS, source, and other languages than English. */
async function zod(asset: string, module: Module): Promise<Made> {
  const folder = module.slice(0, -"package.json".length);
  const files: Made = [[assetPath(asset), await Deno.readFile(urlOf(module))]];
  for await (const path of scripts(urlOf(folder), "")) {
    if (/^src\/|locales\/(?!en\.js|index\.js)/.test(path)) continue;
    const source = LOCALES.test(folder + path)
      ? ENGLISH
      : await Deno.readTextFile(urlOf(folder + path));
    files.push([assetPath(`zod/${path}`), new TextEncoder().encode(await smaller(source))]);
  }
  return files;
}

async function* scripts(folder: URL, below: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(below, folder))) {
    if (isDirectory) yield* scripts(folder, `${below}${name}/`);
    else if (name.endsWith(".js")) yield below + name;
  }
}
