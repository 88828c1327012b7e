/** Committed changes of rows as the events of a watched file or directory. */
import type { Rows } from "../../core/view.ts";
import type { WatchEvent } from "../../fs/tree.ts";

/** `created`, `modified` and `deleted` of one row. */
export async function* changesOf(
  rows: Pick<Rows, "watch">,
  key: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  for await (const change of rows.watch(key, signal)) {
    if (change.key === key) yield { type: change.type };
  }
}

/** The same of all rows below a prefix, each with the name of its file; a row whose name is undefined is no file. */
export async function* changesBelow(
  rows: Pick<Rows, "watch">,
  prefix: string,
  nameOf: (key: string) => string | undefined,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  for await (const change of rows.watch(prefix, signal)) {
    const name = nameOf(change.key);
    if (name !== undefined) yield { type: change.type, name };
  }
}
