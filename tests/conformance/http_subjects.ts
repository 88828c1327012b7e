/** Those who must keep the laws of HTTP: the application in this process, behind a real socket, and any running server; and its client, as files. */
import type { Feature, FileSubject } from "../../conformance/files.ts";
import { type HttpFeature, httpLawsFor, type HttpSubject } from "../../conformance/http.ts";
import type { Subject } from "../../conformance/law.ts";
import { type Trial, trials } from "../../conformance/trial.ts";
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { digest } from "../../src/core/code.ts";
import { type App, createApp } from "../../src/http/app.ts";
import { connect } from "../../src/http/client.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import type { FileService } from "../../src/fs/file.ts";
import type { HttpSpoil } from "./broken/http.ts";
import { AGENT, appOf, LOCAL, serve, throughApp, TOKEN } from "../http/served.ts";
import { acting, ACTS, STORE, storing, subject } from "./file_subjects.ts";

/** Laws wait for what happens, and some for a time that must pass. */
export const realTime = {
  now: Date.now,
  timer(delayMs: number, fire: () => void) {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};

/** The application over a runtime on rows in memory. */
export async function runtimeApp(): Promise<{ app: App; close(): Promise<void> }> {
  const backend = memoryBackend(realTime);
  const errors: unknown[] = [];
  const report = (error: unknown) => void errors.push(error);
  const runtime = await createAgentd({ backend, signer: memorySigner(), onError: report });
  const stopping = new AbortController();
  const app = createApp({
    runtime,
    auth: { tokenDigest: digest(TOKEN) },
    clock: realTime,
    stopping: stopping.signal,
    report,
  });
  return {
    app,
    async close() {
      stopping.abort();
      await runtime.stop(1000);
      if (errors.length) throw errors[0];
    },
  };
}

let count = 0;
const newId = () => `${++count}-${crypto.randomUUID().slice(0, 8)}`;

/** The application in this process, seen through `wrap`. */
export function inProcess(name: string, wrap: HttpSpoil = (fetch) => fetch): Subject<HttpSubject> {
  return {
    name,
    async open() {
      const { app, close } = await runtimeApp();
      const fetch = wrap((path, ask) =>
        app(new Request(`http://localhost${path}`, ask as RequestInit), LOCAL)
      );
      return { subject: { fetch, token: TOKEN, newId }, close };
    },
  };
}

const overSocket: Subject<HttpSubject> = {
  name: "http socket",
  async open() {
    const { app, close } = await runtimeApp();
    const server = serve(app);
    const remote = await serverSubject(server.url, TOKEN).open();
    return {
      subject: remote.subject,
      async close() {
        await remote.close();
        await close();
        await server.close();
      },
    };
  },
};

/** A server that is running somewhere. */
export function serverSubject(url: string, token: string | undefined): Subject<HttpSubject> {
  return {
    name: "http server",
    open() {
      // As a law says which name it asks for.
      const client = Deno.createHttpClient({ allowHost: true });
      const fetched: HttpSubject["fetch"] = (path, ask) =>
        fetch(url.replace(/\/+$/, "") + path, { ...ask, client } as RequestInit);
      return Promise.resolve({
        subject: { fetch: fetched, newId, ...(token === undefined ? {} : { token }) },
        close: () => Promise.resolve(client.close()),
      });
    },
  };
}

/** What is tried on a running server. */
export function serverTrials(url: string, token: string | undefined): readonly Trial[] {
  const features: HttpFeature[] = token === undefined ? [] : ["token"];
  return trials(httpLawsFor(features), [serverSubject(url, token)]);
}

export const httpSubjects: readonly [Subject<HttpSubject>, readonly HttpFeature[]][] = [
  [inProcess("http app"), ["token"]],
  [overSocket, ["token"]],
];

/** A client cannot know a file's limit: it is told of it at the close. */
const REMOTE: readonly Feature[] = STORE.filter((feature) => feature !== "limit");

/** The client's files, through the application in this process. */
export const clientSubjects: readonly [Subject<FileSubject>, readonly Feature[]][] = [
  [subject("http client", () => storing(throughApp)), REMOTE],
  [subject("http client of a tree", () => acting(throughApp)), ACTS],
  [remote("http client over a socket", (wrap) => storing(wrap)), REMOTE],
  [remote("http client of a tree over a socket", (wrap) => acting(wrap)), ACTS],
];

function remote(
  name: string,
  make: (wrap: (files: FileService) => FileService) => FileSubject | Promise<FileSubject>,
): Subject<FileSubject> {
  return {
    name,
    async open() {
      let close = () => Promise.resolve();
      const made = await make((files) => {
        const stopping = new AbortController();
        const server = serve(appOf(files, { stopping: stopping.signal }));
        close = () => {
          stopping.abort();
          return server.close();
        };
        return connect({ url: server.url, token: TOKEN }).files(AGENT);
      });
      return { subject: made, close: () => close() };
    },
  };
}
