/** Deliveries over a storage that dies. */
import type { EnvelopeId } from "../../../src/core/id.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { same } from "../../expect.ts";
import { agent } from "../../ticks/scene.ts";
import {
  checkCounts,
  checkNothingLeft,
  counting,
  heardBy,
  inOrder,
  remembering,
} from "../counting.ts";
import type { Workload } from "../workload.ts";

/** So much that it is kept in chunks while it waits. */
const LARGE = "large ".repeat(20_000);
const HEARD_OF_LARGE = LARGE.slice(0, 20);

/** Deliveries: with an id and without, again and at once, small and large, of several senders. */
export default (): Workload => ({
  name: "send",
  agents: () => ({ one: agent(counting), two: remembering }),
  steps: [
    (s) => s.create("two"),
    (s) => s.create("one", { limits: { retry_ms: [1_000, 1_000] } }),
    (s) => s.at("one", "ann").send("a", { id: "a" }),
    (s) => s.at("one", "ann").send("b", { id: "b" }),
    (s) => s.at("one", "ann").send("a", { id: "a" }),
    (s) =>
      s.answer(() =>
        Promise.all([
          s.at("one", "ann").sending("c", { id: "c" }),
          s.at("one", "ann").sending("c", { id: "c" }),
          s.at("one", "bob").sending("d", { id: "d" }),
        ])
      ),
    async (s) => {
      try {
        await s.at("one", "ann").send("not a", { id: "a" });
      } catch (error) {
        if (codeOf(error) !== "conflict") throw error;
      }
    },
    (s) => s.at("one", "bob").send(LARGE, { id: "large" }),
    (s) => s.at("one", "ann").send("e", { id: "e" }),
  ],
  async check(s, subject) {
    await checkCounts(s, ["a", "b", "c", "d", HEARD_OF_LARGE, "e"]);
    const heard = await heardBy(s, "one");
    inOrder(heard, ["a", "b", "c", "e"]);
    inOrder(heard, ["d", HEARD_OF_LARGE]);
    for (const id of ["a", "c", "large"]) {
      const { replies } = await s.at("one").wait(id as EnvelopeId);
      same(replies.length, 1, `replies to ${id}`);
    }
    await checkNothingLeft(s, subject);
  },
});
