/** Dead letters over a storage that dies: given up, too many for the inbox, replayed, discarded. */
import { codeOf } from "../../../src/fs/error.ts";
import { same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import { heardBy } from "../counting.ts";
import type { Workload } from "../workload.ts";

/** Messages, of which one is discarded. */
const SENT = 8;

/** What is done already is as good as done. */
async function handled(s: Scene, word: string): Promise<void> {
  try {
    await s.at("one").dead(word);
  } catch (error) {
    if (codeOf(error) !== "not_found") throw error;
  }
}

export default (): Workload => ({
  name: "dead letter",
  agents: () => ({
    one: agent(async (ctx, trigger) => {
      const text = said(trigger);
      if (text === "mend") await ctx.kv.set("mended", true);
      else if (text.startsWith("bad") && !await ctx.kv.get("mended")) throw new Error("not yet");
      ctx.state.heard = [...ctx.state.heard ?? [], text];
    }),
  }),
  aside: ["bad 1", "bad 2", "bad 3", "fits", "fits not", "fits never"].map(asId),
  steps: [
    (s) => s.create("one", { limits: { retry_ms: [100, 100] } }),
    ...["bad 1", "bad 2", "bad 3"].map((text) => (s: Scene) =>
      s.at("one", "ann").send(text, { id: asId(text) })
    ),
    (s) => s.advance(1_000),
    (s) => s.at("one", "ann").send("mend", { id: "mend" }),
    (s) => handled(s, "discard bad-2"),
    (s) => handled(s, "replay bad-1"),
    (s) => s.at("one").overflow({ max_depth: 1, policy: "dead_letter", dead_letter_max: 2 }),
    (s) => s.at("one").control("pause"),
    ...["fits", "fits not", "fits never"].map((text) => (s: Scene) =>
      s.at("one", "bob").send(text, { id: asId(text) })
    ),
    (s) => s.at("one").control("resume"),
    (s) => s.at("one").overflow({ max_depth: 10, policy: "dead_letter", dead_letter_max: 2 }),
    (s) => handled(s, "replay bad-3"),
    (s) => handled(s, "replay fits-never"),
    (s) => s.at("one", "ann").send("last", { id: "last" }),
  ],
  async check(s) {
    const heard = await heardBy(s, "one");
    const must = ["bad 1", "bad 3", "fits", "last", "mend"];
    same(heard.filter((text) => must.includes(text)).sort(), must, "what was heard, each once");
    const letters = (await s.at("one").letters()).map(({ id }) => id);
    same(letters.filter((id) => id.startsWith("bad")), [], "letters that were handled");
    same(
      letters.length + heard.length,
      SENT - 1,
      "what was heard or is left, all but the discarded",
    );
  },
});

function asId(text: string): string {
  return text.replace(" ", "-");
}
