/** States that new code migrates, over a storage that dies: each step once, in the commit of the code. */
import type { Agent } from "../../../src/core/agent.ts";
import { codeOf } from "../../../src/fs/error.ts";
import { same } from "../../expect.ts";
import { agent, said, type Scene } from "../../ticks/scene.ts";
import type { Workload } from "../workload.ts";

/** So much that the state stands in chunks. */
const LARGE = "old ".repeat(25_000);

interface Kept {
  readonly [name: string]: unknown;
  readonly steps: string[];
}

function version(n: number, migrate?: Agent["migrate"]): Agent {
  return agent((ctx, trigger) => {
    ctx.state.heard = [...ctx.state.heard ?? [], `${n} ${said(trigger)}`];
    ctx.state.large ??= LARGE;
    ctx.state.steps ??= [];
  }, { version: n, ...(migrate ? { migrate } : {}) });
}

const step = (n: number): Agent =>
  version(n, (from: number, old: Kept) => ({ ...old, steps: [...old.steps, `${from} to ${n}`] }));

const stuck = version(3, () => {
  throw new Error("it cannot be read");
});

/** A version behind the one that stands, and one that fails, are refused. */
async function deployed(s: Scene, name: string): Promise<void> {
  try {
    await s.at("one").call("/code", name);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "conflict" && !(name === "stuck" && code === "agent_error")) throw error;
  }
}

export default (): Workload => ({
  name: "migrate",
  agents: () => ({ v1: version(1), v2: step(2), v3: step(3), stuck }),
  steps: [
    (s) => s.create("one", { agent: { code: "v1" }, limits: { retry_ms: [0, 0] } }),
    (s) => s.at("one").send("a", { id: "a" }),
    (s) => deployed(s, "v2"),
    (s) => s.at("one").send("b", { id: "b" }),
    (s) => deployed(s, "stuck"),
    (s) => deployed(s, "v3"),
    (s) => s.at("one").control("hibernate"),
    (s) => s.at("one").send("c", { id: "c" }),
    (s) => deployed(s, "v2"),
  ],
  async check(s) {
    const { heard, steps, large } = await s.at("one").state() as unknown as Kept & {
      readonly heard: string[];
    };
    same(heard, ["1 a", "2 b", "3 c"], "who heard what");
    same(steps, ["1 to 2", "2 to 3"], "migrations");
    same(large === LARGE, true, "the large part of the state");
    same(await s.at("one").read("/code"), "v3", "the code");
  },
});
