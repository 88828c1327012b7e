/** The heads of HTTP/1.1 messages: a request written, an answer read; what is not as the standard has it is refused. */
import type { Header, HttpRequest } from "../../core/net.ts";
import type { Reader } from "./reader.ts";

/** Bytes of one line. */
const MAX_LINE = 32 * 1024;
/** Bytes of a head. */
const MAX_HEAD = 128 * 1024;
/** Heads that come before the answer's own (`103 Early Hints`). */
const MAX_INTERIM = 8;
const STATUS = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/s;
const OWN_PORT = { http: 80, https: 443 } as const;

export interface Head {
  readonly status: number;
  readonly headers: readonly Header[];
}

/** Each request has a connection of its own, so that nothing of one reaches another. */
export function requestHead({ method, to, target, headers, body }: HttpRequest): Uint8Array {
  const host = to.host.includes(":") ? `[${to.host}]` : to.host;
  const port = to.port === OWN_PORT[to.scheme] ? "" : `:${to.port}`;
  const carries = body !== undefined || method === "POST" || method === "PUT" || method === "PATCH";
  const own: Header[] = [
    ["host", host + port],
    ["connection", "close"],
    ["accept-encoding", "gzip"],
    ...(carries ? [["content-length", String(body?.length ?? 0)] as const] : []),
  ];
  const lines = [...own, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
  return new TextEncoder().encode(text);
}

/** The answer's head. @throws a sentence */
export async function answerHead(reader: Reader): Promise<Head> {
  let left = MAX_HEAD;
  const line = async () => {
    const text = await reader.line(Math.min(MAX_LINE, left));
    if (text === undefined) {
      throw new Error("its head is not whole, or too long");
    }
    left -= text.length + 1;
    return text;
  };
  for (let i = 0; i <= MAX_INTERIM; i++) {
    const status = Number(STATUS.exec(await line())?.[1]);
    if (Number.isNaN(status)) throw new Error("it speaks no HTTP/1.1");
    const headers: Header[] = [];
    for (let text = await line(); text !== ""; text = await line()) headers.push(field(text));
    if (status >= 200) return { status, headers };
    if (status === 101) throw new Error("it changed to a protocol that nobody asked for");
  }
  throw new Error("it goes on telling that it will answer");
}

function field(line: string): Header {
  const [, name, value] = FIELD.exec(line) ?? [];
  if (name === undefined || value === undefined || /[\0\r]/.test(value)) {
    throw new Error("a line of its head is no header");
  }
  return [name.toLowerCase(), decoded(value)];
}

/** UTF-8 where it is that, as most who use more than ASCII mean it. */
function decoded(value: string): string {
  const bytes = Uint8Array.from(value, (c) => c.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return value;
  }
}
