/** A book of approvals over rows in memory, with the inbox that its answers go to. */
import { memoryBackend } from "../../src/backends/memory.ts";
import { announcer } from "../../src/core/announce.ts";
import { openApprovals } from "../../src/core/approvals.ts";
import { makeDeadLetters } from "../../src/core/dead.ts";
import { agentId, uuidv7 } from "../../src/core/id.ts";
import { openInbox } from "../../src/core/inbox.ts";
import type { AgentStorage } from "../../src/core/storage.ts";
import { openTrace, type TraceInput } from "../../src/core/trace.ts";
import { DEFAULT_OVERFLOW, type RowChange } from "../../src/core/view.ts";

export async function world(backend = memoryBackend(), redact?: (text: string) => string) {
  const changes = announcer<RowChange>();
  const rows = backend.storage(agentId("bob"));
  const storage: AgentStorage = {
    get: (key) => rows.get(key),
    list: (range) => rows.list(range),
    async commit(batch) {
      await rows.commit(batch);
      for (const { key } of batch.put) changes.tell({ key, type: "modified" });
    },
  };
  const now = () => backend.now();
  const newId = () => uuidv7(backend.now(), backend.random(10));
  const traced: TraceInput[] = [];
  const trace = await openTrace({
    storage,
    now,
    timer: (ms, fire) => backend.timer(ms, fire),
    hint: 1,
    retention: () => 1000,
    onError: (error) => {
      throw error;
    },
  });
  const inbox = await openInbox({
    storage,
    now,
    newBlobId: newId,
    trace,
    dead: makeDeadLetters({ storage, now, newBlobId: newId }),
    policy: { ...DEFAULT_OVERFLOW, max_depth: 1 },
    next: 1,
    onAccepted: () => {},
    onDropped: () => {},
    inTick: () => undefined,
    onError: (error) => {
      throw error;
    },
    onEnvelope: () => {},
    held: () => undefined,
  });
  const book = openApprovals({
    storage,
    now,
    newId,
    trace: { add: (event) => traced.push(event) },
    inbox,
    changes,
    ...(redact ? { redact } : {}),
  });
  return { backend, storage, inbox, book, traced };
}
