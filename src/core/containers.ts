/** Containers: what is asked for, what comes back, and what those who run them must be able to do. */
import { z } from "zod";
import type { AgentId } from "./id.ts";

/** `ephemeral`: commands in order, then it is gone. `interactive`: stays until it is stopped. `build`: as ephemeral, and its artifacts are kept. `custom:<name>` is a provider's own. */
export const CONTAINER_KINDS = ["ephemeral", "interactive", "build"] as const;
export type ContainerKind = typeof CONTAINER_KINDS[number] | `custom:${string}`;

export const MAX_SESSION_SECS = 24 * 3_600;
export const MAX_COMMANDS = 64;
export const MAX_COMMAND_BYTES = 64 * 1024;
export const MAX_STDIN_BYTES = 1024 * 1024;
/** Of a request with all its files. */
export const MAX_REQUEST_FILES = 64;

const kind = z.union(
  [
    z.enum(CONTAINER_KINDS),
    z.templateLiteral(["custom:", z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/)]),
  ],
  `it is one of ${CONTAINER_KINDS.join(", ")}`,
);

/** As people write it, and as it can be told to an operator who is to fetch it: no word of a shell, no option. A digest is none of the names that policies know. */
const image = z.string().max(256).regex(
  /^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/,
  "an image is called by its name and tag, such as python:3.13-slim",
);

/** Text is run by the image's `sh -c`; a list is run as it is. */
export const command = z.union(
  [
    z.string().min(1).max(MAX_COMMAND_BYTES),
    z.array(z.string().max(MAX_COMMAND_BYTES)).min(1).max(256),
  ],
  "a command is a text, or a list of a program and its arguments",
);
export type Command = z.infer<typeof command>;

/** A value may refer to a secret that is bound to `/containers`: `{{secret:NAME}}`. */
export const environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/),
  z.string().max(32 * 1024),
  {
    error: ({ code }) =>
      code === "invalid_key"
        ? "a name is of letters, digits and _, 128 at the most, and begins with no digit"
        : undefined,
  },
).refine((env) => Object.keys(env).length <= 128, "at most 128 variables");

export const limits = z.strictObject({
  max_time_secs: z.int().positive().max(MAX_SESSION_SECS).default(300),
  max_memory_mb: z.int().min(16).max(1024 * 1024).default(1024),
  max_disk_mb: z.int().min(1).max(1024 * 1024).default(512),
  max_cpu_cores: z.number().min(0.1).max(256).default(1),
  allow_network: z.boolean().default(false),
});
export type ContainerLimits = z.infer<typeof limits>;

/** With its tag: an engine takes one without for `latest`, and so do rules. */
export function fullImage(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}

/** Limits as they are asked for: what is left out is the policy's affair. */
const wantedLimits = z.strictObject({
  max_time_secs: limits.shape.max_time_secs.unwrap().exactOptional(),
  max_memory_mb: limits.shape.max_memory_mb.unwrap().exactOptional(),
  max_disk_mb: limits.shape.max_disk_mb.unwrap().exactOptional(),
  max_cpu_cores: limits.shape.max_cpu_cores.unwrap().exactOptional(),
  allow_network: limits.shape.allow_network.unwrap().exactOptional(),
});

export const repository = z.strictObject({
  /** https only; never with a credential in it. */
  url: z.string().min(1).max(2048),
  git_ref: z.string().min(1).max(256).default("HEAD"),
  /** Below the repository; only this directory is put into the session. */
  subdir: z.string().min(1).max(1024).exactOptional(),
  /** A secret's name, and the user with whom it goes. */
  auth: z.strictObject({
    username: z.string().min(1).max(256).default("x-access-token"),
    secret: z.string().min(1).max(64),
  }).exactOptional(),
});
export type Repository = z.infer<typeof repository>;

/** The rules of git for names, so that a name is neither an option nor a rule of its own about what goes where. */
export function isGitRef(name: string): boolean {
  // deno-lint-ignore no-control-regex -- they are what is refused
  const isOdd = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-+/.]|[/.]$|\.lock$/.test(name);
  return name !== "" && !isOdd;
}

/** A file's content: text, or bytes in base64. */
export const content = z.union(
  [z.string(), z.strictObject({ base64: z.base64() })],
  "a file is a text, or { base64 }",
);

