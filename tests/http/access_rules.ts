/**
 * Who may do what, written from what the control plane promises and not from its code. What stands in no rule here is allowed to nobody, and a route or
 * a file that no rule knows is a fault of whoever added it.
 */

/** What a caller must be allowed, each word a kind of trust. */
export type Right =
  /** No question is asked. */
  | "anyone"
  /** See the list of agents, as far as they are the caller's. */
  | "list"
  /** Read an agent. */
  | "look"
  /** Send it messages. */
  | "talk"
  /** Drive it, and write its ordinary files. */
  | "use"
  /** What is the operator's of one agent: its key, code, mounts, policies and memory. */
  | "own"
  /** See how the server is. */
  | "server"
  /** Make a built-in agent. */
  | "make"
  /** All that concerns others than one agent, or moves it: nobody but the operator. */
  | "operator";

const EVERYBODY: readonly Right[] = ["anyone"];
const LOCAL: readonly Right[] = [...EVERYBODY, "list", "look", "talk", "use", "server", "make"];
const OPERATOR: readonly Right[] = [...LOCAL, "own", "operator"];
const TOKENS = {
  read: ["look"],
  send: ["look", "talk"],
  operate: ["look", "talk", "use", "own"],
} as const satisfies Record<string, readonly Right[]>;

export type Can = keyof typeof TOKENS;

/** A kind of caller, as the rules know them. `agents`: this agent, another one, or all. */
export type Standing =
  | "operator"
  | "local"
  | "stranger"
  | { readonly can: Can; readonly agents: "this" | "other" | "all" };

export function rightsOf(standing: Standing): ReadonlySet<Right> {
  if (standing === "operator") return new Set(OPERATOR);
  if (standing === "local") return new Set(LOCAL);
  if (standing === "stranger") return new Set(EVERYBODY);
  const { can, agents } = standing;
  return new Set<Right>([
    ...EVERYBODY,
    "list",
    ...(agents === "other" ? [] : TOKENS[can]),
    ...(agents === "all" ? ["server"] as const : []),
  ]);
}

/** A request that must be answered by what it asks of its caller. */
export interface RouteRule {
  readonly right: Right;
  readonly body?: string;
  /** Statuses besides 2xx that a good caller may get, where the world of the test has no better answer. */
  readonly also?: readonly number[];
}

const json = (value: unknown) => JSON.stringify(value);

