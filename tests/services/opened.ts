/** What a test opens is stopped at its end, the newest first. */

export async function opened<A extends unknown[], T extends { stop(): Promise<void> }>(
  make: (...args: A) => Promise<T>,
  run: (open: (...args: A) => Promise<T>) => Promise<void>,
): Promise<void> {
  const all: T[] = [];
  try {
    await run(async (...args) => {
      const made = await make(...args);
      all.push(made);
      return made;
    });
  } finally {
    for (const made of all.reverse()) await made.stop();
  }
}
