/** `/containers` broken on purpose, its files or its engine: each with the laws that it breaks, and it breaks no others. */
import type { ContainerFiles, ContainerProvider } from "../../../src/core/containers.ts";
import { FileError, hasCode } from "../../../src/fs/error.ts";
import { callJson } from "../../../src/fs/use.ts";
import { acted } from "../../../conformance/containers.ts";
import { type Broken, forgets, lists, paths, type Spoil } from "./spoil.ts";
import { asked, at, type Loose, refused, showsEverything, told, watched, without } from "./told.ts";

type SpoilEngine = (engine: ContainerProvider) => ContainerProvider;

const NEW = /^\/containers\/new$/;
const EXEC = /\/exec\/new$/;
const POLICY = /^\/containers\/policy$/;
const RESULT = /\/sessions\/[^/]+\/result$/;
const STATUS = /\/status$/;
const OUTPUT = /\/output$/;
const CTL = /\/sessions\/[^/]+\/ctl$/;

const encoder = new TextEncoder();
const lossy = new TextDecoder();

const same = () => (files: Loose) => files;

/** Another field of an answer. */
function says(where: RegExp, change: (value: Loose) => object): () => Spoil {
  return () => told(where, "read", (value) => ({ ...value, ...change(value) }));
}

/** Files of a session, spoilt. */
function filesWith(spoil: (files: ContainerFiles) => Partial<ContainerFiles>): SpoilEngine {
  return (engine) => ({
    ...engine,
    files: (session) => ({ ...engine.files(session), ...spoil(engine.files(session)) }),
  });
}

/** What commands print, spoilt. */
function printing(spoil: (bytes: Uint8Array) => Uint8Array): SpoilEngine {
  return (engine) => ({
    ...engine,
    exec: (session, spec, options) =>
      engine.exec(session, spec, {
        ...options,
        take: (output) => options.take({ ...output, bytes: spoil(output.bytes) }),
      }),
  });
}

const forgetsFailures: SpoilEngine = (engine) => ({
  ...engine,
  exec: async (...args) => ({ ...await engine.exec(...args), exit_code: 0 }),
});

const tellsAgain: SpoilEngine = (engine) => ({
  ...engine,
  async exec(session, spec, options) {
    const { from: position, take } = options;
    if (position) await take({ stream: "stdout", bytes: encoder.encode("again"), position });
    return await engine.exec(session, spec, options);
  },
});

async function orAt<T>(run: () => Promise<T>, outside: T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (hasCode(error, "permission_denied")) return outside;
    throw error;
  }
}

const followsLinks = filesWith((files) => ({
  stat: (path) => orAt(() => files.stat(path), { name: path, dir: false, size: 4, modified: 0 }),
  async *read(path, range) {
    try {
      yield* files.read(path, range);
    } catch (error) {
      if (!hasCode(error, "permission_denied")) throw error;
      yield encoder.encode("root");
    }
  },
}));

/** Its refusals have a code and no word more. */
async function unsaid<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { code, op, path } = error as FileError;
    throw new FileError(code, op, path);
  }
}

/** Of a name that leads up it goes up, as far as there is something. */
function cleaned(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== ".") names.push(name);
  }
  return names.join("/");
}

