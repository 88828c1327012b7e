/** Which waiting envelope comes next: in order of acceptance, except that a sender whose envelope waits for a retry holds back only itself, and manual ones go first. */
import type { Envelope } from "./envelope.ts";
import type { EnvelopeId } from "./id.ts";
import type { Tries } from "./record.ts";

export interface Waiting {
  readonly n: number;
  readonly id: EnvelopeId;
  readonly sender: string;
  /** Ahead of other senders. */
  readonly front: boolean;
  readonly bytes: number;
  readonly at: number;
  readonly expires: number | undefined;
  /** Kept while memory allows; else read again. */
  envelope: Envelope | undefined;
  tries: Tries | undefined;
  /** Left the inbox. */
  gone: boolean;
}

export interface Queue {
  add(entry: Waiting): void;
  /** The next one; it stays in the queue until `remove`. */
  next(): Waiting | undefined;
  /** The entry waits for its next try, and its sender's later ones behind it. */
  hold(entry: Waiting): void;
  /** The entry's wait is over. */
  release(entry: Waiting): void;
  remove(entry: Waiting): void;
  /** Undoes `remove`: it stands where its number says. */
  putBack(entry: Waiting): void;
  get(n: number): Waiting | undefined;
  /** In order of number. */
  all(): Iterable<Waiting>;
  readonly size: number;
  readonly ready: boolean;
}

export function makeQueue(): Queue {
  const byN = new Map<number, Waiting>();
  const held = new Map<string, Waiting[]>();
  let front: Waiting[] = [];
  let ready: Waiting[] = [];
  /** Entries of `ready` before it have been taken. */
  let head = 0;

  function peek(): Waiting | undefined {
    while (front.length > 0 && front[0]!.gone) front.shift();
    if (front.length > 0) return front[0];
    while (head < ready.length && ready[head]!.gone) head++;
    if (head > 1024 && head * 2 > ready.length) {
      ready = ready.slice(head);
      head = 0;
    }
    return ready[head];
  }
  return {
    get size() {
      return byN.size;
    },
    get ready() {
      return peek() !== undefined;
    },
    add(entry) {
      byN.set(entry.n, entry);
      const behind = held.get(entry.sender);
      if (behind) behind.push(entry);
      else if (entry.front) front.push(entry);
      else ready.push(entry);
    },
    next: peek,
    hold(entry) {
      const own = (w: Waiting) => w.sender === entry.sender && !w.gone && w !== entry;
      const behind = [...front.filter(own), ...ready.slice(head).filter(own)];
      front = front.filter((w) => w !== entry && !own(w));
      ready = ready.slice(head).filter((w) => w !== entry && !own(w));
      head = 0;
      held.set(entry.sender, [entry, ...behind]);
    },
    release(entry) {
      const list = held.get(entry.sender);
      if (list?.[0] !== entry) return;
      held.delete(entry.sender);
      const stay = list.filter((w) => !w.gone);
      front = [...stay.filter((w) => w.front), ...front];
      ready = [...stay.filter((w) => !w.front), ...ready.slice(head)].sort((a, b) => a.n - b.n);
      head = 0;
    },
    remove(entry) {
      entry.gone = true;
      entry.envelope = undefined;
      byN.delete(entry.n);
      const list = held.get(entry.sender);
      if (list?.[0] === entry) this.release(entry);
    },
    putBack(entry) {
      entry.gone = false;
      const among = (line: readonly Waiting[]) =>
        [...line.filter((w) => w !== entry), entry].sort((a, b) => a.n - b.n);
      const all = among([...byN.values()]);
      byN.clear();
      for (const w of all) byN.set(w.n, w);
      const line = held.get(entry.sender);
      if (line) held.set(entry.sender, [line[0]!, ...among(line.slice(1))]);
      else if (entry.front) front = among(front);
      else {
        ready = among(ready.slice(head));
        head = 0;
      }
    },
    get: (n) => byN.get(n),
    all: () => byN.values(),
  };
}
