/** `/kv/`: the agent's key-value store as files: the name is the key, the content its value, JSON. */
import { shortDigest } from "../core/code.ts";
import { MAX_KV_BYTES } from "../core/gather.ts";
import { key, nameOfKey } from "../core/keys.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import { each, file, mustMatch, type Node, refusal, tree } from "../fs/tree.ts";
import { changesBelow, changesOf } from "./common/changes.ts";
import { JSON_TYPE, jsonOf } from "./common/json.ts";

const PREFIX = "kv/";
/** Who may change it. */
const OWNERS = ["agent", "operator"];

export const kv: ServiceFactory = (view) =>
  tree(
    each({
      async list({ after, limit }) {
        const rows = await view.rows.list({
          prefix: PREFIX,
          limit,
          ...(after === undefined ? {} : { after: key.kv(after) }),
        });
        return rows.map((row) => ({
          name: nameOf(row.key),
          dir: false,
          size: row.value.length,
        }));
      },
      get: async (name, { op }) =>
        op === "write" || await view.rows.get(key.kv(name)) ? value(view, name) : undefined,
    }, {
      about: "one file a key; its content is JSON",
      watch: ({ signal }) => changesBelow(view.rows, PREFIX, nameOf, signal),
    }),
    view.viewer,
  );

function nameOf(at: string): string {
  return nameOfKey(at.slice(PREFIX.length));
}

function value(view: AgentView, name: string): Node {
  const { rows } = view;
  const at = key.kv(name);
  return file({
    type: JSON_TYPE,
    about: "a value, JSON",
    maxBytes: MAX_KV_BYTES,
    only: { write: OWNERS, remove: OWNERS },
    async stat() {
      const row = await rows.get(at);
      return row && { size: row.length, version: shortDigest(row) };
    },
    async read() {
      const row = await rows.get(at);
      if (!row) throw refusal("not_found");
      return row;
    },
    async write(data, { match }) {
      jsonOf(data, 'a value is JSON, and text is written with its quotes: "like this"');
      await rows.change(async (txn) => {
        const row = await txn.get(at);
        mustMatch(match, row && shortDigest(row));
        txn.put(at, data);
      });
    },
    watch: ({ signal }) => changesOf(rows, at, signal),
    remove: ({ match }) =>
      rows.change(async (txn) => {
        const row = await txn.get(at);
        if (!row) throw refusal("not_found");
        mustMatch(match, shortDigest(row));
        txn.remove(at);
      }),
  });
}