export const brokenContainers: readonly (
  | readonly [...Broken]
  | readonly [...Broken, SpoilEngine]
)[] = [
  [
    "says that a session runs before it does",
    "X1",
    () => told(NEW, "call", (answer) => ({ ...answer, status: "running" })),
  ],
  [
    "lists no sessions",
    "X1 X2",
    () => lists((found, path) => path === "/containers/sessions" ? [] : found),
  ],
  ["forgets keys", "X2", () => asked(NEW, "call", without("idempotency_key"))],
  ["takes any provider for its own", "X3", () => asked(NEW, "call", without("provider"))],
  [
    "runs something after a refusal",
    "X2 X3 X4",
    () =>
      refused(NEW, "call", async (files) => {
        const commands = [acted([{ say: "x" }])];
        await callJson(files, "/containers/new", { commands, notify: false }).catch(() => {});
      }),
  ],
  [
    "refuses without a reason",
    "X4",
    () => at(NEW, "call", (handle) => ({ read: () => unsaid(() => handle.read()) })),
  ],
  ["allows every image", "X4 X5", () => asked(POLICY, "write", without("allowed_images"))],
  ["blocks nothing", "X5", () => asked(POLICY, "write", without("blocked_images"))],
  [
    "gives a network to whoever may have one",
    "X5",
    says(STATUS, ({ limits }) => ({ limits: { ...limits, allow_network: true } })),
  ],
  ["reserves nothing", "X6", says(STATUS, () => ({ reserved_micro_usd: 0 }))],
  ["counts parts of a micro-USD", "X6", says(STATUS, () => ({ cost_micro_usd: 10.5 }))],
  ["tells another cost in its result", "X6", says(RESULT, () => ({ cost_micro_usd: 1 }))],
  ["shows everybody's sessions", "X7", showsEverything],
  [
    "tells of every end",
    "X8",
    () => asked(NEW, "call", (request) => ({ ...request, notify: true })),
  ],
  [
    "numbers events from 0",
    "X9 X11 X15 X17",
    () => watched(OUTPUT, (event) => ({ ...event, seq: event.seq - 1 })),
  ],
  [
    "does not tell how a command ends",
    "X9 X11 X13 X15 X17",
    () => watched(OUTPUT, (event) => event.type === "exit" ? undefined : event),
  ],
  [
    "takes errors for output",
    "X9",
    () => watched(OUTPUT, (event) => event.stream ? { ...event, stream: "stdout" } : event),
  ],
  [
    "cuts characters where it cuts output",
    "X10 X17",
    same,
    printing((bytes) => encoder.encode(lossy.decode(bytes))),
  ],
  ["begins every watch anew", "X8 X11", () => forgets("watch", "after")],
  ["does not count what was used", "X12", says(RESULT, () => ({ usage: {} }))],
  [
    "leaves containers behind",
    "X12 X13 X14 X16",
    same,
    (engine) => ({ ...engine, stop: () => Promise.resolve() }),
  ],
  ["goes on behind a command that fails", "X13 X15", same, forgetsFailures],
  [
    "does not say that it was the time",
    "X14",
    says(
      STATUS,
      ({ error }) => error?.code === "timeout" ? { error: { ...error, code: "interrupted" } } : {},
    ),
  ],
  ["gives commands no input", "X15", () => asked(EXEC, "call", without("stdin"))],
  ["gives commands the session's environment", "X15", () => asked(EXEC, "call", without("env"))],
  [
    "takes any word for a stop",
    "X16",
    () => at(CTL, "call", (handle) => ({ write: () => handle.write(encoder.encode("stop")) })),
  ],
  [
    "loses its containers in a restart",
    "X17",
    same,
    (engine) => ({ ...engine, state: () => Promise.resolve("absent") }),
  ],
  ["tells again what it has told", "X17", same, tellsAgain],
  [
    "reads every part from the beginning",
    "X18",
    same,
    filesWith((files) => ({
      read: (path, { length }) => files.read(path, { offset: 0, length }),
    })),
  ],
  [
    "takes every file for text",
    "X18",
    same,
    filesWith((files) => ({
      async *read(path, range) {
        for await (const bytes of files.read(path, range)) {
          yield encoder.encode(lossy.decode(bytes)).subarray(0, bytes.length);
        }
      },
    })),
  ],
  ["follows links", "X19", same, followsLinks],
  ["makes paths fit", "X19", () => paths(cleaned)],
  ["runs commands anywhere", "X19", () => asked(EXEC, "call", without("workdir"))],
  [
    "does not hash what it keeps",
    "X20",
    says(RESULT, ({ artifacts }) => ({
      artifacts: artifacts?.map((one: Loose) => ({ ...one, sha256: "" })),
    })),
  ],
  [
    "keeps every file",
    "X17 X20",
    () =>
      asked(
        NEW,
        "call",
        (request) => request.kind === "build" ? { ...request, artifacts: ["**"] } : request,
      ),
  ],
];