/** By method and route. `{new}` is an id that no agent has. */
export const ROUTES: Readonly<Record<string, RouteRule>> = {
  "GET /healthz": { right: "anyone" },
  "GET /metrics": { right: "server" },
  "GET /runtime/status": { right: "server" },
  "POST /runtime/pause": { right: "operator" },
  "POST /runtime/resume": { right: "operator" },
  "GET /runtime/tokens": { right: "operator" },
  "POST /runtime/tokens": { right: "operator", body: json({ agents: "*", can: "read" }) },
  "DELETE /runtime/tokens/{id}": { right: "operator" },
  "POST /runtime/export/{id}": { right: "operator" },
  "POST /runtime/import": { right: "operator", body: "{import}" },
  "POST /runtime/backup": { right: "operator" },
  "GET /hooks": { right: "operator" },
  "PUT /hooks/{name}": {
    right: "operator",
    body: json({ scheme: "github", agent: "bob", secret: "a secret of enough letters" }),
  },
  "DELETE /hooks/{name}": { right: "operator" },
  // By its signature and not by who brings it; here there is none.
  "POST /hooks/{name}": { right: "anyone", also: [401] },
  "GET /secrets": { right: "operator" },
  "PUT /secrets/{name}": {
    right: "operator",
    body: json({ value: "a value of enough letters", hosts: ["api.example.com"] }),
  },
  "DELETE /secrets/{name}": { right: "operator" },
  "GET /images": { right: "operator" },
  // There are no containers here.
  "POST /images/pull": { right: "operator", also: [501], body: json({ image: "busybox:1" }) },
  "GET /v1/models": { right: "list" },
  // Who may not know of the agent is told the same as of one that is not there.
  "GET /v1/models/{model}": { right: "list", also: [404] },
  // It is paused, so that it answers nobody.
  "POST /v1/chat/completions": {
    right: "talk",
    also: [409],
    body: json({ model: "agent:bob", messages: [{ role: "user", content: "hello" }] }),
  },
  "POST /v1/completions": {
    right: "talk",
    also: [409],
    body: json({ model: "agent:bob", prompt: "hello" }),
  },
  // A model is paid for, by an agent that its caller may ask; this one is no model.
  "POST /v1/embeddings": {
    right: "talk",
    also: [400],
    body: json({ model: "agent:bob", input: "hello" }),
  },
  "GET /agents": { right: "list" },
  "POST /agents": { right: "make", body: json({ id: "{new}", agent: "echo" }) },
  "GET /agents/{id}": { right: "look" },
  "PATCH /agents/{id}": { right: "operator", body: json({ name: "named" }) },
  "DELETE /agents/{id}": { right: "operator" },
  "POST /agents/{id}/send": { right: "talk", body: "hello" },
  "GET /agents/{id}/stream": { right: "look" },
  // It is paused, so that what waits for it stays where it is.
  "POST /agents/{id}/tick": { right: "use", also: [409] },
  "POST /agents/{id}/hibernate": { right: "use" },
  "POST /agents/{id}/wake": { right: "use" },
  "POST /agents/{id}/pause": { right: "use" },
  "POST /agents/{id}/resume": { right: "use" },
};

/** What the program is, and nothing of what is done with it: pages and the document of the API. The same for everybody. */
export function isPage(at: string): boolean {
  return at === "/" || at === "/docs" || at === "/openapi.json" || at.startsWith("/dashboard/");
}

/** Requests on the same routes that ask for more by what they carry. */
export const ASKING_MORE: Readonly<Record<string, RouteRule & { readonly at: string }>> = {
  "create with code": {
    at: "POST /agents",
    right: "operator",
    body: json({ id: "{new}", agent: { code: "{module}" } }),
  },
  "create with limits": {
    at: "POST /agents",
    right: "operator",
    body: json({ id: "{new}", agent: "echo", limits: { max_tick_ms: 1_000 } }),
  },
  "create with mounts": {
    at: "POST /agents",
    right: "operator",
    body: json({ id: "{new}", agent: "echo", mounts: { "/kv": "read_only" } }),
  },
  "create with budgets": {
    at: "POST /agents",
    right: "operator",
    body: json({ id: "{new}", agent: "echo", budgets: { "/": { per_day_micro_usd: 1 } } }),
  },
  // Each preset is at most what an agent gets anyway.
  "create with less autonomy": {
    at: "POST /agents",
    right: "make",
    body: json({ id: "{new}", agent: "echo", autonomy: "supervised" }),
  },
  // To operate an agent is not to open the host to it.
  "mount a directory of the host": {
    at: "PUT /agents/{id}/mounts",
    right: "operator",
    body: json([{ path: "/again", type: "dir", host_path: "/host/repo", access: "read_only" }]),
  },
  "go further in a directory of the host": {
    at: "PUT /agents/{id}/mounts",
    right: "operator",
    body: json([{ path: "/docs", type: "dir", host_path: "/host/docs", access: "read_write" }]),
  },
  "leave a directory of the host": {
    at: "PUT /agents/{id}/mounts",
    right: "own",
    body: json([{ path: "/repo", type: "dir", host_path: "/host/repo", access: "read_only" }]),
  },
  "pause by the file": { at: "POST /agents/{id}/ctl", right: "use", body: "pause" },
};

