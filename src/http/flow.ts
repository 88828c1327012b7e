/** Large answers as they come out of a source that is held meanwhile: let go as soon as the reader leaves, stalls, or the server stops. */
import type { Backend } from "../core/backend.ts";
import { joined } from "./bytes.ts";

/** A reader who takes nothing for so long is left. */
export const STALLED_MS = 60_000;
/** Smaller chunks go out together. */
const GATHER_BYTES = 64 * 1024;

export interface FlowOptions {
  readonly timer: Backend["timer"];
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

/** The first chunk is taken before the answer begins, so that what the source refuses can still be told. @throws what the source throws */
export async function flowing(
  chunks: AsyncIterable<Uint8Array>,
  { timer, stopping }: FlowOptions,
): Promise<ReadableStream<Uint8Array>> {
  const source = gathered(chunks);
  let first: IteratorResult<Uint8Array> | undefined = await source.next();
  let unwatch = () => {};
  let controller: ReadableStreamDefaultController<Uint8Array>;

  function end(): Promise<void> {
    unwatch();
    stopping.removeEventListener("abort", stop);
    return source.return(undefined).then(() => {});
  }
  function breakOff(why: string): void {
    controller.error(new Error(why));
    end().catch(() => {});
  }
  const stop = () => breakOff("the server stops");
  const watch = () => unwatch = timer(STALLED_MS, () => breakOff("the reader does not read"));

  const stream = new ReadableStream<Uint8Array>({
    start(its) {
      controller = its;
      stopping.addEventListener("abort", stop);
      watch();
    },
    async pull() {
      unwatch();
      try {
        const { done, value } = first ?? await source.next();
        first = undefined;
        if (done) {
          await end();
          return controller.close();
        }
        controller.enqueue(value);
        watch();
      } catch (error) {
        controller.error(error);
        await end().catch(() => {});
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
  if (stopping.aborted) stop();
  return stream;
}

async function* gathered(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, undefined> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < GATHER_BYTES) continue;
    yield joined(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield joined(waiting);
}

/** What comes in, as long as it comes. @throws what `late` makes, when nothing came for so long, or when the server stops */
export async function* incoming(
  chunks: AsyncIterable<Uint8Array>,
  { timer, stopping }: FlowOptions,
  late: (why: string) => Error,
): AsyncGenerator<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  try {
    while (true) {
      const over = Promise.withResolvers<never>();
      over.promise.catch(() => {});
      const stop = () => over.reject(late("the server stops"));
      const unwatch = timer(STALLED_MS, () => {
        over.reject(late(`nothing came for ${STALLED_MS / 1000} s`));
      });
      stopping.addEventListener("abort", stop);
      if (stopping.aborted) stop();
      try {
        const { done, value } = await Promise.race([source.next(), over.promise]);
        if (done) return;
        yield value;
      } finally {
        unwatch();
        stopping.removeEventListener("abort", stop);
      }
    }
  } finally {
    // A sender that stalls is not waited for.
    source.return?.(undefined).catch(() => {});
  }
}
