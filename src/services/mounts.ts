/** `/mounts`: the table of what is mounted for the agent, and how far it may go there. */
import { z } from "zod";
import { ACCESSES } from "../core/access.ts";
import { key } from "../core/keys.ts";
import type { Access, ServiceFactory } from "../core/view.ts";
import { file, refusal, tree } from "../fs/tree.ts";
import { changesOf } from "./common/changes.ts";
import { fitting, JSON_TYPE, jsonOf } from "./common/json.ts";

const tableSchema = z.array(z.strictObject({
  path: z.string(),
  service: z.string().optional(),
  access: z.enum(ACCESSES as [Access, ...Access[]]),
  type: z.literal("dir").exactOptional(),
  host_path: z.string().exactOptional(),
  hidden: z.array(z.string()).exactOptional(),
}));

export const mounts: ServiceFactory = (view) =>
  tree(
    file({
      type: JSON_TYPE,
      about: `the whole table: [{ path, access }], access one of ${ACCESSES.join(" ")}; ` +
        `a directory of the host is { path, type: "dir", host_path, access, hidden? }; ` +
        "what a write leaves out is no longer mounted",
      only: { write: ["operator"] },
      read: async () => JSON.stringify(await view.mounts()),
      async write(data) {
        const rows = fitting(tableSchema, jsonOf(data, "the table is a JSON array"));
        const paths = new Set(rows.map((row) => row.path));
        if (paths.size < rows.length) throw refusal("invalid_request", "a path is there twice");
        await view.setMounts(rows.map((row) => ({ ...row, service: row.service ?? row.path })));
      },
      watch: ({ signal }) => changesOf(view.rows, key.agent, signal),
    }),
    view.viewer,
  );
