/** What is being written, before it counts: held in memory while it is small, in a file beside its goal when it is not. */
import type { Writer } from "../../fs/tree.ts";
import { type Changes, chunksOfDraft, type Draft, mustBegin } from "./change.ts";
import { CHUNK_BYTES, writeChunk } from "./held_file.ts";
import type { Names } from "./disk.ts";
import { hosted } from "./host_error.ts";

/** So much of one write is held in memory. */
const MAX_HELD_BYTES = CHUNK_BYTES;
const MAX_HELD_CHUNKS = 512;

export interface StageOptions {
  readonly match?: string;
  readonly offset?: number;
}

/** Nothing is seen of it before `close`, and nothing after `abort`. The goal is looked for at `close`, as it then is. */
export function stage(
  changes: Changes,
  called: Names,
  mode: "write" | "append",
  { match, offset }: StageOptions,
): Writer {
  const goal = changes.goal(called);
  mustBegin(offset, goal.info?.size ?? 0);
  let held: Uint8Array[] = [];
  let size = 0;
  let written = 0;
  let draft: Draft | undefined;

  /** All that is held goes into the draft. */
  function spill(): Draft {
    draft ??= changes.draft(changes.goal(called));
    for (const chunk of held) {
      writeChunk(draft.held.fd, chunk, written);
      written += chunk.length;
    }
    held = [];
    size = 0;
    return draft;
  }

  function commit(): void {
    const { info } = changes.goal(called);
    mustBegin(offset, info?.size ?? 0);
    if (info && (mode === "append" || offset !== undefined)) {
      changes.splice(called, draft ? chunksOfDraft(spill()) : held, offset, match);
    } else {
      changes.replace(called, spill(), match);
      draft = undefined;
    }
  }

  function discard(): void {
    held = [];
    const dropped = draft;
    draft = undefined;
    if (dropped) changes.drop(dropped);
  }

  return {
    // deno-lint-ignore require-await -- its refusals are rejections
    async write(chunk) {
      held.push(chunk);
      size += chunk.length;
      if (size > MAX_HELD_BYTES || held.length > MAX_HELD_CHUNKS) hosted(spill);
    },
    // deno-lint-ignore require-await -- its refusals are rejections
    async close() {
      try {
        hosted(commit);
      } finally {
        discard();
      }
    },
    // deno-lint-ignore require-await -- its refusals are rejections
    async abort() {
      discard();
    },
  };
}
