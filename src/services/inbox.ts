/** `/inbox/`: what waits for the agent; writing to it is how everything reaches it. */
import { z } from "zod";
import { bodyOf } from "../core/body.ts";
import { envelopeToJson, MAX_ENVELOPE_BYTES, parseEnvelope } from "../core/envelope.ts";
import { padN } from "../core/keys.ts";
import { numberOfKey } from "../core/keys.ts";
import type { AgentView, OverflowPolicy, ServiceFactory } from "../core/view.ts";
import type { Entry } from "../fs/file.ts";
import { byteOrder } from "../fs/path.ts";
import { each, file, type Node, type Paging, tree, type WatchEvent } from "../fs/tree.ts";
import { fitting, JSON_TYPE, jsonOf } from "./common/json.ts";

const OVERFLOW = "overflow";
/** `<n>-<envelope id>.json` */
const WAITING = /^(\d{12})-(.{1,128})\.json$/;

type Waiting = Awaited<ReturnType<AgentView["waiting"]>>[number];

export const inbox: ServiceFactory = (view) => {
  const enqueue = (bytes: Uint8Array, type: string | undefined) =>
    view.deliver(parseEnvelope(bodyOf(bytes, type)));
  return tree(
    each({
      list: (page) => entries(view, page),
      get: (name) => name === OVERFLOW ? overflow(view) : peek(view, name),
    }, {
      about: "an envelope, or any JSON or text, is enqueued; a call answers with its receipt",
      maxBytes: MAX_ENVELOPE_BYTES,
      write: async (data, { type }) => void await enqueue(data, type),
      append: async (data, { type }) => void await enqueue(data, type),
      call: async (data, { type }) => JSON.stringify(await enqueue(data, type)),
      watch: ({ signal }) => arrivals(view, signal),
    }),
    view.viewer,
  );
};

/** The oldest first; `overflow` is behind all digits. */
async function entries(view: AgentView, { after = "", limit }: Paging): Promise<Entry[]> {
  const found: Entry[] = [];
  let behind = numberBefore(after);
  while (found.length < limit) {
    const page = await view.waiting({ after: behind, limit });
    for (const waiting of page) {
      if (byteOrder(nameOf(waiting), after) > 0) found.push(entry(waiting));
    }
    if (page.length < limit) break;
    behind = page.at(-1)!.n;
  }
  if (byteOrder(OVERFLOW, after) > 0) found.push({ name: OVERFLOW, dir: false });
  return found.slice(0, limit);
}

/** A number below those of all names behind `name`. */
function numberBefore(name: string): number {
  const digits = /^\d{0,12}/.exec(name)![0];
  return Number(digits.padEnd(12, "0")) - 1;
}

function nameOf({ n, id }: Pick<Waiting, "n" | "id">): string {
  return `${padN(n)}-${id}.json`;
}

function entry(waiting: Waiting): Entry {
  return { name: nameOf(waiting), dir: false, size: waiting.bytes, modified: waiting.at };
}

/** The waiting envelope of that name, as long as it waits. */
async function peek(view: AgentView, name: string): Promise<Node | undefined> {
  const n = Number(WAITING.exec(name)?.[1]);
  const find = async () => {
    const [waiting] = await view.waiting({ after: n - 1, limit: 1 });
    return waiting && nameOf(waiting) === name ? waiting : undefined;
  };
  if (Number.isNaN(n) || !await find()) return undefined;
  return file({
    type: JSON_TYPE,
    about: "an envelope that waits; reading does not take it",
    async stat() {
      const waiting = await find();
      return waiting && { modified: waiting.at };
    },
    async read() {
      const envelope = await view.waitingEnvelope(n);
      return envelope ? JSON.stringify(envelopeToJson(envelope)) : "";
    },
  });
}

/** Each accepted envelope, with its name if it still waits when the event is read. */
async function* arrivals(view: AgentView, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  for await (const change of view.rows.watch("inbox/", signal)) {
    if (change.type !== "created") continue;
    const n = numberOfKey(change.key);
    const [waiting] = await view.waiting({ after: n - 1, limit: 1 });
    if (waiting?.n !== n) yield { type: "created", n };
    else yield { type: "created", n, name: nameOf(waiting), envelope_id: waiting.id };
  }
}

const MAX_DEPTH = 1_000_000;
const policySchema = z.strictObject({
  max_depth: z.int().min(1).max(MAX_DEPTH),
  policy: z.enum(["reject_new", "dead_letter", "drop_oldest"]),
  dead_letter_max: z.int().min(0).max(MAX_DEPTH),
}).partial();

/** What is left out of a write stays as it is. */
function overflow(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: "what happens when the inbox is full: max_depth, policy (reject_new, dead_letter, " +
      "drop_oldest), dead_letter_max",
    only: { write: ["operator"] },
    read: async () => JSON.stringify(await view.overflow()),
    async write(data) {
      const change = fitting(policySchema, jsonOf(data, "a policy is a JSON object"));
      await view.setOverflow({ ...await view.overflow(), ...change } as OverflowPolicy);
    },
  });
}
