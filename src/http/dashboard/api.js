/** Requests to the server that served this page: its token, its errors, and streams that come back by themselves. */

const TOKEN = "agentd token";
/** What a stream that was cut off waits before it comes back, in milliseconds. */
const RETRY_MS = 1_000;

/** Kept as long as the tab, and told to this server alone. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
};

/** A refusal as the server told it. */
export class Refusal extends Error {
  constructor(status, { code, detail, title } = {}) {
    super(detail ?? title ?? `the server answered ${status}`);
    this.status = status;
    this.code = code;
  }
}

/** A good response. Rejects with `Refusal`, or with what `fetch` throws when nobody answers. */
export async function ask(path, { method = "GET", headers = {}, body, signal } = {}) {
  const own = token.get();
  const response = await fetch(path, {
    method,
    body,
    signal,
    cache: "no-store",
    credentials: "omit",
    headers: { ...headers, ...(own ? { authorization: `Bearer ${own}` } : {}) },
  });
  if (response.ok) return response;
  throw new Refusal(response.status, await response.json().catch(() => ({})));
}

/** It is not there for this caller. */
export function isAbsent(error) {
  return error.status === 403 || error.status === 404;
}

export async function askJson(path, options) {
  return await (await ask(path, options)).json();
}

/**
 * Server-sent events by `fetch`, since an `EventSource` cannot send a token. Calls `tell(event)` for each and `state(words)` when the
 * connection changes; returns when the signal aborts. Rejects with a `Refusal` that another try would not change.
 */
export async function follow(path, { signal, tell, state }) {
  let last;
  while (!signal.aborted) {
    try {
      const headers = { accept: "text/event-stream" };
      if (last !== undefined) headers["last-event-id"] = last;
      const response = await ask(path, { headers, signal });
      state("live");
      for await (const { id, event, data } of events(response.body)) {
        if (id !== undefined) last = id;
        if (id === undefined && event === "dropped") break;
        if (data !== "") tell({ event, ...parsed(data) });
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.status < 500 && error.status !== 429) throw error;
    }
    state("connecting");
    await pause(RETRY_MS, signal);
  }
}

/** What a page of a later version sends may be no JSON; then it is text. */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return { type: "text", text: data };
  }
}

async function* events(body) {
  let block = {};
  for await (const line of lines(body)) {
    if (line === "") {
      if (block.data !== undefined || block.id !== undefined) {
        yield { event: "message", data: "", ...block };
      }
      block = {};
      continue;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    else if (name === "id" || name === "event") block[name] = value;
  }
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = parts.pop();
      yield* parts;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** A function that runs `run` soon: at once, or once more when the run that goes on has ended. What fails is told to `failed`. */
export function soonest(run, failed) {
  let isRunning = false;
  let isAsked = false;
  return async () => {
    isAsked = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isAsked) {
        isAsked = false;
        await run();
      }
    } catch (error) {
      failed(error);
    } finally {
      isRunning = false;
    }
  };
}

export function pause(delayMs, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, delayMs);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}
