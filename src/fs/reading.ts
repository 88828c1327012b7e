/** Opening a row to read or to watch it: chunks until the end, cut to the range that was asked for. */
import type { OpenOptions } from "./file.ts";
import { ENDED, type Life, type Verbs } from "./life.ts";
import { type Body, type FileRow, refusal } from "./row.ts";

type Chunks = AsyncIterator<Uint8Array, unknown>;
type Range = Pick<OpenOptions, "offset" | "length">;

const encoder = new TextEncoder();

export async function openRead(row: FileRow, options: OpenOptions, life: Life): Promise<Verbs> {
  const { offset, length, after, to, tail } = options;
  const body = await life.during(() =>
    row.read!({
      get signal() {
        return life.signal;
      },
      ...(offset === undefined ? {} : { offset }),
      ...(length === undefined ? {} : { length }),
      ...(after === undefined ? {} : { after }),
      ...(to === undefined ? {} : { to }),
      ...(tail === undefined ? {} : { tail }),
    })
  );
  if (body === ENDED) throw interrupted();
  const read = pull(chunksOf(body, row.ranges ? {} : options), life, () => {
    throw interrupted();
  });
  return { read, leave: life.end, close: () => Promise.resolve() };
}

export async function openWatch(row: FileRow, options: OpenOptions, life: Life): Promise<Verbs> {
  const { after, tail } = options;
  const events = await life.during(() =>
    row.watch!({
      signal: life.signal,
      ...(after === undefined ? {} : { after }),
      ...(tail === undefined ? {} : { tail }),
    })
  );
  const chunks = events === ENDED ? chunksOf("", {}) : eager(encoded(events));
  return {
    read: pull(chunks, life, () => undefined),
    leave: life.end,
    close: () => Promise.resolve(),
  };
}

export function interrupted() {
  return refusal("interrupted", "the signal aborted");
}

/** Reads on; keeps answering undefined after the end, and the same error after an error. `ended` answers for a life that is over. */
export function pull(
  chunks: Chunks,
  life: Life,
  ended: () => undefined,
): () => Promise<Uint8Array | undefined> {
  let over: (() => undefined) | undefined;
  return async () => {
    if (over) return over();
    try {
      const next = await life.during(() => chunks.next());
      if (next !== ENDED && !next.done) return next.value;
      over = next === ENDED ? ended : () => undefined;
    } catch (error) {
      over = () => {
        throw error;
      };
    }
    leave(chunks);
    life.end();
    return over();
  };
}

/** Not awaited: a generator that waits would answer only once it has waited. */
function leave(chunks: Chunks): void {
  chunks.return?.().catch(() => {});
}

/**
 * The body as chunks, none of them empty, all of them copies.
 * @throws FileError `range_not_satisfiable`, at once for bytes, at the end for a stream
 */
export function chunksOf(body: Body, { offset = 0, length = Infinity }: Range): Chunks {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  if (!ArrayBuffer.isView(bytes)) return cutStream(bytes, offset, length);
  if (offset > bytes.length) throw beyond(offset, bytes.length);
  return one(bytes.slice(offset, offset + length));
}

/** What a generator would do, which takes several turns for each of its answers. */
function one(bytes: Uint8Array): Chunks {
  let left: Uint8Array | undefined = bytes.length > 0 ? bytes : undefined;
  return {
    next() {
      const value = left;
      left = undefined;
      return Promise.resolve(value ? { done: false, value } : { done: true, value: undefined });
    },
  };
}

async function* cutStream(
  body: AsyncIterable<Uint8Array>,
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  const end = offset + length;
  for await (const chunk of body) {
    const part = chunk.slice(Math.max(0, offset - at), Math.max(0, end - at));
    at += chunk.length;
    if (part.length) yield part;
    if (at >= end) return;
  }
  if (offset > at) throw beyond(offset, at);
}

function beyond(offset: number, size: number) {
  return refusal("range_not_satisfiable", `offset ${offset} is beyond the end, ${size}`, {
    offset,
    size,
  });
}

async function* encoded(events: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const event of events) yield encoder.encode(JSON.stringify(event));
}

/** Asks for the first chunk now, so that what happens between open and the first read is seen. */
function eager(chunks: Chunks): Chunks {
  let first: ReturnType<Chunks["next"]> | undefined = chunks.next();
  first.catch(() => {});
  return {
    next() {
      const next = first ?? chunks.next();
      first = undefined;
      return next;
    },
    return: () => chunks.return!(),
  };
}
