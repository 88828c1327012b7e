/** The tree as the house rules see it: its files, and which file imports which. */
import { ROOT } from "./root.ts";

/** What git ignores is no part of the house. */
const IGNORED = (await Deno.readTextFile(new URL(".gitignore", ROOT)))
  .split("\n").map((line) => line.replaceAll("/", "")).filter((name) => name !== "").concat(".git");

async function* walk(dir: URL): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(dir)) {
    if (IGNORED.includes(entry.name)) continue;
    const url = new URL(encodeURIComponent(entry.name) + (entry.isDirectory ? "/" : ""), dir);
    if (entry.isDirectory) yield* walk(url);
    else yield decodeURIComponent(url.href.slice(ROOT.href.length));
  }
}

/** Every file, by its path from the top, in order. */
export async function files(): Promise<string[]> {
  return (await Array.fromAsync(walk(ROOT))).sort();
}

export function text(file: string): Promise<string> {
  return Deno.readTextFile(new URL(file, ROOT));
}

export interface Ran {
  readonly ok: boolean;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs this Deno in the tree, without colours. */
export async function deno(args: readonly string[], stdin?: string): Promise<Ran> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { success, code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { ok: success, code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Which file imports which: files by their path from the top, packages as `npm:zod`, built-ins as `node:fs`. */
export type Graph = ReadonlyMap<string, readonly string[]>;

interface Dependency {
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
}
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly Dependency[];
  }[];
}

const PACKAGE = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)/;

function nameOf(specifier: string): string {
  if (specifier.startsWith(ROOT.href)) {
    return decodeURIComponent(specifier.slice(ROOT.href.length));
  }
  const found = PACKAGE.exec(specifier);
  return found ? `npm:${found[1]}` : specifier;
}

const BY_URL =
  /(?:new URL\(\s*"([^":]+\.(?:ts|js))",\s*import\.meta\.url|import\.meta\.resolve\("(\.[^":]+)")\s*,?\s*\)/g;

/** Modules that a file starts or reads by their URL (a worker, say): imports in all but the word. */
export function urlsIn(source: string, file: string): string[] {
  return Array.from(
    source.matchAll(BY_URL),
    ([, made, resolved]) => nameOf(new URL(made ?? resolved!, new URL(file, ROOT)).href),
  );
}

/** Every import that the compiler sees, of types and dynamic ones included, and the modules named by URL. */
export async function graph(sources: readonly string[]): Promise<Graph> {
  const dir = await Deno.makeTempDir();
  try {
    const entry = `${dir}/entry.ts`;
    const lines = sources.map((file) => `import ${JSON.stringify(new URL(file, ROOT).href)};`);
    await Deno.writeTextFile(entry, lines.join("\n"));
    const ran = await deno(["info", "--json", "--config", "deno.json", entry]);
    if (!ran.ok) throw new Error(`deno info: ${ran.stderr}`);
    const edges = new Map<string, string[]>();
    for (const { specifier, dependencies } of (JSON.parse(ran.stdout) as Info).modules) {
      const file = nameOf(specifier);
      if (!sources.includes(file)) continue;
      const to = (dependencies ?? []).flatMap(({ code, type }) =>
        [code?.specifier, type?.specifier].filter((s) => s !== undefined).map(nameOf)
      );
      edges.set(file, [...new Set([...to, ...urlsIn(await text(file), file)])]);
    }
    return edges;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
