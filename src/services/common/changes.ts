/** Committed changes of rows as the events of a watched file or directory. */
import { key } from "../../core/keys.ts";
import type { Rows } from "../../core/view.ts";
import type { WatchEvent } from "../../fs/tree.ts";

/** `created`, `modified` and `deleted` of one row. */
export async function* changesOf(
  rows: Pick<Rows, "watch">,
  at: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  for await (const change of rows.watch(at, signal)) {
    if (change.key === at) yield { type: change.type };
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

/** Changes of a setting. The row that it is kept in holds other things too: only another text is a change. */
export async function* settingChanges(
  rows: Pick<Rows, "watch">,
  text: () => string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let last = text();
  for await (const event of changesOf(rows, key.agent, signal)) {
    const now = text();
    if (now === last) continue;
    last = now;
    yield event;
  }
}
