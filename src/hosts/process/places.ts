/** How many processes live, and who has to go when another one is needed. */
import { FileError } from "../../fs/error.ts";
import type { Subprocess } from "./subprocess.ts";

/** An agent's process in use, as far as its place is concerned. */
export interface Tenant {
  readonly process: Subprocess;
  /** Not inside a tick, and not about to be. */
  readonly idle: boolean;
  /** Grows with each use. */
  readonly lastUse: number;
  evict(): void;
}

export interface Places {
  /** A blank process, in the order of the calls: a spare one, a new one, or one in the place of the tenant that was idle longest. */
  take(memoryMb: number): Promise<Subprocess>;
  /** From now on it may be evicted while it is idle. */
  settle(tenant: Tenant): void;
  /** Something became idle. */
  changed(): void;
  /** Ends all processes; nothing is given any more. */
  stop(): Promise<void>;
}

interface Waiting {
  readonly memoryMb: number;
  resolve(process: Subprocess): void;
  reject(error: unknown): void;
}

export interface PlacesOptions {
  /** How many processes live at the most, blank ones included. */
  readonly max: number;
  /** How many blank ones are kept ready, as far as there is room. */
  readonly spares: number;
  start(memoryMb: number): Subprocess;
}

export function makePlaces({ max, spares, start }: PlacesOptions): Places {
  const live = new Set<Subprocess>();
  const tenants = new Set<Tenant>();
  const blank: Subprocess[] = [];
  const line: Waiting[] = [];
  let stopped = false;

  function begin(memoryMb: number): Subprocess {
    const process = start(memoryMb);
    live.add(process);
    process.gone.finally(() => {
      live.delete(process);
      for (const tenant of tenants) if (tenant.process === process) tenants.delete(tenant);
      const at = blank.indexOf(process);
      if (at >= 0) blank.splice(at, 1);
      serve();
    });
    return process;
  }

  function serve(): void {
    for (let first = line[0]; first && !stopped; first = line[0]) {
      const process = takeBlank(first.memoryMb);
      if (process) first.resolve(process);
      else if (live.size < max) beginFor(first);
      else return makeRoom();
      line.shift();
      refill(first.memoryMb);
    }
  }

  function beginFor(first: Waiting): void {
    try {
      first.resolve(begin(first.memoryMb));
    } catch (error) {
      first.reject(error);
    }
  }

  function takeBlank(memoryMb: number): Subprocess | undefined {
    const at = blank.findIndex((process) => process.alive && process.memoryMb === memoryMb);
    return at < 0 ? undefined : blank.splice(at, 1)[0];
  }

  /** One at a time: `serve` is called again when it is gone. */
  function makeRoom(): void {
    for (const process of live) if (!process.alive) return;
    const spare = blank.shift();
    if (spare) return spare.kill(ended());
    let oldest: Tenant | undefined;
    for (const tenant of tenants) {
      if (tenant.idle && (!oldest || tenant.lastUse < oldest.lastUse)) oldest = tenant;
    }
    oldest?.evict();
  }

  function refill(memoryMb: number): void {
    if (line.length > 1) return;
    try {
      while (blank.length < spares && live.size < max) blank.push(begin(memoryMb));
    } catch {
      // The next one who needs it is told why it does not start.
    }
  }

  return {
    take(memoryMb) {
      if (stopped) return Promise.reject(ended());
      return new Promise((resolve, reject) => {
        line.push({ memoryMb, resolve, reject });
        serve();
      });
    },
    settle(tenant) {
      tenants.add(tenant);
      serve();
    },
    changed: serve,
    async stop() {
      stopped = true;
      for (const { reject } of line.splice(0)) reject(ended());
      for (const process of live) process.kill(ended());
      await Promise.all([...live].map((process) => process.gone));
    },
  };
}

function ended(): FileError {
  return new FileError("not_ready", "run", "agent process", { detail: "its host has stopped" });
}
