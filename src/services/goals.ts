/** `/goals/`: what the agent is after, one checked JSON file each. */
import { z } from "zod";
import { decodeJson, encodeJson, shortDigest } from "../core/code.ts";
import { isoTime } from "../core/id.ts";
import { key, nameOfKey } from "../core/keys.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import type { Entry } from "../fs/file.ts";
import {
  each,
  file,
  mustMatch,
  type Node,
  type Paging,
  refusal,
  tree,
  type WriteOptions,
} from "../fs/tree.ts";
import { changesBelow, changesOf } from "./common/changes.ts";
import { fitting, JSON_TYPE, jsonOf } from "./common/json.ts";

export const MAX_DESCRIPTION = 10_000;
const MAX_GOAL_BYTES = 64 * 1024;
const ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";
const FILE = new RegExp(`^(${ID})\\.json$`);
const PREFIX = "goal/";

const goalSchema = z.strictObject({
  id: z.string(),
  description: z.string().min(1).max(MAX_DESCRIPTION),
  status: z.enum(["active", "completed", "abandoned"]),
  progress: z.number().min(0).max(1),
  created_at: z.iso.datetime({ offset: true }).transform((time) => isoTime(Date.parse(time))),
  updated_at: z.string(),
});

type Goal = z.infer<typeof goalSchema>;

export const goals: ServiceFactory = (view) =>
  tree(
    each({
      list: (page) => entries(view, page),
      async get(name, { op }) {
        const id = FILE.exec(name)?.[1];
        const makes = op === "write" || op === "append";
        if (id === undefined) {
          if (!makes) return undefined;
          throw refusal("invalid_path", `a goal is <id>.json, with an id of ${ID}`);
        }
        return makes || await view.rows.get(key.goal(id)) ? goal(view, id) : undefined;
      },
    }, {
      about: "one file a goal: id, description, status (active, completed, abandoned), progress " +
        "from 0 to 1; what a write leaves out stays as it is",
      watch: ({ signal }) => changesBelow(view.rows, PREFIX, fileOf, signal),
    }),
    view.viewer,
  );

function fileOf(at: string): string {
  return `${nameOfKey(at.slice(PREFIX.length))}.json`;
}

/** In the order of their ids. */
async function entries(view: AgentView, { after, limit }: Paging): Promise<Entry[]> {
  const id = after === undefined ? undefined : after.replace(/\.json$/, "");
  const rows = await view.rows.list({
    prefix: PREFIX,
    limit,
    ...(id === undefined ? {} : { after: key.goal(id) }),
  });
  return rows.map((row) => ({
    name: fileOf(row.key),
    dir: false,
    size: row.value.length,
    modified: updatedAt(row.value),
  }));
}

function goal(view: AgentView, id: string): Node {
  const { rows } = view;
  const at = key.goal(id);
  return file({
    type: JSON_TYPE,
    about: "a goal",
    maxBytes: MAX_GOAL_BYTES,
    async stat() {
      const row = await rows.get(at);
      return row && { size: row.length, version: shortDigest(row), modified: updatedAt(row) };
    },
    async read() {
      const row = await rows.get(at);
      if (!row) throw refusal("not_found");
      return row;
    },
    write: (data, o) => put(view, id, data, o),
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

/** `created_at` is the goal's for good, and `updated_at` is always told by the clock. */
async function put(
  view: AgentView,
  id: string,
  data: Uint8Array,
  { match }: WriteOptions,
): Promise<void> {
  const given = jsonOf(data, "a goal is a JSON object");
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refusal("invalid_request", "a goal is a JSON object");
  }
  await view.rows.change(async (txn) => {
    const at = key.goal(id);
    const row = await txn.get(at);
    mustMatch(match, row && shortDigest(row));
    const old = row && decodeJson<Goal>(row);
    const now = isoTime(view.now());
    const start = { id, status: "active", progress: 0, created_at: now };
    const checked = fitting(goalSchema, { ...start, ...old, ...given, updated_at: now });
    if (checked.id !== id) {
      throw refusal("invalid_request", `id: the file says ${id}, not ${checked.id.slice(0, 140)}`);
    }
    const created_at = old?.created_at ?? checked.created_at;
    txn.put(at, encodeJson({ ...checked, created_at } satisfies Goal));
  });
}

function updatedAt(row: Uint8Array): number {
  return Date.parse(decodeJson<Goal>(row).updated_at);
}
