/** Files that say which agents there are to be. */
import { parseFleet } from "../../../src/cli/fleet.ts";
import { agentId } from "../../../src/core/id.ts";
import { ok } from "../../assert.ts";
import { mistyped } from "../expect.ts";
import { anyText, brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const VALID = [
  "version: 1\nagents: {}\n",
  `version: 1
agents:
  bob:
    agent: echo
    name: Bob   # the first
    goals:
      - arrive
      - "stay"
    mounts:
      /files: read_write
      /docs: { dir: ./docs, access: read_only, hidden: [".git"] }
      /compute: null
    budgets:
      /: $1/day
      /compute: { per_day: "$0.50", per_tick: $0.01 }
    limits: { tick_timeout_ms: 1000 }
    autonomy: full
    paused: false
`,
  `version: 1
agents:
  a: &base
    agent: ./a.ts
    config: { deep: [1, 2, { x: null }], t: 2026-01-01 }
  b:
    <<: *base
    name: |
      two
      lines
`,
  '{"version": 1, "agents": {"c": {"agent": "counter", "config": [1e3, "x"]}}}',
];

export const target: Target<string> = {
  about: "a fleet is read, or refused by a line that says where it is wrong",
  make: (chance) =>
    chance.percent(90) ? brokenText(chance, chance.pick(VALID), VALID) : anyText(chance, 20),
  begin: () => ({
    try(text) {
      const fleet = mistyped(() => parseFleet(text, "fleet.yaml", "/nowhere"));
      for (const [id, entry] of fleet ?? []) {
        agentId(id);
        ok(typeof entry.agent === "string" && entry.agent !== "");
      }
    },
  }),
};
