/** The control plane from the other side: the runtime's verbs, and an agent's files as a `FileService`, over HTTP. */
import type { LifecycleState, TickResult } from "../core/agent.ts";
import type { Backend } from "../core/backend.ts";
import type { EnvelopeInput, Json } from "../core/envelope.ts";
import type { AgentId } from "../core/id.ts";
import type {
  AgentChange,
  AgentDetails,
  AgentInfo,
  CreateRequest,
  RuntimeStatus,
  Waited,
} from "../core/runtime.ts";
import type { SecretInfo } from "../core/secrets.ts";
import type { TokenGrant, TokenRequest } from "../core/tokens.ts";
import type { ImportMode } from "../core/runtime.ts";
import type { ControlWord, Receipt } from "../core/view.ts";
import type { FileService } from "../fs/file.ts";
import { clientFiles } from "./client_files.ts";
import { type ClientImages, clientImages } from "./client_images.ts";
import type { ShownHook } from "./hooks/hook.ts";
import { PASSPHRASE_HEADER } from "./passphrase.ts";
import { type Ask, chunksOf, createWire, type Fetch } from "./wire.ts";

export type { Fetch } from "./wire.ts";

export interface ConnectOptions {
  /** `http://127.0.0.1:8080`; over a unix socket any name, with a `fetch` that knows the way. */
  readonly url: string;
  readonly token?: string;
  /** The platform's own if absent. What it throws of its own making reaches the caller as it is. */
  readonly fetch?: Fetch;
  /** The platform's own if absent. */
  readonly timer?: Backend["timer"];
}

export interface AgentsPage {
  readonly agents: readonly AgentInfo[];
  /** The `after` of the following page; absent on the last one. */
  readonly next?: string;
}

