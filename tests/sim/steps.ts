/** The steps of the simulation: what senders, operators, the clock and the power supply do to a world. */
import { holds, refuses, same } from "../../conformance/expect.ts";
import { door } from "../../conformance/ticks/scene.ts";
import { SHOP } from "../../conformance/ticks/shop.ts";
import { JOURNAL_TTL_MS } from "../../src/core/journal.ts";
import type { Json } from "../../src/core/envelope.ts";
import { codeOf } from "../../src/fs/error.ts";
import { writeText } from "../../src/fs/use.ts";
import { drawOrder } from "./orders.ts";
import type { Order } from "./worker.ts";
import type { World } from "./world.ts";

/** A message as its sender remembers it. */
interface Post {
  readonly id: string;
  readonly to: string;
  readonly sender: string;
  readonly order: Order;
}

export interface Story {
  readonly world: World;
  readonly posts: Post[];
  /** Purchases under a key, with the time at which they were first asked for. */
  readonly keyed: { readonly id: string; readonly key: string; readonly atMs: number }[];
  /** The number of the step. */
  step: number;
}

const WEIGHTS = {
  send: 30,
  burst: 10,
  again: 6,
  conflict: 2,
  advance: 18,
  set: 3,
  crash: 3,
  midway: 4,
  stop: 2,
  control: 8,
  gate: 4,
  shop: 5,
  letters: 5,
  buy: 5,
};
export type StepName = keyof typeof WEIGHTS;

const SENDERS = ["ann", "bob", "cleo"];
const MOST_AT_ONCE = 12;
const ADVANCES_MS = [0, 100, 1_000, 1_000, 5_000, 5_000, 20_000, 60_000, 3_600_000];
const SETS_MS = [1_000, 60_000, 3_600_000, 86_400_000];
/** Turns of promises after which the power fails. */
const MOST_TURNS = 600;
/** How long a runtime that is stopped may go on. */
const GRACE_MS = 5_000;

export function drawStep({ world }: Story): StepName {
  return world.chance.weighed(WEIGHTS);
}

/** Rejects when the runtime dies in it, or breaks a promise. */
export async function take(story: Story, step: StepName): Promise<void> {
  await STEPS[step](story);
}

const STEPS: Record<StepName, (story: Story) => Promise<void>> = {
  send: (story) => sendAll(story, draft(story, 1)),
  burst: (story) => sendAll(story, draft(story, 2 + story.world.chance.below(MOST_AT_ONCE))),
  async again(story) {
    const post = aPost(story);
    if (post) await sendAll(story, [post]);
  },
  async conflict(story) {
    const { world } = story;
    const post = aPost(story);
    if (!post || !world.model.parts.get(post.to)!.sent.get(post.id)?.told) return;
    const { to, sender, id } = post;
    await refuses("conflict", () => world.s.at(to, sender).send("another", { id }), id);
  },
  advance: ({ world }) => world.s.advance(world.chance.pick(ADVANCES_MS)),
  async set({ world }) {
    world.clock.set(world.chance.pick(SETS_MS) * (world.chance.percent(50) ? 1 : -1));
    await world.s.quiet();
  },
  crash: ({ world }) => world.revive(),
  async midway(story) {
    const { world } = story;
    const posts = draft(story, 1 + world.chance.below(MOST_AT_ONCE));
    const sending = Promise.all(posts.map((post) => send(story, post)));
    sending.catch(() => {});
    for (let n = world.chance.below(MOST_TURNS); n > 0; n--) await Promise.resolve();
    await world.revive();
  },
  async stop({ world }) {
    const { s } = world;
    const stopping = s.runtime.stop(GRACE_MS);
    stopping.catch(() => {});
    await s.advance(GRACE_MS);
    await s.answer(() => stopping);
    await world.revive();
  },
  async control({ world }) {
    const { s, chance } = world;
    const files = await s.answer(() => s.at(chance.pick(world.ids)).files());
    // Some words are answered when the running tick has ended, which may be waiting for a later step.
    writeText(files, "/ctl", chance.pick(["pause", "resume", "resume", "hibernate", "wake"]))
      .catch((error) => holds(codeOf(error) !== undefined, String(error)));
    await s.quiet();
  },
  async gate({ world }) {
    world.gate.open();
    await world.s.quiet();
    if (world.chance.percent(70)) world.gate = door();
  },
  async shop({ world }) {
    world.subject.shop.open();
    await world.s.quiet();
    if (world.chance.percent(70)) world.subject.shop.shut();
  },
  async letters({ world }) {
    const { s, chance, model } = world;
    const id = chance.pick(world.ids);
    const letters = await s.at(id).letters();
    if (letters.length === 0) return;
    const letter = chance.pick(letters).id;
    const part = model.parts.get(id)!;
    const word = chance.pick(["replay", "discard"]);
    (word === "replay" ? part.replayed : part.leaving).add(letter);
    try {
      await s.at(id).dead(`${word} ${letter}`);
    } catch (error) {
      if (codeOf(error) !== "inbox_full" || word !== "replay") throw error;
    }
  },
  async buy({ world, step, keyed }) {
    const { s, chance, clock } = world;
    // A key that is older may be forgotten, and is another one then.
    const known = keyed.filter(({ atMs }) => clock.latest - atMs < JOURNAL_TTL_MS);
    const isNew = known.length === 0 || chance.percent(50);
    const { id, key } = isNew ? { id: chance.pick(world.ids), key: `${step}` } : chance.pick(known);
    if (isNew) keyed.push({ id, key, atMs: clock.now() });
    const wish = { item: `${id} by key ${key}`, price: 20, key };
    try {
      await s.at(id).call(`${SHOP}/buy`, JSON.stringify(wish));
    } catch (error) {
      if (!["budget_exceeded", "interrupted"].includes(codeOf(error) ?? "")) throw error;
    }
  },
};

function aPost({ world, posts }: Story): Post | undefined {
  return posts.length === 0 ? undefined : world.chance.pick(posts);
}

function draft(story: Story, count: number): Post[] {
  const { chance, ids } = story.world;
  const posts = Array.from({ length: count }, (_, n) => ({
    id: `m${story.step}.${n}`,
    to: chance.pick(ids),
    sender: chance.pick(SENDERS),
    order: drawOrder(chance, ids),
  }));
  story.posts.push(...posts);
  return posts;
}

async function sendAll(story: Story, posts: readonly Post[]): Promise<void> {
  await story.world.s.answer(() => Promise.all(posts.map((post) => send(story, post))));
}

/** What the sender knows afterwards is what the model is told; without an answer it knows nothing. */
async function send({ world, step }: Story, { id, to, sender, order }: Post): Promise<void> {
  const part = world.model.parts.get(to)!;
  const before = part.sent.get(id);
  const replies = order.does.filter(({ deed }) => deed === "reply").length;
  if (before && !before.told) part.replayed.add(id);
  if (!before) part.sent.set(id, { sender: `http:${sender}`, step, told: false, replies });
  const sent = part.sent.get(id)!;
  try {
    const receipt = await world.s.at(to, sender).sending(order as unknown as Json, { id });
    same(receipt.envelope_id, id, "the id of a receipt");
    if (!before || before.told) same(receipt.duplicate, before !== undefined, `a repeat of ${id}`);
    holds(
      receipt.duplicate || receipt.disposition === "queued" ||
        world.policies.get(to)!.policy === "dead_letter",
      `${id} is a dead letter where no policy says so`,
    );
    sent.told = true;
  } catch (error) {
    if (codeOf(error) !== "inbox_full" || before?.told) throw error;
    if (!before) part.sent.delete(id);
  }
}
