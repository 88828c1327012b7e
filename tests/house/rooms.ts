/** The table of the rooms: what each stands on, which packages it may import, and how much of the world it may name. */

/**
 * `none`: the language and what `world.ts` declares. `web`: what every web platform has, but neither Deno nor Node.
 * `deno`: everything.
 */
export type World = "none" | "web" | "deno";

export interface Room {
  /** Rooms and files that it may import besides its own. */
  readonly on: readonly string[];
  /** Outside packages that it may import. */
  readonly packages: readonly string[];
  readonly world: World;
}

const CORE = ["zod", "croner", "rfc6902", "@noble/hashes"];
const SIBLINGS = [
  "src/services",
  "src/providers",
  "src/drivers",
  "src/hosts",
  "src/agents",
  "src/http",
  "src/backends",
];
const BELOW_WIRING = ["src/fs", "src/core", ...SIBLINGS];

/** From the ground up. A file belongs to the longest row that it begins with. */
export const ROOMS: Readonly<Record<string, Room>> = {
  "src/fs": { on: [], packages: [], world: "none" },
  "src/core": { on: ["src/fs"], packages: CORE, world: "none" },
  "src/services": { on: ["src/fs", "src/core"], packages: CORE, world: "none" },
  "src/providers": { on: ["src/fs", "src/core"], packages: ["zod", "@noble/hashes"], world: "web" },
  "src/drivers": { on: ["src/fs", "src/core"], packages: ["nostr-tools"], world: "web" },
  "src/hosts": { on: ["src/fs", "src/core"], packages: ["@noble/hashes"], world: "web" },
  "src/agents": { on: ["src/fs", "src/core"], packages: ["zod"], world: "none" },
  "src/http": { on: ["src/fs", "src/core"], packages: ["hono", "zod"], world: "web" },
  "src/backends": { on: ["src/fs", "src/core"], packages: [], world: "none" },
  "src/agentd.ts": { on: BELOW_WIRING, packages: [], world: "web" },
  "src/cli": {
    on: [...BELOW_WIRING, "src/agentd.ts", "deno.json"],
    packages: [
      "commander",
      "esbuild-wasm",
      "yaml",
      "resolve.exports",
      "@jridgewell/sourcemap-codec",
      "@opentelemetry/api",
      "zod",
    ],
    world: "deno",
  },
  "main.ts": {
    on: ["src/agentd.ts", "src/cli", "src/hosts/process_child.ts"],
    packages: [],
    world: "deno",
  },
  "conformance": { on: ["src/fs", "src/core", "src/agentd.ts"], packages: [], world: "none" },
};

/** What a place inside a room may do beyond the room's row. Each has its reason. */
export const ALLOWANCES: Readonly<Record<string, Partial<Room> & { readonly why: string }>> = {
  "src/backends/local": { world: "deno", why: "this machine's disk and clock" },
  "src/backends/cloudflare": { world: "web", why: "runs in a Worker" },
  "src/backends/browser": { world: "web", why: "runs in a page" },
  "src/hosts/process.ts": { world: "deno", why: "starts subprocesses" },
  "src/hosts/source_map.ts": {
    packages: ["@jridgewell/sourcemap-codec"],
    why: "reads where an agent's lines come from",
  },
  "src/hosts/process_child.ts": { world: "deno", why: "is a process of its own" },
  "src/hosts/process": { world: "deno", why: "the two ends of the pipe between them" },
  "src/providers/directory": { world: "deno", why: "directories of this machine" },
  "src/providers/containers": { world: "deno", why: "talks to the engine here" },
  "src/providers/compute": { packages: ["openai"], why: "asks model servers in their protocol" },
  "src/providers/signer": {
    packages: ["nostr-tools", "@noble/curves"],
    why: "keys, NIP-44, NIP-19, and BIP-340 over what is no event",
  },
  "src/providers/signer/keyfile.ts": { world: "deno", why: "keys in a file of this machine" },
  "src/providers/secrets/file.ts": { world: "deno", why: "secrets in a file of this machine" },
  "src/providers/private_file.ts": { world: "deno", why: "reads and writes those two files" },
  "src/providers/http": { world: "deno", packages: ["ipaddr.js"], why: "connections of its own" },
  "conformance/memory.ts": {
    on: ["src/backends", "src/providers/signer/memory.ts"],
    world: "web",
    why: "makes the subjects, the inline host's among them",
  },
  "conformance/memory_test.ts": { world: "deno", why: "declares Deno's tests" },
};

/** What only these places import; a name that ends in `/` covers what is below it. Tests may import everything but `node:assert`. */
export const SOLE_IMPORTERS: Readonly<Record<string, readonly string[]>> = {
  "commander": ["src/cli/args.ts"],
  "esbuild-wasm": ["src/cli/bundle.ts", ".ci/bundle.ts"],
  "resolve.exports": ["src/cli/packages.ts", ".ci/modules.ts"],
  "yaml": ["src/cli/fleet.ts"],
  "nostr-tools": ["src/providers/signer", "src/drivers"],
  "openai": ["src/providers/compute"],
  "node:sqlite": ["src/backends/local/sqlite.ts"],
  "@opentelemetry/api": ["src/cli/opentelemetry.ts"],
  "@ai-sdk/openai-compatible": [],
  "ai": [],
  "@fugood/node-llama-linux-x64": [],
  "@seriousme/openapi-schema-validator": [],
  "fast-check": [],
  "playwright-core": [],
  "@cloudflare/workerd-linux-64": [],
  // What `init` writes is the user's, who has no tests/assert.ts.
  "node:assert": ["tests/assert.ts", "src/cli/template"],
};

/** Is `file` the place itself, or below it? */
export function within(file: string, place: string): boolean {
  return file === place || file.startsWith(place + "/");
}

function longest(file: string, places: readonly string[]): string | undefined {
  return places.filter((place) => within(file, place)).sort((a, b) => b.length - a.length)[0];
}

/** The row of `ROOMS` that a file belongs to; undefined for tests and for what is no part of the house. */
export function roomOf(file: string): string | undefined {
  return longest(file, Object.keys(ROOMS));
}

/** What a file may do: its room's row and its own allowance. */
export function rightsOf(file: string): Room | undefined {
  const name = roomOf(file);
  if (name === undefined) return undefined;
  const room = ROOMS[name]!;
  const place = longest(file, Object.keys(ALLOWANCES));
  const more = place === undefined ? undefined : ALLOWANCES[place]!;
  return {
    on: [...room.on, ...(more?.on ?? [])],
    packages: [...room.packages, ...(more?.packages ?? [])],
    world: more?.world ?? room.world,
  };
}
