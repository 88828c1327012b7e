/** Many sends at once, and a record of which of them were answered. */

export interface Load {
  /** Ids whose send was answered `202`. */
  readonly answered: Set<string>;
  /** Of those, the ids that the server had already. */
  readonly duplicates: Set<string>;
  /** Resolves when so many are answered; rejects when the load ends before. */
  reached(count: number): Promise<void>;
  /** Resolves when every id has been tried once. */
  readonly done: Promise<void>;
}

/** Sends each id once, `connections` at a time; a send that gets no answer is given up. */
export function send(url: string, ids: readonly string[], connections: number): Load {
  const answered = new Set<string>();
  const duplicates = new Set<string>();
  const waiting: { count: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  let next = 0;

  async function one(id: string): Promise<void> {
    let response: Response;
    let body: { envelope_id: string; duplicate: boolean };
    try {
      response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": id },
        body: JSON.stringify({ payload: "one more" }),
      });
      body = await response.json();
    } catch {
      return;
    }
    if (response.status !== 202 || body.envelope_id !== id) return;
    answered.add(id);
    if (body.duplicate) duplicates.add(id);
    for (const wait of waiting) if (answered.size >= wait.count) wait.resolve();
  }
  async function worker(): Promise<void> {
    while (next < ids.length) await one(ids[next++]!);
  }
  const done = Promise.all(Array.from({ length: connections }, worker)).then(() => {
    for (const { reject } of waiting) reject(new Error("the load ended before"));
  });
  return {
    answered,
    duplicates,
    done,
    reached(count) {
      if (answered.size >= count) return Promise.resolve();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ count, resolve, reject });
      return promise;
    },
  };
}

/** Sends a message behind all others and gives the counter's reply: how many it has ticked, this one included. */
export async function countAt(url: string): Promise<number> {
  const response = await fetch(`${url}?wait=60`, { method: "POST", body: "how many?" });
  const { replies } = await response.json() as { replies: { text: string }[] };
  return Number(replies[0]!.text);
}
