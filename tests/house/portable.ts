/** Type-checks and bundles rooms for a world without Deno. */
import { ROOT } from "./root.ts";
import { rightsOf, type World } from "./rooms.ts";
import { deno, type Ran, text } from "./tree.ts";

/**
 * All that a portable room may name beside the language. The compiler knows no other name in the world `none`; the realm
 * of `realm_test.ts` is given the same ones.
 */
const GIVEN = `
declare function structuredClone<T>(value: T): T;
declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}
declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string, base?: string): boolean;
  hash: string; host: string; hostname: string; href: string; password: string; pathname: string;
  port: string; protocol: string; search: string; username: string;
  readonly origin: string;
  toString(): string;
  toJSON(): string;
}
interface AbortEvent { readonly type: string; readonly target: AbortSignal }
declare class AbortSignal {
  static abort(reason?: unknown): AbortSignal;
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  readonly aborted: boolean;
  readonly reason: unknown;
  onabort: ((event: AbortEvent) => void) | null;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: (event: AbortEvent) => void, options?: { once?: boolean; signal?: AbortSignal }): void;
  removeEventListener(type: "abort", listener: (event: AbortEvent) => void): void;
}
declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
`;

const LIB: Readonly<Record<Exclude<World, "deno">, readonly string[]>> = {
  none: ["esnext"],
  web: ["esnext", "webworker", "webworker.iterable", "webworker.asynciterable"],
};

/** A folder outside the tree that is gone afterwards. */
export async function inTempDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    return await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Source files of the house whose world is `world`, by their path from the top. */
export function filesOf(world: World, all: readonly string[]): string[] {
  return all.filter((file) => file.endsWith(".ts") && rightsOf(file)?.world === world);
}

/** Type-checks modules (paths from the top, or URLs) in a world that has no Deno; `stderr` is what the compiler says. */
export function checkIn(world: Exclude<World, "deno">, modules: readonly string[]): Promise<Ran> {
  return inTempDir(async (dir) => {
    const { compilerOptions, imports, unstable } = JSON.parse(await text("deno.json"));
    await Deno.writeTextFile(`${dir}/given.d.ts`, GIVEN);
    const types = world === "none" ? [`${dir}/given.d.ts`] : [];
    const config = {
      nodeModulesDir: "none",
      unstable,
      imports,
      compilerOptions: { ...compilerOptions, lib: LIB[world], types },
    };
    await Deno.writeTextFile(`${dir}/deno.json`, JSON.stringify(config));
    const entry = modules.map((to) => `import ${JSON.stringify(new URL(to, ROOT).href)};`);
    await Deno.writeTextFile(`${dir}/entry.ts`, entry.join("\n"));
    const args = ["check", "--quiet", "--config", `${dir}/deno.json`, "--lock", "deno.lock"];
    return await deno([...args, "--frozen", `${dir}/entry.ts`]);
  });
}

/** One script of a module (source text whose imports are paths from the top, written `~/src/…`). */
export function bundle(source: string): Promise<string> {
  return inTempDir(async (dir) => {
    const entry = `${dir}/entry.ts`, out = `${dir}/out.js`;
    await Deno.writeTextFile(entry, source.replaceAll('"~/', `"${ROOT.href}`));
    const args = ["bundle", "--quiet", "--format", "iife", "--platform", "browser"];
    const ran = await deno([...args, "--config", "deno.json", "--output", out, entry]);
    if (!ran.ok) throw new Error(`deno bundle: ${ran.stderr}`);
    return await Deno.readTextFile(out);
  });
}