/** What is written to `/containers/new`. */
export const containerRequest = z.strictObject({
  kind: kind.default("ephemeral"),
  /** Absent: the provider's default. */
  image: image.exactOptional(),
  /** Absent: chosen by the policy. */
  provider: z.string().min(1).max(64).exactOptional(),
  repo: repository.exactOptional(),
  commands: z.array(command).max(MAX_COMMANDS).default([]),
  /** Below the session's work directory. */
  workdir: z.string().min(1).max(1024).exactOptional(),
  env: environment.default({}),
  limits: wantedLimits.default({}),
  max_cost_micro_usd: z.int().nonnegative().exactOptional(),
  idempotency_key: z.string().min(1).max(256).exactOptional(),
  /** Of the whole session, from its begin; beside `limits.max_time_secs`. */
  timeout_ms: z.int().positive().max(MAX_SESSION_SECS * 1000).exactOptional(),
  notify: z.boolean().default(true),
  /** Path below the work directory → content; there before the first command. */
  files: z.record(z.string().min(1).max(1024), content)
    .refine(
      (files) => Object.keys(files).length <= MAX_REQUEST_FILES,
      `at most ${MAX_REQUEST_FILES} files`,
    )
    .default({}),
  /** Patterns of paths below the work directory, with `*`, `?` and `**`. */
  artifacts: z.array(z.string().min(1).max(256)).max(64).default([]),
});
export type ContainerRequest = z.infer<typeof containerRequest>;

/** What is written to `exec/new`, where it is no plain text. */
export const execRequest = z.strictObject({
  command,
  env: environment.default({}),
  workdir: z.string().min(1).max(1024).exactOptional(),
  stdin: z.string().max(MAX_STDIN_BYTES).exactOptional(),
  timeout_ms: z.int().positive().max(MAX_SESSION_SECS * 1000).exactOptional(),
  idempotency_key: z.string().min(1).max(256).exactOptional(),
  notify: z.boolean().default(true),
});
export type ExecRequest = z.infer<typeof execRequest>;

export interface CommandResult {
  readonly command: Command;
  readonly exit_code: number;
  /** The first and the last of it where it is too long; said in the text where something is left out. */
  readonly stdout: string;
  readonly stderr: string;
  readonly duration_ms: number;
}

export interface Artifact {
  /** Below the work directory; read it at `files/<path>`. */
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: string;
}

/** What a session has used, as its engine counts it; 0 where it does not. */
export interface ContainerUsage {
  readonly cpu_time_ms: number;
  readonly peak_memory_bytes: number;
  readonly disk_writes_bytes: number;
  readonly network_bytes: number;
}

/** What a session came to. */
export interface ContainerResponse {
  readonly session_id: string;
  /** Of the last command that ran. */
  readonly exit_code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly command_results: readonly CommandResult[];
  readonly artifacts: readonly Artifact[];
  readonly usage: ContainerUsage;
  readonly cost_micro_usd: number;
  readonly reserved_micro_usd: number;
  readonly duration_ms: number;
  readonly provider_id: string;
}

export type OutputStream = "stdout" | "stderr";

/** What a running session costs. All 0: free. */
export interface ContainerPrice {
  readonly micro_usd_per_session: number;
  readonly micro_usd_per_second: number;
}

export interface ContainerProviderInfo {
  readonly id: string;
  readonly type: "local" | "cloud";
  readonly about: string;
  readonly price: ContainerPrice;
  /** Images that an empty `allowed_images` allows. */
  readonly default_images: readonly string[];
  /** What the engine calls itself, where it was asked. */
  readonly engine?: string;
  /** The image in which it fetches repositories, where it needs one of its own for that. */
  readonly git_image?: string;
}

export interface ContainerHealth {
  readonly status: "up" | "down" | "unknown";
  /** ISO 8601 of the last look; null before the first. */
  readonly checked_at: string | null;
  /** Why it is down, and what to do. */
  readonly error?: string;
}

/** An image that is there. */
export interface ImageInfo {
  /** `python:3.13-slim` */
  readonly name: string;
  /** The engine's digest of it. */
  readonly id: string;
  readonly size_bytes: number;
  /** ISO 8601. */
  readonly created_at: string | null;
}

/** A session as its provider makes it: checked, priced, allowed. */
export interface SessionSpec {
  readonly session_id: string;
  readonly agent: AgentId;
  readonly image: string;
  readonly limits: ContainerLimits;
  readonly allow_root: boolean;
  /** At a graceful end of the runtime it is ended too; an interactive one goes on. */
  readonly ends_with_runtime: boolean;
  /** Milliseconds since the Unix epoch; it ends by itself some time after this, whatever becomes of the runtime. */
  readonly expires_at: number;
}

/** A repository to be put into a session's work directory, with the credential that its own container gets. */
export interface CloneSpec {
  readonly url: string;
  readonly git_ref: string;
  readonly subdir?: string;
  readonly credential?: { readonly username: string; readonly password: string };
}

/** One command in a session. */
export interface ExecSpec {
  /** Unique in the session: 1 to 64 of a–z, 0–9 and "-". */
  readonly exec_id: string;
  readonly command: Command;
  readonly env: Readonly<Record<string, string>>;
  /** Below the work directory; "" is itself. */
  readonly workdir: string;
  readonly stdin?: Uint8Array;
}

