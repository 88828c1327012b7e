/** A stream as a file: lines of JSON to read, events to watch, both resumed behind a seq. */
import type { Stream } from "../../core/view.ts";
import type { StreamEvent } from "../../fs/file.ts";
import type { FileRow } from "../../fs/tree.ts";

/** Events that are held at once while a stream is read. */
const PAGE = 500;
const encoder = new TextEncoder();

export function streamFile(stream: Stream, about: string): FileRow {
  return {
    kind: "stream",
    type: "application/x-ndjson",
    about,
    read: ({ after, to, tail }) => {
      const only = after === undefined && tail !== undefined;
      return lines(upTo(to, only ? last(stream, tail) : from(stream, after)));
    },
    watch: ({ after, tail, signal }) =>
      stream.watch({
        signal,
        ...(after === undefined ? {} : { after }),
        ...(tail === undefined ? {} : { tail }),
      }),
  };
}

/** Everything that is kept behind `after`, page by page. */
async function* from(stream: Stream, after?: number): AsyncGenerator<StreamEvent> {
  while (true) {
    const events = await stream.read({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    if (events.length === 0) return;
    yield* events;
    after = events.at(-1)!.seq;
  }
}

async function* upTo(
  to: number | undefined,
  events: AsyncIterable<StreamEvent>,
): AsyncGenerator<StreamEvent> {
  for await (const event of events) {
    if (to !== undefined && event.seq > to) return;
    yield event;
  }
}

async function* last(stream: Stream, count: number): AsyncGenerator<StreamEvent> {
  yield* await stream.tail(count);
}

async function* lines(events: AsyncIterable<StreamEvent>): AsyncGenerator<Uint8Array> {
  for await (const event of events) yield encoder.encode(JSON.stringify(event) + "\n");
}
