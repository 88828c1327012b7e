/** Deliveries without an id over a storage that dies. */
import { holds } from "../../expect.ts";
import { agent, type Scene } from "../../ticks/scene.ts";
import { checkCounts, checkNothingLeft, counting, heardBy, remembering } from "../counting.ts";
import type { Workload } from "../workload.ts";

/** A delivery without an id, whose sender cannot say it again: taken once, or not at all if nobody said that it was. */
export default function anonymous(): Workload {
  let taken = 0;
  let tried = 0;
  return {
    name: "send without an id",
    agents: () => ({ one: agent(counting), two: remembering }),
    steps: [
      (s) => s.create("two"),
      (s) => s.create("one"),
      ...["a", "b", "c"].map((text) => async (s: Scene) => {
        tried++;
        await s.at("one").send(text);
        taken++;
      }),
    ],
    async check(s, subject) {
      const heard = await heardBy(s, "one");
      holds(heard.length >= taken, `${taken} were accepted, ${heard.length} were ticked`);
      holds(heard.length <= tried, `${tried} were sent, ${heard.length} were ticked`);
      await checkCounts(s, heard);
      await checkNothingLeft(s, subject);
    },
  };
}
