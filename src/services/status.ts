/** `/status`: how the agent is, as JSON. */
import { key } from "../core/keys.ts";
import type { AgentView, RowChange, ServiceFactory } from "../core/view.ts";
import { file, tree, type WatchEvent } from "../fs/tree.ts";
import { JSON_TYPE } from "./common/json.ts";
import { merged } from "./common/merge.ts";

export const status: ServiceFactory = (view) =>
  tree(
    file({
      type: JSON_TYPE,
      about: "how the agent is: state, counts, its last tick and error, what waits, its limits",
      read: async () => JSON.stringify(await view.status()),
      watch: ({ signal }) => changes(view, signal),
    }),
    view.viewer,
  );

/** One event for each commit and each turn of its life that the file tells of. */
async function* changes(view: AgentView, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const rows = view.rows.watch("", signal);
  const life = view.trace.watch({ signal });
  for await (const event of merged<RowChange | { readonly type: string }>(rows, life)) {
    if ("key" in event ? isTold(event) : event.type === "lifecycle") yield { type: "modified" };
  }
}

/** Whether an agent sleeps is no row; the trace tells it. A tick changes many rows, of which `turn` is always one. */
function isTold({ key: at, type }: RowChange): boolean {
  return at === key.turn || at === key.phase || at === key.agent || at.startsWith("dead/") ||
    (at.startsWith("inbox/") && type === "created");
}
