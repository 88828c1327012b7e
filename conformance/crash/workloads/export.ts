/** An agent that leaves as a file over a storage that dies, is cloned, ended, and restored with what waited for it. */
import type { AgentId } from "../../../src/core/id.ts";
import type { ImportMode } from "../../../src/core/runtime.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import { heardBy } from "../counting.ts";
import type { Workload } from "../workload.ts";

/** So much that it is kept in chunks. */
const LARGE = "baggage ".repeat(20_000);
const ONE = "one" as AgentId;

async function tolerating(code: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (codeOf(error) !== code) throw error;
  }
}

export default (): Workload => {
  /** What has left the machine outlives every runtime on it. */
  let file: readonly Uint8Array[] | undefined;

  async function exported(s: Scene): Promise<void> {
    file ??= await s.answer(async () => await Array.fromAsync(await s.runtime.exportAgent(ONE)));
  }
  async function imported(s: Scene, id: string, mode: ImportMode): Promise<void> {
    async function* chunks() {
      yield* file!;
    }
    await tolerating(
      "already_exists",
      () => s.answer(() => s.runtime.importAgent(chunks(), { id: id as AgentId, mode })),
    );
  }
  return {
    name: "export",
    agents: () => ({
      one: agent(async (ctx, trigger) => {
        const text = said(trigger);
        ctx.state.heard = [...ctx.state.heard ?? [], text];
        if (text !== "a") return;
        await ctx.env.write("/files/baggage", LARGE);
        await ctx.alarm(3_600_000, "on the way");
        await ctx.reply("taken");
      }),
    }),
    steps: [
      // In a second life the restored one may be there already, made by another request.
      (s) => tolerating("already_exists", () => s.create("one", { limits: { retry_ms: [0, 0] } })),
      (s) => s.at("one").send("a", { id: "a" }),
      (s) => s.at("one").control("pause"),
      (s) => s.at("one").send("waits", { id: "waits" }),
      exported,
      (s) => imported(s, "copy", "clone"),
      (s) => s.at("copy").control("resume"),
      (s) => s.at("copy").send("b", { id: "b" }),
      (s) => tolerating("not_found", () => s.delete("one")),
      (s) => imported(s, "one", "restore"),
      (s) => s.at("one").send("waits", { id: "waits" }),
      (s) => s.at("one").control("resume"),
      (s) => s.at("one").send("c", { id: "c" }),
      (s) => s.advance(3_600_000),
    ],
    async check(s) {
      same(await heardBy(s, "one"), ["a", "waits", "c", 'alarm "on the way"'], "the restored one");
      same(await heardBy(s, "copy"), ["a", "b", 'alarm "on the way"'], "the clone");
      for (const id of ["one", "copy"]) {
        same(await s.at(id).read("/files/baggage") === LARGE, true, `the baggage of ${id}`);
      }
      same((await s.at("one").events("/outbox")).length, 1, "replies of the restored one");
    },
  };
};
