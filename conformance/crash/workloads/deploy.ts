/** New code over a storage that dies: it stands whole in one commit, or the old code stays; what does not load changes nothing. */
import { codeOf } from "../../../src/fs/error.ts";
import { same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import type { Workload } from "../workload.ts";

/** So much that the code stands in chunks. */
const FILLER = "//".repeat(50_000);

/** A module: its first line says which agent it is. */
function moduleOf(name: string): string {
  return `${name}\n${FILLER}`;
}

async function deployed(s: Scene, name: string): Promise<void> {
  try {
    await s.at("one").call("/code", moduleOf(name));
  } catch (error) {
    if (name !== "missing" || codeOf(error) !== "agent_error") throw error;
  }
}

const speaking = (name: string) =>
  agent((ctx, trigger) => {
    ctx.state.heard = [...ctx.state.heard ?? [], `${name} ${said(trigger)}`];
  });

export default (): Workload => ({
  name: "deploy",
  agents: () => ({ first: speaking("first"), second: speaking("second") }),
  steps: [
    (s) => s.create("one", { agent: { code: moduleOf("first") }, limits: { retry_ms: [0, 0] } }),
    (s) => s.at("one").send("a", { id: "a" }),
    (s) => deployed(s, "second"),
    (s) => s.at("one").send("b", { id: "b" }),
    (s) => s.at("one").control("pause"),
    (s) => deployed(s, "missing"),
    (s) => s.at("one").control("resume"),
    (s) => s.at("one").send("c", { id: "c" }),
  ],
  async check(s) {
    const { heard } = await s.at("one").state() as { heard: string[] };
    same(heard, ["first a", "second b", "second c"], "who heard what");
    same(await s.at("one").read("/code"), moduleOf("second"), "the code");
  },
});
