/** What the laws of HTTP need of whoever keeps them: a way to ask, and the operator's token where it is to be had. */
import { holds, same } from "../expect.ts";
import type { Law } from "../law.ts";

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** As much of a `Response` as laws look at. */
export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  } | null;
  text(): Promise<string>;
}

export interface HttpSubject {
  /** Sends exactly these headers, `Host` too where it is given, beside what the connection needs. */
  fetch(path: string, ask?: Ask): Promise<Answer>;
  /** The operator's; a server that keeps it to itself is asked only what a local caller may. */
  readonly token?: string;
  /** A part of an agent's id that no other try has. */
  newId(): string;
}

/** `token`: the subject gives the operator's. */
export type HttpFeature = "token";

export interface HttpLaw extends Law<HttpSubject> {
  readonly needs: readonly HttpFeature[];
}

export const PROBLEM = "application/problem+json";
/** Seconds; long enough for any machine, as nothing waits when all is well. */
const PATIENCE_S = 30;

/** With the token, if there is one. */
export async function ask(subject: HttpSubject, path: string, init: Ask = {}): Promise<Answer> {
  const { token } = subject;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return await subject.fetch(path, { ...init, headers: { ...headers, ...init.headers } });
}

export async function json(answer: Answer): Promise<Record<string, unknown>> {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`status ${answer.status}, and no JSON: ${text.slice(0, 300)}`);
  }
}

/** The answer is good; its status, if one is given, is that. */
export async function good(answer: Answer, status?: number): Promise<Answer> {
  const isGood = status === undefined ? answer.status < 300 : answer.status === status;
  if (isGood) return answer;
  const text = (await answer.text()).slice(0, 300);
  throw new Error(`status ${answer.status}, want ${status ?? "2xx"}: ${text}`);
}

/** The answer is a problem of this status and code. */
export async function refused(
  answer: Answer,
  status: number,
  code: string,
  what: string,
): Promise<Record<string, unknown>> {
  const body = await json(answer);
  same([answer.status, body["code"]], [status, code], what);
  same(answer.headers.get("content-type"), PROBLEM, `${what}: content type`);
  return body;
}

export interface AgentPlace {
  readonly id: string;
  /** `/agents/<id>` */
  readonly at: string;
}

/** An agent of its own, made and, where that is allowed, deleted again. */
export async function withAgent(
  subject: HttpSubject,
  agent: string,
  use: (place: AgentPlace) => Promise<void>,
): Promise<void> {
  const id = `law-${subject.newId()}`;
  await (await good(await create(subject, { id, agent }), 201)).text();
  try {
    await use({ id, at: `/agents/${id}` });
  } finally {
    if (subject.token !== undefined) {
      await (await ask(subject, `/agents/${id}`, { method: "DELETE" })).text();
    }
  }
}

export async function create(subject: HttpSubject, body: unknown): Promise<Answer> {
  return await ask(subject, "/agents", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** The replies to what is sent. */
export async function replies(subject: HttpSubject, at: string, init: Ask = {}): Promise<unknown> {
  const path = `${at}/send?wait=${PATIENCE_S}`;
  const answer = await good(await ask(subject, path, { method: "POST", ...init }), 200);
  const body = await json(answer);
  same((body["tick"] as { success?: unknown } | undefined)?.success, true, "the tick's success");
  return body["replies"];
}

export async function statusOf(subject: HttpSubject, at: string): Promise<Record<string, unknown>> {
  return await json(await good(await ask(subject, `${at}/status`), 200));
}

export async function post(subject: HttpSubject, path: string, init: Ask = {}): Promise<Answer> {
  return await ask(subject, path, { method: "POST", ...init });
}

export async function put(
  subject: HttpSubject,
  path: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return await ask(subject, path, { method: "PUT", body, headers });
}

/** An event as it is sent. */
export interface Sent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: Record<string, unknown>;
}

/** Reads events until `enough`, then leaves. */
export async function events(
  answer: Answer,
  enough: (events: readonly Sent[]) => boolean,
): Promise<Sent[]> {
  holds(answer.body, "an answer with events has a body");
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const found: Sent[] = [];
  let rest = "";
  try {
    while (!enough(found)) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += decoder.decode(value!, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop()!;
      found.push(...blocks.map(sent).filter(({ data }) => data !== undefined));
    }
  } finally {
    await reader.cancel();
  }
  return found;
}

function sent(block: string): Sent {
  const field = (name: string) =>
    block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const [id, event, data] = [field("id"), field("event"), field("data")];
  return {
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(data === undefined ? {} : { data: JSON.parse(data) }),
  };
}