/** Every method rejects with `FileError`; `provider_unavailable` when the server does not answer. */
export interface Client {
  readonly url: string;
  files(id: AgentId): FileService;
  create(request: CreateRequest): Promise<{ readonly info: AgentInfo; readonly created: boolean }>;
  list(page?: {
    readonly state?: LifecycleState;
    readonly after?: string;
    readonly limit?: number;
  }): Promise<AgentsPage>;
  /** All of them, page by page. */
  all(filter?: { readonly state?: LifecycleState }): AsyncIterable<AgentInfo>;
  info(id: AgentId): Promise<AgentDetails>;
  /** Changes what the operator decides; what is left out stays as it is. */
  configure(id: AgentId, change: AgentChange): Promise<AgentDetails>;
  delete(id: AgentId): Promise<void>;
  /** With `waitMs`: the tick and its replies, or the receipt when the time is over. */
  send(
    id: AgentId,
    envelope: EnvelopeInput,
    options?: { readonly waitMs?: number; readonly signal?: AbortSignal },
  ): Promise<Waited | Receipt>;
  /** `tick` answers the result of its first try. */
  control(id: AgentId, word: ControlWord, signal?: AbortSignal): Promise<TickResult | undefined>;
  status(): Promise<RuntimeStatus>;
  pauseAll(): Promise<void>;
  resumeAll(): Promise<void>;
  /** The agent as one file; it is held while its chunks are read. With a passphrase its private key goes along, encrypted. */
  exportAgent(
    id: AgentId,
    options?: { readonly passphrase?: string; readonly signal?: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>>;
  /** An agent from such a file. */
  importAgent(
    file: ReadableStream<Uint8Array>,
    options: {
      readonly mode: ImportMode;
      readonly id?: AgentId;
      readonly passphrase?: string;
      readonly signal?: AbortSignal;
    },
  ): Promise<AgentInfo>;
  /** A copy of the server's database as of one moment; `bytes`, where the server says how many. */
  backup(
    signal?: AbortSignal,
  ): Promise<{ readonly bytes: number | undefined; readonly chunks: AsyncIterable<Uint8Array> }>;
  readonly tokens: {
    /** `token` is told this once. */
    create(request: TokenRequest): Promise<{ readonly grant: TokenGrant; readonly token: string }>;
    list(): Promise<readonly TokenGrant[]>;
    revoke(id: string): Promise<void>;
  };
  readonly hooks: {
    /** Made, or put in the place of the one before; without a secret, the one before stays. */
    put(
      name: string,
      input: { readonly [field: string]: Json },
    ): Promise<{ readonly hook: ShownHook; readonly created: boolean }>;
    list(): Promise<readonly ShownHook[]>;
    remove(name: string): Promise<void>;
  };
  readonly secrets: {
    /** What is left out stays as it was; a new one has a value. */
    set(
      name: string,
      input: {
        readonly value?: string;
        readonly mounts?: readonly string[];
        readonly hosts?: readonly string[];
        readonly agents?: readonly AgentId[];
      },
    ): Promise<{ readonly info: SecretInfo; readonly created: boolean }>;
    list(): Promise<readonly SecretInfo[]>;
    remove(name: string): Promise<void>;
  };
  readonly images: ClientImages;
}

const JSON_TYPE = "application/json";
const TOKENS = "/runtime/tokens";
const HOOKS = "/hooks";
const SECRETS = "/secrets";

export function connect(options: ConnectOptions): Client {
  const url = options.url.replace(/\/+$/, "");
  const wire = createWire({ ...options, url });
  const asked = (ask: Ask) => wire.json(ask);
  const at = (id: AgentId) => `/agents/${encodeURIComponent(id)}`;

  async function list(page: Parameters<Client["list"]>[0] = {}): Promise<AgentsPage> {
    const query = { state: page.state, after: page.after, limit: page.limit };
    return await asked({ op: "list", path: "/agents", query }) as AgentsPage;
  }

  return {
    url: options.url,
    files: (id) => clientFiles(wire, at(id)),
    async create(request) {
      const response = await wire.send({
        op: "create",
        path: "/agents",
        method: "POST",
        body: JSON.stringify(request),
        type: JSON_TYPE,
      });
      const { info } = await response.json() as { info: AgentInfo };
      return { info, created: response.status === 201 };
    },
    list,
    async *all(filter = {}) {
      let after: string | undefined;
      while (true) {
        const page = await list({ ...filter, ...(after === undefined ? {} : { after }) });
        yield* page.agents;
        if (page.next === undefined) return;
        after = page.next;
      }
    },
    info: async (id) => await asked({ op: "look at", path: at(id) }) as AgentDetails,
    async configure(id, change) {
      return await asked({
        op: "configure",
        path: at(id),
        method: "PATCH",
        body: JSON.stringify(change),
        type: JSON_TYPE,
      }) as AgentDetails;
    },
    async delete(id) {
      await wire.send({ op: "delete", path: at(id), method: "DELETE" });
    },
    async send(id, envelope, { waitMs, signal } = {}) {
      return await asked({
        op: "send to",
        path: `${at(id)}/send`,
        method: "POST",
        query: { wait: waitMs === undefined ? undefined : waitMs / 1000 },
        body: JSON.stringify(envelope),
        type: JSON_TYPE,
        signal,
      }) as Waited | Receipt;
    },
    async control(id, word, signal) {
      const response = await wire.send({
        op: word,
        path: `${at(id)}/${word}`,
        method: "POST",
        signal,
      });
      return response.status === 204 ? undefined : await response.json() as TickResult;
    },
    status: async () => await asked({ op: "ask", path: "/runtime/status" }) as RuntimeStatus,
    async pauseAll() {
      await wire.send({ op: "pause", path: "/runtime/pause", method: "POST" });
    },
    async resumeAll() {
      await wire.send({ op: "resume", path: "/runtime/resume", method: "POST" });
    },
    async exportAgent(id, { passphrase, signal } = {}) {
      const path = `/runtime/export/${encodeURIComponent(id)}`;
      const body = JSON.stringify(passphrase === undefined ? {} : { passphrase });
      const ask = { op: "export", path, method: "POST", body, type: JSON_TYPE, signal };
      return chunksOf(await wire.send(ask), path);
    },
    async importAgent(file, { mode, id, passphrase, signal }) {
      const { info } = await asked({
        op: "import",
        path: "/runtime/import",
        method: "POST",
        query: { mode, id },
        headers: passphrase === undefined
          ? {}
          : { [PASSPHRASE_HEADER]: encodeURIComponent(passphrase) },
        body: file,
        signal,
      }) as { info: AgentInfo };
      return info;
    },
    async backup(signal) {
      const path = "/runtime/backup";
      const response = await wire.send({ op: "back up", path, method: "POST", signal });
      const length = response.headers.get("content-length");
      return {
        bytes: length === null ? undefined : Number(length),
        chunks: chunksOf(response, path),
      };
    },
    tokens: {
      async create({ expiresAt, ...request }) {
        const body = { ...request, ...(expiresAt === undefined ? {} : { expires_at: expiresAt }) };
        return await asked({
          op: "create",
          path: TOKENS,
          method: "POST",
          body: JSON.stringify(body),
          type: JSON_TYPE,
        }) as { grant: TokenGrant; token: string };
      },
      async list() {
        const { tokens } = await asked({ op: "list", path: TOKENS }) as { tokens: TokenGrant[] };
        return tokens;
      },
      async revoke(id) {
        const path = `${TOKENS}/${encodeURIComponent(id)}`;
        await wire.send({ op: "revoke", path, method: "DELETE" });
      },
    },
    hooks: {
      async put(name, input) {
        const response = await wire.send({
          op: "put hook",
          path: `${HOOKS}/${encodeURIComponent(name)}`,
          named: name,
          method: "PUT",
          body: JSON.stringify(input),
          type: JSON_TYPE,
        });
        return { hook: await response.json() as ShownHook, created: response.status === 201 };
      },
      async list() {
        const { hooks } = await asked({ op: "list", path: HOOKS }) as { hooks: ShownHook[] };
        return hooks;
      },
      async remove(name) {
        const path = `${HOOKS}/${encodeURIComponent(name)}`;
        await wire.send({ op: "remove hook", path, named: name, method: "DELETE" });
      },
    },
    secrets: {
      async set(name, input) {
        const response = await wire.send({
          op: "set secret",
          path: `${SECRETS}/${encodeURIComponent(name)}`,
          named: name,
          method: "PUT",
          body: JSON.stringify(input),
          type: JSON_TYPE,
        });
        return { info: await response.json() as SecretInfo, created: response.status === 201 };
      },
      async list() {
        const { secrets } = await asked({ op: "list", path: SECRETS }) as {
          secrets: SecretInfo[];
        };
        return secrets;
      },
      async remove(name) {
        const path = `${SECRETS}/${encodeURIComponent(name)}`;
        await wire.send({ op: "remove secret", path, named: name, method: "DELETE" });
      },
    },
    images: clientImages(wire),
  };
}
