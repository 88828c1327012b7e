/** `/deadletter/`: envelopes that were given up or did not fit, with their errors; back into the inbox, or away. */
import { envelopeToJson, senderOf } from "../core/envelope.ts";
import { envelopeId } from "../core/id.ts";
import type { AgentView, DeadLetter, ServiceFactory } from "../core/view.ts";
import type { Entry } from "../fs/file.ts";
import { byteOrder } from "../fs/path.ts";
import { each, file, type Node, type Paging, refusal, tree } from "../fs/tree.ts";
import { changesBelow } from "./common/changes.ts";
import { JSON_TYPE, textOf } from "./common/json.ts";

/** `list` tells of so many, the newest. */
export const MAX_LISTED = 1_000;
/** Letters that are held at once: each may be as large as an envelope. */
const PAGE = 20;
/** A word, an id and `fresh`. */
const MAX_COMMAND_BYTES = 256;
const COMMANDS = ["replay <id>", "replay <id> fresh", "replay all", "discard <id>"];
const PREFIX = "dead/";

export const deadletter: ServiceFactory = (view) => {
  const fixed = new Map<string, Node>([
    ["count", count(view)],
    ["ctl", ctl(view)],
    ["list", list(view)],
  ]);
  return tree(
    each({
      list: (page) => entries(view, fixed.keys(), page),
      get: (name) => fixed.get(name) ?? letter(view, name),
    }, {
      about: "envelopes that were given up; ctl takes them back or throws them away",
      watch: async function* ({ signal }) {
        const nameOf = (at: string) => at.slice(PREFIX.length);
        for await (const event of changesBelow(view.rows, PREFIX, nameOf, signal)) {
          if (event.type === "created") yield event;
        }
      },
    }),
    view.viewer,
  );
};

async function* letters(view: AgentView, after?: string): AsyncGenerator<DeadLetter> {
  while (true) {
    const page = await view.deadLetters.list({
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.envelope.id;
  }
}

async function entries(
  view: AgentView,
  fixed: Iterable<string>,
  { after, limit }: Paging,
): Promise<Entry[]> {
  const names = [...fixed].filter((name) => after === undefined || byteOrder(name, after) > 0);
  let found = 0;
  for await (const { envelope } of letters(view, after)) {
    names.push(envelope.id);
    if (++found === limit) break;
  }
  return names.sort(byteOrder).slice(0, limit).map((name) => ({ name, dir: false }));
}

async function letter(view: AgentView, name: string): Promise<Node | undefined> {
  if (!await view.deadLetters.get(name)) return undefined;
  return file({
    type: JSON_TYPE,
    about: "an envelope with its tries and errors",
    async stat() {
      const found = await view.deadLetters.get(name);
      return found && { modified: Date.parse(found.at) };
    },
    async read() {
      const found = await view.deadLetters.get(name);
      if (!found) throw refusal("not_found");
      return JSON.stringify({ ...found, envelope: envelopeToJson(found.envelope) });
    },
  });
}

function count(view: AgentView): Node {
  return file({
    type: "text/plain; charset=utf-8",
    about: "how many there are",
    read: async () => `${await view.deadLetters.count()}\n`,
  });
}

/** The newest first. */
function list(view: AgentView): Node {
  return file({
    type: JSON_TYPE,
    about: `the newest ${MAX_LISTED}, each with its reason, tries and last error`,
    async read() {
      const found = [];
      for await (const letter of letters(view)) found.push(summary(letter));
      found.sort((a, b) => byteOrder(b.at, a.at) || byteOrder(b.id, a.id));
      return JSON.stringify(found.slice(0, MAX_LISTED));
    },
  });
}

function summary({ envelope, reason, at, tries, errors }: DeadLetter) {
  return {
    id: envelope.id,
    sender: senderOf(envelope.source),
    reason,
    at,
    tries,
    last_error: errors.at(-1) ?? null,
  };
}

function ctl(view: AgentView): Node {
  const perform = async (data: Uint8Array) => JSON.stringify(await command(view, textOf(data)));
  return file({
    type: "text/plain; charset=utf-8",
    about: `one of: ${COMMANDS.join(", ")}; fresh forgets the answers that its tries have had`,
    maxBytes: MAX_COMMAND_BYTES,
    read: () => COMMANDS.join("\n") + "\n",
    write: async (data) => void await perform(data),
    call: perform,
  });
}

async function command(
  { deadLetters }: AgentView,
  text: string,
): Promise<{ replayed: number } | { discarded: number }> {
  const [word, what, ...rest] = text.trim().split(/\s+/);
  const fresh = rest[0] === "fresh";
  if (what !== undefined && rest.length === (fresh ? 1 : 0)) {
    const all = what === "all";
    if (word === "replay" && all && !fresh) return { replayed: await deadLetters.replayAll() };
    if (word === "replay" && !all) {
      await deadLetters.replay(envelopeId(what), fresh);
      return { replayed: 1 };
    }
    if (word === "discard" && !fresh) {
      await deadLetters.discard(envelopeId(what));
      return { discarded: 1 };
    }
  }
  throw refusal("invalid_request", `it takes ${COMMANDS.join(", ")}`);
}
