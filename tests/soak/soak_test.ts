/** A few kills of the real program under load; `deno task soak` does hundreds. */
import { deepEqual, ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { soak } from "./soak.ts";

const test = needs(
  Deno.build.os === "linux" ? undefined : "agents of one's own run on Linux alone",
);

test("five kills under load: nothing is lost, doubled, over budget or damaged", async () => {
  const told = await soak({ seed: 2, kills: 5 });
  const { givenUp, lost, doubled, overBudget, damaged } = told;
  deepEqual({ givenUp, lost, doubled, overBudget, damaged }, {
    givenUp: [],
    lost: [],
    doubled: [],
    overBudget: [],
    damaged: [],
  });
  ok(told.accepted > 0 && told.alarms > 0 && told.messages > 0 && told.asked > 0);
});
