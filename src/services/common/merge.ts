/** Several sources of events as one, each event as soon as it comes. */

/** Ends when all sources have ended; leaving it ends them. A source that fails fails it. */
export async function* merged<T>(...sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const waiting = new Map(iterators.map((_, i) => [i, step(i)]));
  function step(i: number) {
    return iterators[i]!.next().then((result) => ({ i, result }));
  }
  try {
    while (waiting.size > 0) {
      const { i, result } = await Promise.race(waiting.values());
      if (result.done) waiting.delete(i);
      else {
        waiting.set(i, step(i));
        yield result.value;
      }
    }
  } finally {
    for (const [i, next] of waiting) {
      next.catch(() => {});
      iterators[i]!.return?.().catch(() => {});
    }
  }
}
