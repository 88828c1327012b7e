/** All rows of a prefix, or those behind a key, a page at a time, so that a long family is never held whole. */
import type { AgentStorage, Row } from "./storage.ts";

export const PAGE_ROWS = 256;

export async function* pages(
  storage: Pick<AgentStorage, "list">,
  prefix: string,
  limit = PAGE_ROWS,
  after?: string,
): AsyncGenerator<Row[]> {
  while (true) {
    const rows = await storage.list({ prefix, limit, ...(after === undefined ? {} : { after }) });
    if (rows.length > 0) yield rows;
    if (rows.length < limit) return;
    after = rows.at(-1)!.key;
  }
}