/** What may be done to a file, and what for; what is not named, nobody can do. */
export interface FileRule {
  readonly dir?: boolean;
  readonly read?: Right;
  readonly write?: Right;
  readonly append?: Right;
  readonly call?: Right;
  readonly remove?: Right;
  readonly watch?: Right;
  /** What a good request carries. */
  readonly body?: string;
  readonly also?: readonly number[];
}

const SEEN: FileRule = { read: "look" };
const WATCHED: FileRule = { read: "look", watch: "look" };
const DIR: FileRule = { dir: true };
const WATCHED_DIR: FileRule = { dir: true, watch: "look" };

/** `*` is a name, `**` any number of them. The first that fits counts. */
export const FILES: readonly (readonly [string, FileRule])[] = [
  ["/", DIR],
  ["/approvals", WATCHED_DIR],
  ["/approvals/open", SEEN],
  ["/approvals/*", { ...WATCHED, write: "own", body: "deny", also: [409] }],
  ["/budget", DIR],
  ["/budget/ledger", WATCHED],
  ["/budget/policy", { ...WATCHED, write: "own", body: json({ "/": { per_day_micro_usd: 1 } }) }],
  // Nothing of that id waits to be resolved.
  ["/budget/unknown", {
    read: "look",
    write: "own",
    also: [404],
    body: json({ id: "none", outcome: "not_done" }),
  }],
  ["/budget/usage", WATCHED],
  ["/code", { ...WATCHED, write: "own", call: "own", body: "{module}" }],
  ["/compute", DIR],
  ["/compute/jobs", DIR],
  // There is no such model; that it was looked for is what counts.
  ["/compute/new", {
    call: "talk",
    also: [404],
    body: json({
      model: "none",
      kind: "chat",
      input: { messages: [{ role: "user", content: "?" }] },
    }),
  }],
  ["/compute/policy", { ...WATCHED, write: "own", body: json({ prefer: "cost" }) }],
  ["/compute/providers", DIR],
  ["/compute/usage", SEEN],
  ["/containers", DIR],
  // There is nobody who runs containers; that one was looked for is what counts.
  ["/containers/new", { call: "own", body: json({ commands: ["true"] }), also: [503] }],
  ["/containers/policy", { ...WATCHED, write: "own", body: json({ prefer: "cost" }) }],
  ["/containers/providers", DIR],
  ["/containers/sessions", DIR],
  ["/containers/usage", SEEN],
  ["/ctl", { read: "look", write: "use", call: "use", body: "wake" }],
  ["/deadletter", WATCHED_DIR],
  ["/deadletter/count", SEEN],
  // There is no such letter; that it was looked for is what counts.
  ["/deadletter/ctl", { ...SEEN, write: "use", call: "use", body: "discard none", also: [404] }],
  ["/deadletter/list", SEEN],
  ["/deadletter/*", SEEN],
  // Directories of the host, one that the agent may only read and one that it may write.
  ["/docs", WATCHED_DIR],
  ["/docs/**", WATCHED],
  ["/repo", WATCHED_DIR],
  ["/repo/**", { ...WATCHED, write: "own", append: "own", remove: "own", body: "text" }],
  ["/files", WATCHED_DIR],
  ["/files/folder", WATCHED_DIR],
  ["/files/**", { ...WATCHED, write: "use", append: "use", remove: "use", body: "text" }],
  ["/goals", WATCHED_DIR],
  ["/goals/*", { ...WATCHED, write: "use", remove: "use", body: json({ description: "rest" }) }],
  ["/http", DIR],
  ["/http/jobs", DIR],
  // No host is allowed, so that it is refused whoever asks; who may not ask is refused before.
  ["/http/new", { call: "own", body: json({ url: "https://example.com" }), also: [403] }],
  ["/http/policy", { ...WATCHED, write: "own", body: json({ per_minute: 5 }) }],
  ["/http/usage", SEEN],
  ["/identity", DIR],
  ["/identity/pubkey", SEEN],
  ["/identity/npub", SEEN],
  ["/identity/sign", { call: "own", body: "anything" }],
  ["/identity/encrypt", { call: "own", body: json({ to: "{pubkey}", text: "secret" }) }],
  ["/identity/decrypt", { call: "own", body: json({ from: "{pubkey}", text: "{secret}" }) }],
  ["/identity/verify", {
    call: "use",
    body: json({ pubkey: "{pubkey}", sig: "0".repeat(128), hash: "0".repeat(64) }),
  }],
  ["/inbox", { ...WATCHED_DIR, write: "talk", append: "talk", call: "talk", body: "hello" }],
  ["/inbox/overflow", { ...SEEN, write: "own", body: json({ dead_letter_max: 900 }) }],
  ["/inbox/*", SEEN],
  ["/kv", WATCHED_DIR],
  ["/kv/*", { ...WATCHED, write: "own", remove: "own", body: "1" }],
  ["/logs", DIR],
  ["/logs/recent", SEEN],
  ["/logs/ticks", SEEN],
  ["/logs/trace", WATCHED],
  ["/logs/trajectory", WATCHED],
  ["/mounts", { ...WATCHED, write: "own", body: "{mounts}" }],
  ["/outbox", WATCHED],
  ["/secrets", DIR],
  ["/state", WATCHED],
  ["/status", WATCHED],
];