/** How much of each stream has been taken in for good: the provider's own count, given back to it as it came. */
export interface OutputPosition {
  readonly stdout: number;
  readonly stderr: number;
}

export interface ExecOutput {
  readonly stream: OutputStream;
  readonly bytes: Uint8Array;
  /** What stands once this is taken in. */
  readonly position: OutputPosition;
}

export interface ExecEnd {
  /** As shells tell it: 128 and the signal's number for one that a signal ended. */
  readonly exit_code: number;
  /** The kernel killed something of the session for want of memory while this ran. */
  readonly out_of_memory: boolean;
}

export interface ContainerFileInfo {
  readonly name: string;
  readonly dir: boolean;
  readonly size: number;
  /** Milliseconds since the Unix epoch. */
  readonly modified: number;
}

/**
 * Files below a session's work directory. Paths are relative, of plain segments (no empty one, no `.` or `..`), and otherwise any text without NUL. A link that leads out of
 * the work directory is refused with `permission_denied`. All reject with `not_found`, `is_directory`, `not_directory`, `quota_exceeded` (the disk limit),
 * `not_ready` (the session has ended), `provider_unavailable`.
 */
export interface ContainerFiles {
  stat(path: string): Promise<ContainerFileInfo | undefined>;
  /** In byte order of their names. */
  list(path: string): Promise<ContainerFileInfo[]>;
  /** From `offset` on, at most `length` bytes; as they come, and no faster than they are taken. */
  read(
    path: string,
    range: { readonly offset: number; readonly length: number },
  ): AsyncIterable<Uint8Array>;
  /** Replaces the file, or with `offset` writes into it from there on (what was beyond the end is zeros). Directories on the way are made. */
  write(
    path: string,
    data: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { readonly offset?: number },
  ): Promise<void>;
  /** A directory with all that is in it. */
  remove(path: string): Promise<void>;
  /** Paths of files (no directories, no links) below the work directory, in byte order; at most `limit`. */
  walk(limit: number): Promise<{ readonly path: string; readonly size: number }[]>;
}

/** `absent`: there is no such container, or it has ended. */
export type SessionState = "running" | "absent";

/**
 * One vendor of containers. `info`, `health` and `images` answer from memory at once. Sessions are known by their id; whoever holds one (`hold`) keeps it from being
 * swept away. Rejections: `provider_unavailable` (no engine, or it went away; `extra.asked: false` where nothing has begun), `not_found` (no such image or session),
 * `interrupted` (the session ended under it), `invalid_request`, `out_of_memory`, `quota_exceeded`.
 */
export interface ContainerProvider {
  readonly id: string;
  info(): ContainerProviderInfo;
  health(): ContainerHealth;
  images(): readonly ImageInfo[];
  /** From now until `release`, what `sweep` must not remove. At once, so that no sweep comes between. */
  hold(session: string): void;
  release(session: string): void;
  /** Makes and starts the session's container; one that is there from an earlier life is taken up. */
  start(spec: SessionSpec, signal: AbortSignal): Promise<void>;
  state(session: string): Promise<SessionState>;
  /** Fetches a repository in a container of its own, and puts its files into the work directory. */
  clone(session: SessionSpec, repo: CloneSpec, signal: AbortSignal): Promise<void>;
  /**
   * Runs a command to its end, or attaches again to the one that runs under this id. `take` is awaited before more is read: the program
   * waits for whoever takes its output. Aborting the signal lets go of it and does not end it.
   */
  exec(
    session: string,
    exec: ExecSpec,
    options: {
      /** What earlier lives took in; undefined: it has not begun. */
      readonly from: OutputPosition | undefined;
      readonly take: (output: ExecOutput) => Promise<void>;
      readonly signal: AbortSignal;
    },
  ): Promise<ExecEnd>;
  /** To the command and all that came of it: `TERM`, `INT`, `KILL` … No error for one that has ended. */
  signal(session: string, execId: string, name: string): Promise<void>;
  files(session: string): ContainerFiles;
  usage(session: string): Promise<ContainerUsage>;
  /** Ends the session and removes its container. No error for one that is gone. */
  stop(session: string): Promise<void>;
  /** Removes containers of this home that nobody holds; answers how many. */
  sweep(): Promise<number>;
  /** Fetches an image, telling each line of the engine. An operator's affair. */
  pull(image: string, tell: (line: string) => void, signal: AbortSignal): Promise<void>;
  /** Looks again now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** The providers of a runtime. */
export interface ContainerProviders {
  list(): readonly ContainerProvider[];
  get(id: string): ContainerProvider | undefined;
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** Names of signals that may be sent to a command. */
export const SIGNALS = [
  "HUP",
  "INT",
  "QUIT",
  "KILL",
  "USR1",
  "USR2",
  "TERM",
  "CONT",
  "STOP",
] as const;
