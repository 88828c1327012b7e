/** `/outbox`: what the agent has told the outside: its events and replies, as far as they are kept. */
import type { ServiceFactory } from "../core/view.ts";
import { file, tree } from "../fs/tree.ts";
import { streamFile } from "./common/events.ts";

export const outbox: ServiceFactory = (view) =>
  tree(file(streamFile(view.outbox, "events and replies of the agent")), view.viewer);
