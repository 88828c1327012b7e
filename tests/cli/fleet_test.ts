import { deepEqual, equal, match, throws } from "../assert.ts";
import { type Fleet, parseFleet } from "../../src/cli/fleet.ts";

const parsed = (text: string): Record<string, unknown> =>
  Object.fromEntries(parseFleet(text, "f.yaml", "/from") as unknown as Fleet);

/** The error's message for a text that is none. */
function told(text: string): string {
  let message = "";
  throws(() => parseFleet(text, "f.yaml", "/from"), (error: Error) => {
    message = error.message;
    return error.name === "Trouble";
  });
  return message;
}

Deno.test("a fleet is YAML, with what YAML has for those who repeat themselves", () => {
  const text = `
version: 1
agents:
  one: &like { agent: echo, limits: { idle_ms: 1000 } }
  two: *like
  three:
    <<: *like
    agent: counter
    config: |
      a long
      text
`;
  const like = { agent: "echo", limits: { idle_ms: 1_000 } };
  deepEqual(parsed(text), {
    one: like,
    two: like,
    three: { ...like, agent: "counter", config: "a long\ntext\n" },
  });
  deepEqual(parsed('{"version": 1, "agents": {}}'), {});
});

Deno.test("all that an entry can say is kept, and no more than that", () => {
  const entry = {
    agent: "./bot.ts",
    name: "Bot",
    config: { any: [null, 1, { thing: true }] },
    goals: ["one"],
    mounts: {
      "/kv": "read_only",
      "/logs": null,
      "/repo": { dir: "./no/repo", access: "read_only" },
    },
    limits: { max_tick_ms: 1, retry_ms: [], retention: { trace: 1 } },
    budgets: {
      "/": "$1/day",
      "/compute": { per_day: "2", per_tick: "$0.05", approve_above: "$0.10" },
      "/http": null,
    },
    autonomy: "semi",
    paused: false,
  };
  const repo = { type: "dir", path: "/from/no/repo", access: "read_only" };
  deepEqual(parsed(JSON.stringify({ version: 1, agents: { bot: entry } })), {
    bot: {
      ...entry,
      mounts: { ...entry.mounts, "/repo": repo },
      budgets: {
        "/": { per_day_micro_usd: 1_000_000 },
        "/compute": {
          per_day_micro_usd: 2_000_000,
          per_tick_micro_usd: 50_000,
          approval_threshold_micro_usd: 100_000,
        },
        "/http": null,
      },
    },
  });
});

Deno.test("a mistake is told with where it stands", () => {
  const base = "version: 1\nagents:\n  bob:\n    agent: echo\n";
  match(told("- 1\n"), /^f\.yaml:1:1: /);
  match(told(""), /^f\.yaml:1:1: /);
  match(told("agents: {}\n"), /^f\.yaml:1:1: version: the file begins with "version: 1"$/);
  match(told(`${base}    pausd: true\n`), /^f\.yaml:5:12: agents\.bob\.pausd: there is no such/);
  match(told(`${base}    paused: maybe\n`), /^f\.yaml:5:13: agents\.bob\.paused: /);
  match(told(`${base}    goals: [a, ""]\n`), /^f\.yaml:5:16: agents\.bob\.goals\.1: /);
  match(told(`${base}    mounts: { kv: read_only }\n`), /^f\.yaml:5:19: agents\.bob\.mounts\.kv: /);
  match(told(`${base}    mounts: { /kv: all }\n`), /^f\.yaml:5:20: .*: an access \(read_only, /);
  match(told(`${base}    limits: { retention: { trase: 1 } }\n`), /retention\.trase: there is no/);
  match(told(`${base}    config: .nan\n`), /^f\.yaml:5:13: agents\.bob\.config: /);
  match(told(`${base}  __proto__: { agent: echo }\n`), /__proto__/);
  match(told(`${base}  "": { agent: echo }\n`), /an agent id is 1 to 63/);
  match(told("version: 1\nagents: { a: { agent: *none } }\n"), /^f\.yaml/);
});

Deno.test("a file cannot make the program swell: aliases of aliases are refused", () => {
  let text = "version: 1\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";
  for (let n = 1; n < 9; n++) {
    text += `x${n}: &x${n} [${Array(10).fill(`*x${n - 1}`).join(", ")}]\n`;
  }
  match(told(`${text}agents: {}\n`), /alias/);
});

Deno.test("the parser sees no environment, and it is back afterwards", async () => {
  const { default: process } = await import("node:process");
  const { env } = process;
  parsed("version: 1\nagents: {}\n");
  equal(process.env, env);
  told("[");
  equal(process.env, env);
});
