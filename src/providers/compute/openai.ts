/** One OpenAI-compatible server as a seller of model calls: it knows its models and its health by looking in the background, never on a caller's way. */
import type { OpenAI } from "openai/client";
import { FileError } from "../../fs/error.ts";
import { isoTime } from "../../core/id.ts";
import type {
  CallResult,
  CallSink,
  ComputeProvider,
  Delta,
  ModelCall,
  ModelInfo,
  ProviderHealth,
  ProviderInfo,
} from "../../core/compute.ts";
import {
  carrier,
  type KeyHeaders,
  MAX_ANSWER_BYTES,
  type SellerWorld,
  STALL_MS,
} from "./carrier.ts";
import { failureOf, garbage } from "./failure.ts";
import { speedometer } from "./measure.ts";
import { listed, type ListedModel, listIn, type Query } from "./models.ts";
import { type Adapt, ask, clientOf } from "./wire.ts";

export interface OpenAiOptions {
  /** A segment of a path. */
  readonly id: string;
  readonly type: "local" | "cloud";
  readonly about: string;
  /** The base of its API, ending with `/v1` or the like; without credentials. */
  readonly url: string;
  /** Where it is told, nothing is asked while it answers undefined. Asked for at each exchange. */
  readonly key?: (() => string | undefined) | undefined;
  /** The secret that holds it, for people: `OPENAI_API_KEY`. */
  readonly keyName?: string | undefined;
  readonly world: SellerWorld;
  /** What a listed model is; undefined for one that is not sold. */
  modelOf(listed: ListedModel): ModelInfo | undefined;
  /** Why who answers with these headers is not to be used; undefined if it may. */
  readonly foreign?: ((headers: Headers) => string | undefined) | undefined;
  readonly adapt?: Adapt | undefined;
  /** How the list of models is asked for, where it is not as everything else is. */
  readonly list?: { readonly query: Query; readonly keyHeaders: KeyHeaders } | undefined;
  /** Refuses a call before it is asked. @throws FileError */
  readonly check?: ((call: ModelCall) => void) | undefined;
  readonly stallMs?: number | undefined;
  readonly maxAnswerBytes?: number | undefined;
  /** From one look to the next. */
  readonly refreshMs?: number | undefined;
}

export const REFRESH_MS = 30_000;
/** A look that takes longer has failed. */
const LOOK_MS = 10_000;
/** A list of models. */
const MAX_LIST_BYTES = 8 * 1024 * 1024;

/** Looks at once, and then again and again until it is closed. */
export function openAiServer(options: OpenAiOptions): ComputeProvider {
  const { id, type, about, url, key, world } = options;
  const origin = new URL(url).origin;
  const shared = { world, key };
  const calls = client(url, {
    ...shared,
    stallMs: options.stallMs ?? STALL_MS,
    maxBytes: options.maxAnswerBytes ?? MAX_ANSWER_BYTES,
  });
  const looks = carrier({
    ...shared,
    keyHeaders: options.list?.keyHeaders,
    stallMs: LOOK_MS,
    maxBytes: MAX_LIST_BYTES,
  });
  const query = options.list?.query ?? {};
  const speeds = speedometer(world.now);
  const closing = new AbortController();
  let models: readonly ModelInfo[] = [];
  let health: ProviderHealth = { status: "unknown", checked_at: null };
  let looking: Promise<void> | undefined;
  let cancelNext = () => {};

  const seen = (error?: string) => {
    health = {
      status: error === undefined ? "up" : "down",
      checked_at: isoTime(world.now()),
      ...(error === undefined ? {} : { error }),
    };
  };
  async function look(): Promise<void> {
    try {
      mustHaveKey();
      const { body, headers } = await listed(looks, url, query, closing.signal);
      const foreign = options.foreign?.(headers);
      const rows = listIn(body);
      if (foreign === undefined && rows === undefined) throw garbage(id);
      if (foreign !== undefined) models = [];
      else models = rows!.flatMap((row) => options.modelOf(row) ?? []);
      seen(foreign);
    } catch (error) {
      if (closing.signal.aborted) return;
      seen(reason(failureOf(error, { what: id, signal: closing.signal, key, now: world.now })));
    }
  }
  /** One look at a time; the next is planned when it is over. */
  function refresh(): Promise<void> {
    return looking ??= look().finally(() => {
      looking = undefined;
      cancelNext();
      if (closing.signal.aborted) return;
      cancelNext = world.timer(options.refreshMs ?? REFRESH_MS, () => void refresh());
    });
  }
  function mustHaveKey(): void {
    if (key === undefined || key() !== undefined) return;
    throw new FileError("auth_required", "ask", id, {
      detail: `there is no key; an operator sets it by: agentd secret set ${
        options.keyName ?? "NAME"
      } --mount /compute`,
      extra: { asked: false, retryable: false },
    });
  }
  function info(): ProviderInfo {
    return { id, type, about, url: origin, by_name_only: false, ...speeds.speed() };
  }
  async function submit(
    call: ModelCall,
    sink: CallSink,
    signal: AbortSignal,
  ): Promise<CallResult> {
    signal.throwIfAborted();
    const what = `${id}/${call.model}`;
    const { heard, refusal } = hearing(sink);
    try {
      mustHaveKey();
      options.check?.(call);
      const watch = speeds.start();
      return await ask(await calls(), { call, sink: heard, signal, watch, adapt: options.adapt });
    } catch (error) {
      if (refusal()) throw refusal()!.error;
      const failure = failureOf(error, { what, signal, key, now: world.now });
      if (isUnreachable(failure)) seen(reason(failure));
      throw failure;
    }
  }

  void refresh();
  return {
    id,
    info,
    health: () => health,
    models: () => models,
    submit,
    refresh,
    async close() {
      closing.abort();
      cancelNext();
      await looking;
    },
  };
}

/** Who receives may have a reason to stop, which is not the server's failure. */
function hearing(sink: CallSink) {
  let refused: { readonly error: unknown } | undefined;
  const delta = async (delta: Delta) => {
    try {
      await sink.delta(delta);
    } catch (error) {
      refused = { error };
      throw error;
    }
  };
  return { heard: { delta }, refusal: () => refused };
}

/** Made when it is first used. */
function client(url: string, options: Parameters<typeof carrier>[0]): () => Promise<OpenAI> {
  let made: Promise<OpenAI> | undefined;
  return () => made ??= clientOf(url, carrier(options));
}

function isUnreachable(failure: unknown): boolean {
  return failure instanceof FileError && failure.code === "provider_unavailable" &&
    failure.extra?.asked === false && failure.extra.retryable === true;
}

function reason(failure: unknown): string {
  return failure instanceof FileError ? failure.detail ?? failure.code : "it could not be asked";
}
