/** An agent's real process that is killed at frames of its pipe; `deno task crash --in process` tries all of them. */
import { ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { processPoints } from "./process_points.ts";

const test = needs(
  Deno.build.os === "linux" ? undefined : "agents of one's own run on Linux alone",
);

/** Every so manyth frame: a handful. */
const STRIDE = 41;

test("an agent whose process dies at a frame of its pipe does once what it was doing", async () => {
  const tried = await processPoints({ from: 3, stride: STRIDE });
  ok(tried >= 4, `${tried} frames`);
  console.log(`${tried} frames at which an agent's process died`);
});
