/** One timer for everything that is due at a time: alarms and retries, found by their keys and never by a scan of agents. */
import type { Backend, Found, Owner } from "./backend.ts";
import { padMs } from "./keys.ts";

/** A timer is never set further ahead; platforms count milliseconds in 31 bits. */
const MAX_DELAY_MS = 86_400_000;
/** What is due and could not be taken is looked at again after this. */
const REST_MS = 1_000;
const PAGE = 200;

export interface Due {
  /** Something is due then. */
  note(ms: number): void;
  start(): Promise<void>;
  stop(): void;
}

/** `families`: what to do for an owner that has rows of the family due at `now`; it removes them or leaves them for later. */
export function makeDue(
  backend: Pick<Backend, "find" | "now" | "timer">,
  families: Readonly<Record<string, (owner: Owner, now: number) => Promise<void>>>,
  onError: (error: unknown) => void,
): Due {
  let cancel: (() => void) | undefined;
  let armedFor = Infinity;
  let firing = false;
  let stopped = true;

  function arm(ms: number): void {
    if (stopped || ms >= armedFor) return;
    cancel?.();
    armedFor = ms;
    const delay = Math.min(Math.max(0, ms - backend.now()), MAX_DELAY_MS);
    cancel = backend.timer(delay, () => {
      cancel = undefined;
      armedFor = Infinity;
      fire().catch(onError);
    });
  }
  async function fire(): Promise<void> {
    if (firing || stopped) return;
    firing = true;
    const now = backend.now();
    try {
      for (const [prefix, handle] of Object.entries(families)) {
        await fireFamily(prefix, handle, now);
      }
      firing = false;
      await armNext(now);
    } catch (error) {
      // Whoever could not be asked now is asked again.
      firing = false;
      arm(backend.now() + REST_MS);
      throw error;
    }
  }
  async function fireFamily(
    prefix: string,
    handle: (owner: Owner, now: number) => Promise<void>,
    now: number,
  ): Promise<void> {
    const through = `${prefix}${padMs(now)}/~`;
    const done = new Set<Owner>();
    let after: Found | undefined;
    while (true) {
      const found = await backend.find({
        prefix,
        through,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const { owner } of found) {
        if (done.has(owner) || stopped) continue;
        done.add(owner);
        await handle(owner, now).catch(onError);
      }
      if (found.length < PAGE) return;
      after = found.at(-1)!;
    }
  }
  async function armNext(firedAt: number): Promise<void> {
    for (const prefix of Object.keys(families)) {
      const [first] = await backend.find({ prefix, limit: 1 });
      if (!first) continue;
      const ms = Number(first.key.slice(prefix.length, first.key.indexOf("/", prefix.length)));
      arm(ms > firedAt ? ms : backend.now() + REST_MS);
    }
  }
  return {
    note: arm,
    async start() {
      stopped = false;
      try {
        await fire();
      } catch (error) {
        this.stop();
        throw error;
      }
    },
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}
