/** Writing a file of any size: streamed into a stage, put in its place by one change. */
import { codeOf } from "../../fs/error.ts";
import { refusal, type WriteOptions, type Writer } from "../../fs/tree.ts";
import { key } from "../../core/keys.ts";
import type { AgentView } from "../../core/view.ts";
import { fits } from "./entry.ts";
import { headOf } from "./head.ts";
import { moved, openStage } from "./stage.ts";
import { place, type Wish } from "./store.ts";

/** How often an append looks for the end of a file to which others append as well. */
const MAX_APPEND_TRIES = 20;
/** Printable ASCII, as in a header. */
const MEDIA_TYPE = /^[!-~][ -~]{0,254}$/;
/** What curl says of any data; it tells nothing about a file. */
const NO_TYPE = "application/x-www-form-urlencoded";
/** After these nobody knows whether the commit took place: what was kept is left to the sweep, which does. */
const UNKNOWN = ["io", "internal", "corrupt", "timeout", "interrupted"];

/** @throws FileError `invalid_path` for a path that no row can have, `invalid_request` for a bad media type */
export async function openFileWriter(
  view: Pick<AgentView, "rows" | "newBlobId" | "now">,
  names: readonly string[],
  mode: "write" | "append",
  o: Omit<WriteOptions, "signal">,
): Promise<Writer> {
  if (!fits(names)) {
    throw refusal(
      "invalid_path",
      "too long: a path here has some 2,000 bytes, an unusual one three times",
    );
  }
  const wish: Omit<Wish, "now"> = {
    how: mode === "append" ? "append" : o.offset === undefined ? "whole" : "part",
    ...(o.match === undefined ? {} : { match: o.match }),
    ...mediaType(o.type),
  };
  let stage = openStage(view, wish.how === "append" ? await sizeOf(view, names) : o.offset ?? 0);

  async function commit(): Promise<void> {
    for (let i = 0; i < MAX_APPEND_TRIES; i++) {
      const end = await view.rows.change((txn) =>
        place(txn, names, stage, { ...wish, now: view.now() })
      );
      if (end === undefined) return;
      stage = await moved(view, stage, end);
    }
    throw refusal("conflict", "others append to it faster than this could; try again");
  }
  return {
    write: (chunk) => stage.write(chunk),
    abort: () => stage.discard(),
    async close() {
      try {
        await commit();
      } catch (error) {
        if (!UNKNOWN.includes(codeOf(error))) await stage.discard().catch(() => {});
        throw error;
      }
    },
  };
}

function mediaType(type: string | undefined): { type?: string } {
  if (type === undefined || type === NO_TYPE) return {};
  if (MEDIA_TYPE.test(type)) return { type };
  throw refusal("invalid_request", "a media type is printable ASCII of at most 255 characters");
}

async function sizeOf(
  view: Pick<AgentView, "rows">,
  names: readonly string[],
): Promise<number> {
  const value = await view.rows.get(key.file(names));
  return value ? headOf(value).size : 0;
}
