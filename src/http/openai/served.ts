/** How a run is served: its answer whole or as it comes, and its end when the client leaves. */
import type { Backend } from "../../core/backend.ts";
import { json, type Visit } from "../visit.ts";
import { answerEvents, type Form, type Told, wholeAnswer } from "./answer.ts";
import type { Run } from "./run.ts";
import { eventStream } from "./stream.ts";

export interface Serving {
  readonly timer: Backend["timer"];
  /** Told of errors that no caller waits for. */
  readonly report: (error: unknown) => void;
}

export interface Wish {
  readonly stream?: boolean | null | undefined;
  readonly stream_options?:
    | { readonly include_usage?: boolean | null | undefined }
    | null
    | undefined;
}

/** A run as long as its client is there. */
interface Held<T> {
  readonly run: T;
  /** It has come to its end; who leaves now leaves nothing undone. */
  over(): void;
  leave(): void;
}

/** Begins a run and ends it if its client leaves. @throws what `begin` throws */
export async function held<T extends Run>(
  { request, stopping }: Visit,
  report: Serving["report"],
  begin: (signal: AbortSignal) => Promise<T>,
): Promise<Held<T>> {
  const life = new AbortController();
  const run = await begin(AbortSignal.any([life.signal, request.signal, stopping]));
  const over = () => request.signal.removeEventListener("abort", leave);
  let left = false;
  function leave(): void {
    if (left) return;
    left = true;
    over();
    life.abort();
    run.leave().catch(report);
  }
  request.signal.addEventListener("abort", leave);
  if (request.signal.aborted) leave();
  return { run, over, leave };
}

/** @throws FileError where there is no answer, and nothing of one has been sent */
export async function served(
  { timer, report }: Serving,
  visit: Visit,
  wish: Wish,
  form: Form,
  told: Told,
  begin: (signal: AbortSignal) => Promise<Run>,
): Promise<Response> {
  const { run, over, leave } = await held(visit, report, begin);
  if (!wish.stream) {
    try {
      return json(await wholeAnswer(run, form, told));
    } finally {
      over();
    }
  }
  const events = answerEvents(run, form, told, wish.stream_options?.include_usage ?? false);
  return await eventStream(until(events, over), timer, leave);
}

async function* until(events: AsyncGenerator<string>, over: () => void): AsyncGenerator<string> {
  try {
    yield* events;
  } finally {
    over();
  }
}
