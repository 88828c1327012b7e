/** A body of server-sent events that are made while it is read: a quiet one shows that it lives, and one that is left stops what makes it. */
import type { Backend } from "../../core/backend.ts";
import { STALLED_MS } from "../flow.ts";
import { errorEvent } from "./errors.ts";

/** A comment this often; and a first event that takes longer is not waited for before the answer begins. */
export const QUIET_MS = 15_000;
const COMMENT = ":\n\n";

/**
 * @param leave told when the reader goes before the end, or takes nothing for so long that it is left
 * @throws what the first event throws, if it does so soon
 */
export async function eventStream(
  events: AsyncGenerator<string>,
  timer: Backend["timer"],
  leave: () => void,
): Promise<Response> {
  const encoder = new TextEncoder();
  const next = soon(events, timer);
  let first: Awaited<ReturnType<typeof next>> | undefined = await next();
  let unwatch = () => {};
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      unwatch();
      const put = (text: string) => {
        controller.enqueue(encoder.encode(text));
        unwatch = timer(STALLED_MS, () => {
          controller.error(new Error("the reader does not read"));
          leave();
        });
      };
      try {
        const got = first ?? await next();
        first = undefined;
        if (got === "quiet") put(COMMENT);
        else if (got.done) controller.close();
        else put(got.value);
      } catch (error) {
        // The status is said already: it is told as their clients know it from the midst of a stream.
        controller.enqueue(encoder.encode(sseData(errorEvent(error))));
        controller.close();
      }
    },
    cancel() {
      unwatch();
      leave();
    },
  }, { highWaterMark: 0 });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-accel-buffering": "no",
    },
  });
}

export function sseData(data: string): string {
  return `data: ${data}\n\n`;
}

/** The next event, or the word that it takes its time; then it is the same event that is waited for. */
function soon(events: AsyncGenerator<string>, timer: Backend["timer"]) {
  let coming: Promise<IteratorResult<string>> | undefined;
  return async (): Promise<IteratorResult<string> | "quiet"> => {
    coming ??= events.next();
    const quiet = Promise.withResolvers<"quiet">();
    const cancel = timer(QUIET_MS, () => quiet.resolve("quiet"));
    try {
      const got = await Promise.race([coming, quiet.promise]);
      if (got !== "quiet") coming = undefined;
      return got;
    } finally {
      cancel();
    }
  };
}
