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
}));

export const mounts: ServiceFactory = (view) =>
  tree(
    file({
      type: JSON_TYPE,
      about: `the whole table: [{ path, access }], access one of ${ACCESSES.join(" ")}; ` +
        "what a write leaves out is no longer mounted",
      only: { write: ["operator"] },
      read: async () => JSON.stringify(await view.mounts()),
      async write(data) {
        const rows = fitting(tableSchema, jsonOf(data, "the table is a JSON array"));
        const paths = new Set(rows.map((row) => row.path));
        if (paths.size < rows.length) throw refusal("invalid_request", "a path is there twice");
        await view.setMounts(rows.map(({ path, service, access }) => {
          return { path, service: service ?? path, access };
        }));
      },
      watch: ({ signal }) => changesOf(view.rows, key.agent, signal),
    }),
    view.viewer,
  );
