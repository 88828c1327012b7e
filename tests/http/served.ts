/** The application at the other end of a function, and of a real socket, for tests. */
import { manualClock } from "../../src/backends/manual_clock.ts";
import type { AgentId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { FileService } from "../../src/fs/file.ts";
import { type App, type AppOptions, createApp, type Peer } from "../../src/http/app.ts";
import { connect, type Fetch } from "../../src/http/client.ts";
import { digest } from "../../src/core/code.ts";

export const TOKEN = "right-token";
export const LOCAL: Peer = { local: true, transport: "tcp", address: "127.0.0.1" };
export const AGENT = "abc" as AgentId;

/** A runtime with one agent, whose files these are: for what does not depend on any other part of a runtime. */
export function runtimeOf(files: FileService): Runtime {
  const none = () => Promise.reject(new Error("it has nothing but files"));
  return {
    create: none,
    list: none,
    info: none,
    configure: none,
    delete: none,
    wait: none,
    deliver: none,
    status: none,
    pauseAll: none,
    resumeAll: none,
    exportAgent: none,
    importAgent: none,
    stop: none,
    builtins: [],
    tokens: { create: none, list: () => [], revoke: none, find: () => undefined },
    files: () => Promise.resolve(files),
  };
}

export function appOf(files: FileService, options: Partial<AppOptions> = {}): App {
  return createApp({
    runtime: runtimeOf(files),
    auth: { tokenDigest: digest(TOKEN) },
    clock: manualClock(),
    ...options,
  });
}

/** The application as `fetch`: as over a wire, a body ends when the signal aborts. */
export function fetchOf(app: App, peer: Peer = LOCAL): Fetch {
  return async (url, init) => {
    const response = await app(new Request(url, init), peer);
    const signal = init?.signal;
    signal?.throwIfAborted();
    if (!response.body || !signal) return response;
    const cut = new TransformStream<Uint8Array, Uint8Array>();
    response.body.pipeTo(cut.writable, { signal }).catch(() => {});
    return new Response(cut.readable, response);
  };
}

/** An agent's files through the client and the application, within this process. */
export function throughApp(files: FileService): FileService {
  return connect({ url: "http://localhost", token: TOKEN, fetch: fetchOf(appOf(files)) })
    .files(AGENT);
}

export interface Server {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The application behind a real socket on this machine. */
export function serve(app: App, peer: Peer = LOCAL): Server {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => app(request, peer),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    close: () => server.shutdown(),
  };
}