export function fileRule(path: string): FileRule | undefined {
  const names = path.split("/").slice(1);
  return FILES.find(([pattern]) => fits(pattern.split("/").slice(1), names))?.[1];
}

function fits(pattern: readonly string[], names: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return names.length === 0;
  if (first === "**") return names.length > 0;
  const [name, ...more] = names;
  return name !== undefined && (first === "*" || first === name) && fits(rest, more);
}

/** A way to ask for a file, and which right it needs; undefined: nobody can. */
export interface Verb {
  readonly name: string;
  readonly method: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly carries?: boolean;
  /** It is over when its first event came. */
  readonly streams?: (path: string) => boolean;
  needs(rule: FileRule, path: string): Right | undefined;
}

const TRACE = "/logs/trace";
const never = () => undefined;
/** What a POST does: the file's call, else an append, else a write. */
const posted = ({ call, append, write }: FileRule) => call ?? append ?? write;

export const VERBS: readonly Verb[] = [
  {
    name: "GET",
    method: "GET",
    streams: (path) => path === TRACE,
    needs: ({ dir, read }) => dir ? "look" : read,
  },
  { name: "HEAD", method: "HEAD", needs: () => "look" },
  { name: "PUT", method: "PUT", carries: true, needs: ({ write }) => write },
  {
    name: "PUT append",
    method: "PUT",
    query: "append=1",
    carries: true,
    needs: ({ append }) => append,
  },
  { name: "POST", method: "POST", carries: true, needs: posted },
  {
    name: "POST call",
    method: "POST",
    query: "mode=call",
    carries: true,
    needs: ({ call }) => call,
  },
  { name: "DELETE", method: "DELETE", needs: ({ remove }) => remove },
  {
    name: "watch",
    method: "GET",
    query: "watch=1",
    streams: () => true,
    needs: ({ watch }) => watch,
  },
  {
    name: "watch by its type",
    method: "GET",
    headers: { accept: "text/event-stream" },
    streams: () => true,
    needs: ({ watch }) => watch,
  },
  { name: "stat", method: "GET", query: "stat=1", needs: () => "look" },
  {
    name: "read only",
    method: "GET",
    query: "mode=read",
    needs: ({ dir, read }) => dir ? undefined : read,
  },
  ...(["write", "append", "call"] as const).map((mode): Verb => ({
    name: `open to ${mode}`,
    method: "GET",
    query: `open=${mode}`,
    needs: (rule) => rule[mode],
  })),
  { name: "PATCH", method: "PATCH", carries: true, needs: never },
  { name: "OPTIONS", method: "OPTIONS", needs: never },
];
