/** POST /runtime/backup: the server's database as one file, as of one moment. How such a copy is made, the door knows. */
import type { Backend } from "../core/backend.ts";
import { FileError } from "../fs/error.ts";
import { flowing } from "./flow.ts";
import type { Route } from "./route.ts";
import type { Visit } from "./visit.ts";

const TYPE = "application/vnd.sqlite3";

export interface DatabaseCopy {
  readonly bytes: number;
  /** Read once; the copy is gone when they have been read, or when nobody reads on. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export type MakeCopy = (() => Promise<DatabaseCopy>) | undefined;

/** @param copy makes one; undefined where the storage makes none */
export function backupRoute(copy: MakeCopy, timer: Backend["timer"]): Route {
  return {
    at: "/runtime/backup",
    tag: "Runtime",
    methods: {
      POST: {
        id: "backUpRuntime",
        about: "Gives the database as one file, as of one moment",
        needs: "back up the database",
        answers: { 200: { about: "An SQLite database.", body: { [TYPE]: "bytes" } } },
        refusals: ["not_supported"],
        serve: (visit) => backUp(copy, timer, visit),
      },
    },
  };
}

async function backUp(
  copy: MakeCopy,
  timer: Backend["timer"],
  { target: { path }, stopping }: Visit,
): Promise<Response> {
  if (!copy) {
    const detail = "this server's storage is not one file; use what its provider has for backups";
    throw new FileError("not_supported", "back up", path, { detail });
  }
  const { bytes, chunks } = await copy();
  return new Response(await flowing(chunks, { timer, stopping }), {
    headers: {
      "content-type": TYPE,
      "content-length": String(bytes),
      "content-disposition": 'attachment; filename="agentd.db"',
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
