/** Sessions of a real server on a real engine, by HTTP as any client has them; no container of a test outlives it. */
import { digest } from "../../src/core/code.ts";
import { equal, ok } from "../assert.ts";
import { busyboxImage, docker } from "../docker/engine.ts";
import { inPlace, type Place, type Served } from "./server.ts";

/** Of a data directory's digest, by which the server's containers are known. */
const LABEL_CHARS = 32;

export const AGENT = "abc";

export interface Event {
  readonly seq: number;
  readonly stream?: "stdout" | "stderr";
  readonly data?: string;
  readonly encoding?: "base64";
  readonly exec_id?: string;
  readonly type?: string;
  readonly exit_code?: number;
}

export interface Accepted {
  readonly session_id: string;
  readonly status_path: string;
  readonly output_path: string;
  readonly result_path: string;
}

export interface Exec extends Omit<Accepted, "session_id"> {
  readonly exec_id: string;
}

export interface Status {
  readonly status: string;
  readonly error?: { readonly code: string; readonly detail?: string };
}

/** A folder in which servers are started, one after the other. */
export interface Engineered {
  readonly place: Place;
  readonly image: string;
  /** Starts the server, and waits until it knows its engine, or what is said here. */
  serve(
    how?: { readonly env?: Readonly<Record<string, string>>; readonly is?: string },
  ): Promise<Client>;
}

export interface Client {
  readonly served: Served;
  /** The header's value. */
  readonly authorization: string;
  url(path: string): string;
  /** Whatever the answer is. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  read<T>(path: string): Promise<T>;
  session(request?: object): Promise<Accepted>;
  exec(session: Accepted, request: object | string): Promise<Exec>;
  /** Events behind `last`, as they come; the stream's end ends it. */
  events(path: string, last?: number): AsyncGenerator<Event>;
  /** The text of a stream of a session that has ended, or that ends. */
  text(path: string, stream?: "stdout" | "stderr"): Promise<string>;
  /** Its status, once it is one of these. */
  until(path: string, ...wanted: readonly string[]): Promise<Status>;
  /** Writes to a file; the answer must be a success. */
  put(path: string, body: BodyInit): Promise<void>;
}

/** @param env of docker, for whoever looks from outside; the server is given it where `serve` says so */
export async function engineered(
  test: (made: Engineered) => Promise<void>,
  policy: object = {},
): Promise<void> {
  const image = await busyboxImage();
  let label: string | undefined;
  try {
    await inPlace(async (place) => {
      await Deno.mkdir(`${place.dir}/.agentd`);
      label = digest(Deno.realPathSync(`${place.dir}/.agentd`)).slice(0, LABEL_CHARS);
      const settings = { compute: { discover: false }, containers: { images: [image] } };
      await Deno.writeTextFile(`${place.dir}/.agentd/agentd.json`, JSON.stringify(settings));
      let isFirst = true;
      await test({
        place,
        image,
        async serve({ env = {}, is = "up" } = {}) {
          const path = { PATH: Deno.env.get("PATH") ?? "" };
          const served = await place.serve(undefined, { env: { ...path, ...env } });
          const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
          const client = clientOf(served, token);
          if (isFirst) await client.put("/containers/policy", JSON.stringify(policy));
          isFirst = false;
          for (let status = "unknown"; status !== is;) {
            const health = await client.read<{ status: string }>(
              "/containers/providers/docker/health",
            );
            status = health.status;
            ok(status === is || status === "unknown", JSON.stringify(health));
          }
          return client;
        },
      });
    });
  } finally {
    // A server that was killed leaves what waits for sessions behind.
    const { stdout } = await docker(["ps", "-aq", "--filter", `label=agentd.home=${label}`]);
    const left = stdout.split("\n").filter(Boolean);
    if (left.length > 0) await docker(["rm", "-f", ...left]);
  }
}

/** Whether the engine has a container for it, running or not. */
export async function hasContainer(session: Accepted): Promise<boolean> {
  const { stdout } = await docker([
    "ps",
    "-aq",
    "--filter",
    `name=^/?agentd-${session.session_id}$`,
  ]);
  return stdout.trim() !== "";
}

/** Resolves when the engine has none: where it is slow over it, whoever sweeps removes it. */
export async function isGone(session: Accepted): Promise<void> {
  while (await hasContainer(session));
}

/** What runs in it, seen from the host: the words of each process. */
export async function processesOf(session: Accepted): Promise<string[]> {
  const { stdout } = await docker(["top", `agentd-${session.session_id}`, "-eo", "pid,args"]);
  return stdout.split("\n").slice(1).filter(Boolean);
}

function clientOf(served: Served, token: string): Client {
  const url = (path: string) => `${served.url}/agents/${AGENT}${path}`;
  const authorization = `Bearer ${token}`;
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(url(path), { ...init, headers: { ...init.headers, authorization } });
  const post = async <T>(path: string, request: object | string): Promise<T> => {
    const isText = typeof request === "string";
    const response = await ask(path, {
      method: "POST",
      headers: { "content-type": isText ? "text/plain" : "application/json" },
      body: isText ? request : JSON.stringify(request),
    });
    return await json<T>(response);
  };
  const read = async <T>(path: string) => await json<T>(await ask(path));
  const events = (path: string, last = 0) => eventsOf(url(path), authorization, last);
  return {
    served,
    authorization,
    url,
    ask,
    read,
    events,
    session: (request = {}) => post<Accepted>("/containers/new", { notify: false, ...request }),
    exec: ({ session_id }, request) =>
      post<Exec>(`/containers/sessions/${session_id}/exec/new`, request),
    async text(path, stream) {
      let all = "";
      for await (const { data = "", stream: from, encoding } of events(path)) {
        equal(encoding, undefined);
        if (from !== undefined && (stream === undefined || from === stream)) all += data;
      }
      return all;
    },
    async until(path, ...wanted) {
      while (true) {
        const status = await read<Status>(path);
        if (wanted.includes(status.status)) return status;
        const isOver = ["complete", "failed", "expired", "cancelled"].includes(status.status);
        ok(!isOver, `${wanted} is wanted: ${JSON.stringify(status)}`);
      }
    },
    async put(path, body) {
      const response = await ask(path, { method: "PUT", body });
      const text = await response.text();
      ok(response.ok, `${path}: ${response.status} ${text}`);
    },
  };
}

async function json<T>(response: Response): Promise<T> {
  const text = await response.text();
  ok(response.ok, `${response.url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

async function* eventsOf(
  url: string,
  authorization: string,
  last: number,
): AsyncGenerator<Event> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    headers: { accept: "text/event-stream", "last-event-id": String(last), authorization },
    signal: leaving.signal,
  });
  equal(response.status, 200);
  let rest = "";
  try {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        const event = data === undefined ? {} : JSON.parse(data) as Partial<Event>;
        // The end of a stream has no number.
        if (event.seq !== undefined) yield event as Event;
      }
    }
  } finally {
    leaving.abort();
  }
}
