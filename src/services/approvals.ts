/** `/approvals/`: what the agent has asked people, and what they have answered. */
import type { Approval } from "../core/approval.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import type { Entry } from "../fs/file.ts";
import { byteOrder } from "../fs/path.ts";
import { each, file, type Node, type Paging, refusal, tree, type WatchEvent } from "../fs/tree.ts";
import { JSON_TYPE, textOf } from "./common/json.ts";

const OPEN = "open";
const PAGE = 100;
/** `approve` or `deny`, and room for a line's end. */
const MAX_ANSWER_BYTES = 64;

export const approvals: ServiceFactory = (view) =>
  tree(
    each({
      list: (page) => entries(view, page),
      get: (name) => name === OPEN ? open(view) : question(view, name),
    }, {
      about: "what waits for a person's yes; open tells of those without an answer",
      watch: ({ signal }) => changes(view, signal),
    }),
    view.viewer,
  );

/** In the order of asking; `open` is behind all ids. */
async function entries({ approvals }: AgentView, { after, limit }: Paging): Promise<Entry[]> {
  const page = await approvals.list({ limit, ...(after === undefined ? {} : { after }) });
  const found: Entry[] = page.map((approval) => ({
    name: approval.id,
    dir: false,
    modified: changedAt(approval),
  }));
  if (after === undefined || byteOrder(OPEN, after) > 0) found.push({ name: OPEN, dir: false });
  return found.slice(0, limit);
}

function changedAt({ decided_at, created_at }: Approval): number {
  return Date.parse(decided_at ?? created_at);
}

/** All that wait: there are never many. */
function open({ approvals }: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "the questions without an answer, oldest first",
    async read() {
      const waiting: Approval[] = [];
      let after: string | undefined;
      while (true) {
        const page = await approvals.list({ limit: PAGE, ...(after ? { after } : {}) });
        waiting.push(...page.filter(({ state }) => state === "pending"));
        if (page.length < PAGE) return JSON.stringify(waiting);
        after = page.at(-1)!.id;
      }
    },
  });
}

async function question({ approvals }: AgentView, id: string): Promise<Node | undefined> {
  if (!await approvals.get(id)) return undefined;
  return file({
    type: JSON_TYPE,
    about: "what the agent asks; approve or deny is the answer",
    only: { write: ["operator"] },
    maxBytes: MAX_ANSWER_BYTES,
    async stat() {
      const found = await approvals.get(id);
      return found && { modified: changedAt(found), version: found.state };
    },
    async read() {
      const found = await approvals.get(id);
      if (!found) throw refusal("not_found");
      return JSON.stringify(found);
    },
    async write(data) {
      const answer = textOf(data).trim();
      if (answer !== "approve" && answer !== "deny") {
        throw refusal("invalid_request", "it takes approve or deny");
      }
      await approvals.decide(id, answer);
    },
    async *watch({ signal }) {
      for await (const approval of approvals.watch(signal)) {
        if (approval.id === id) yield { type: "modified", state: approval.state };
      }
    },
  });
}

async function* changes(
  { approvals }: AgentView,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  for await (const { id, state } of approvals.watch(signal)) {
    yield { type: state === "pending" ? "created" : "modified", name: id, state };
  }
}
