/** `/state`: the agent's committed state, as JSON. Only its ticks change it. */
import { largeSize, readLarge } from "../core/blob.ts";
import { shortDigest } from "../core/code.ts";
import { key } from "../core/keys.ts";
import type { ServiceFactory } from "../core/view.ts";
import { file, tree } from "../fs/tree.ts";
import { changesOf } from "./common/changes.ts";
import { JSON_TYPE } from "./common/json.ts";

/** Before its first commit. */
const EMPTY = "{}";

export const state: ServiceFactory = (view) =>
  tree(
    file({
      type: JSON_TYPE,
      about: "the state that the agent's last tick committed",
      async stat() {
        const row = await view.rows.get(key.state);
        if (!row) return { size: EMPTY.length, version: shortDigest(EMPTY) };
        return { size: largeSize(row), version: shortDigest(row) };
      },
      read: async () => await readLarge(view.rows, key.state) ?? EMPTY,
      watch: ({ signal }) => changesOf(view.rows, key.state, signal),
    }),
    view.viewer,
  );
