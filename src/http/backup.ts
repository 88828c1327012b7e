/** POST /runtime/backup: the server's database as one file, as of one moment. How such a copy is made, the door knows. */
import type { Backend } from "../core/backend.ts";
import { FileError } from "../fs/error.ts";
import { wrongMethod } from "./codes.ts";
import { flowing } from "./flow.ts";
import { demand } from "./rights.ts";
import type { Visit } from "./visit.ts";

export interface DatabaseCopy {
  readonly bytes: number;
  /** Read once; the copy is gone when they have been read, or when nobody reads on. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** @param copy makes one; undefined where the storage makes none. @throws FileError */
export async function backUp(
  copy: (() => Promise<DatabaseCopy>) | undefined,
  timer: Backend["timer"],
  { request, target: { path }, principal, stopping }: Visit,
): Promise<Response> {
  demand(principal, "back up the database", path);
  if (request.method !== "POST") return wrongMethod(request.method, ["POST"], path);
  if (!copy) {
    const detail = "this server's storage is not one file; use what its provider has for backups";
    throw new FileError("not_supported", "back up", path, { detail });
  }
  const { bytes, chunks } = await copy();
  return new Response(await flowing(chunks, { timer, stopping }), {
    headers: {
      "content-type": "application/vnd.sqlite3",
      "content-length": String(bytes),
      "content-disposition": 'attachment; filename="agentd.db"',
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
