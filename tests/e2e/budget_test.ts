/** Money and a person's yes, by the real program: what an agent may spend is set in dollars, and what it asks is answered. */
import { needs } from "../needs.ts";
import { deepEqual, equal, match } from "../assert.ts";
import { inPlace, type Place } from "./server.ts";

const testOnLinux = needs(
  Deno.build.os === "linux" ? undefined : "agents of one's own run on Linux alone",
);

/** Runs a verb that must be done; gives its standard output. */
function doing(place: Place) {
  return async (...args: string[]): Promise<string> => {
    const { code, out, err } = await place.run(args);
    equal(code, 0, `${args.join(" ")}: ${err}`);
    return out;
  };
}

Deno.test("what an agent may spend is read and set in dollars", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    await agentd("create", "bob", "echo");
    match(
      await agentd("budget", "bob"),
      /^bob may spend nothing\.\nTo let it: .* --set '\$1\/day'\n$/,
    );
    const nothing = await place.run(["budget", "bob", "--per-tick", "$0.05"]);
    deepEqual([nothing.code, nothing.out], [2, ""]);
    match(nothing.err, /no budget yet .* --set '\$1\/day'/);

    const all = await agentd("budget", "bob", "--set", "$1/day", "--per-tick", "$0.05");
    match(all, /BUDGET +SPENT TODAY +RESERVED +LEFT +A DAY +A TICK +ASKS ABOVE\n/);
    match(all, /\nall +\$0 +\$0 +\$1 +\$1 +\$0\.05 +-\n$/);
    const compute = ["--mount", "/compute", "--approve-above", "$0.10"];
    const both = await agentd("budget", "bob", "--set", "2", ...compute);
    match(both, /\nall .*\n\/compute +\$0 +\$0 +\$2 +\$2 +- +\$0\.10\n$/);
    const less = await agentd("budget", "bob", "--per-tick", "none");
    match(less, /\nall +\$0 +\$0 +\$1 +\$1 +- +-\n/);
    const policies = JSON.parse(await agentd("cat", "bob/budget/policy"));
    deepEqual(policies, {
      "/": { per_day_micro_usd: 1_000_000, approvers: [] },
      "/compute": {
        per_day_micro_usd: 2_000_000,
        approvers: [],
        approval_threshold_micro_usd: 100_000,
      },
    });
    match(await agentd("status", "bob"), /\nspent +\$0 of \$1 today\n/);
    await agentd("budget", "bob", "--set", "none", "--mount", "/compute");
    const report = JSON.parse(await agentd("budget", "bob", "--set", "none", "--json"));
    equal(report.policy, null);

    const wrong: [string[], RegExp][] = [
      [["--set", "5 dollars"], /no amount of dollars/],
      [["--set", "$1/hour"], /for a UTC day/],
      [["--mount", "/compute"], /whose budget/],
      [["--set", "none", "--per-tick", "$1"], /takes all of the budget away/],
    ];
    for (const [args, line] of wrong) {
      const { code, err } = await place.run(["budget", "bob", ...args]);
      equal(code, 2, err);
      match(err, line);
    }
    const nowhere = await place.run(["budget", "bob", "--set", "$1", "--mount", "/nowhere"]);
    match(nowhere.err, /a budget is of the whole agent, "\/", or of one service/);
  });
});

Deno.test("an agent is made with a budget, and as supervised as is said", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    const budgets = ["--budget", "$1/day", "--budget", "/compute=$0.50"];
    await agentd("create", "eve", "echo", "--autonomy", "semi", ...budgets);
    const told = await agentd("budget", "eve");
    match(told, /\nall .* \$0\.10\n\/compute .* \$0\.50 +- +\$0\.10\n$/);
    match(await agentd("mounts", "eve"), /\/identity +approve\n/);
    await agentd("create", "sue", "echo", "--autonomy", "supervised");
    const mounts = await agentd("mounts", "sue");
    match(mounts, /\/files +approve\n/);
    match(mounts, /\/ctl +disabled\n/);
    const help = await agentd("create", "--help");
    for (const preset of ["supervised", "semi", "autonomous"]) match(help, new RegExp(preset));
  });
});

const WRITER = `
export default {
  name: "writer",
  async onTrigger(ctx, trigger) {
    if (trigger.type === "event") return;
    const error = await ctx.env.write("/files/out.txt", trigger.text).then(() => null, (e) => e);
    await ctx.reply(error ? error.code : "written");
  },
};
`;

testOnLinux("what an agent asks is listed, answered, and passes once", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    Deno.writeTextFileSync(`${place.dir}/writer.js`, WRITER);
    await agentd("create", "bob", "writer.js", "--mount", "/files=approve");
    await agentd("create", "ann", "echo");
    equal(await agentd("approvals"), "Nothing waits for an answer.\n");
    const write = () => agentd("send", "bob", "hello", "--wait");
    match(await write(), /^approval_required/);
    const [asked, ...more] = JSON.parse(await agentd("approvals", "--json"));
    deepEqual([asked.agent, asked.request, more.length], ["bob", "hello", 0]);
    match(await agentd("approvals", "bob"), /bob +write \/files\/out\.txt +- +in 23 h .*hello\n/);
    equal(await agentd("approvals", "ann"), "Nothing waits for an answer.\n");

    match(await agentd("approve", asked.id), /^bob: write \/files\/out\.txt may pass, once\n$/);
    equal(await agentd("approvals"), "Nothing waits for an answer.\n");
    match(await write(), /^written/);
    equal(await agentd("cat", "bob/files/out.txt"), "hello");
    match(await write(), /^approval_required/);
    const [next] = JSON.parse(await agentd("approvals", "bob", "--json"));
    match(await agentd("deny", next.id, "--agent", "bob"), /was denied\n$/);
    match(await write(), /^permission_denied/);

    const twice = await place.run(["approve", next.id]);
    deepEqual([twice.code, twice.out], [1, ""]);
    match(twice.err, /it was denied already, by operator/);
    const unknown = await place.run(["approve", "apr_none"]);
    equal(unknown.code, 3);
    match(unknown.err, /^error: No agent has asked apr_none\. .* approvals lists what waits/);
  });
});

testOnLinux("an agent that does not look whether it may waits for the yes", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    const agentd = doing(place);
    const code = `export default { name: "w", async onTrigger(ctx, trigger) {
      if (trigger.type !== "message") return;
      await ctx.env.write("/files/a", "a");
      await ctx.reply("written");
    } };`;
    Deno.writeTextFileSync(`${place.dir}/w.js`, code);
    await agentd(
      "create",
      "bob",
      "w.js",
      "--mount",
      "/files=approve",
      "--limits",
      '{"retry_ms":[]}',
    );
    const { envelope_id } = JSON.parse(await agentd("send", "bob", "go", "--json"));
    let open: { id: string; envelope_id: string }[] = [];
    while (open.length === 0) open = JSON.parse(await agentd("approvals", "--json"));
    equal(open[0]!.envelope_id, envelope_id);
    await first.kill();
    await place.serve();
    await agentd("approve", open[0]!.id);
    match(await agentd("send", "bob", "go", "--id", envelope_id, "--wait"), /^written/);
    equal(await agentd("cat", "bob/files/a"), "a");
  });
});

testOnLinux(
  "a yes that comes when the message was given up says how to send it once more",
  async () => {
    await inPlace(async (place) => {
      await place.serve();
      const agentd = doing(place);
      const code = `export default { name: "w", async onTrigger(ctx, trigger) {
      if (trigger.type !== "message") return;
      if (trigger.text === "ask") {
        return await ctx.env.write("/files/a", "a").catch((error) => {
          ctx.state.asked = error.extra.approval_id;
        });
      }
      const { state } = await ctx.env.readJson("/approvals/" + ctx.state.asked);
      if (state !== "approved") throw new Error(ctx.state.asked + " is " + state);
      await ctx.env.write("/files/a", "a");
    } };`;
      Deno.writeTextFileSync(`${place.dir}/w.js`, code);
      const terms = ["--mount", "/files=approve", "--limits", '{"retry_ms":[]}'];
      await agentd("create", "bob", "w.js", ...terms);
      await agentd("send", "bob", "ask", "--wait");
      const sent = await place.run(["send", "bob", "go", "--wait"]);
      match(sent.err, /apr_\S+ is pending/);
      const [asked] = JSON.parse(await agentd("approvals", "--json"));
      const said = await agentd("approve", asked.id);
      const again = /^The message that asked was given up.*: .*(deadletter bob replay env_\S+)\n$/m;
      match(said, again);
      await agentd(...again.exec(said)![1]!.split(" "));
      await agentd("tick", "bob");
      equal(await agentd("cat", "bob/files/a"), "a");
    });
  },
);

const FLEET = (amount: string) => `
version: 1
agents:
  bob:
    agent: echo
    autonomy: semi
    budgets:
      /: ${amount}
      /compute: { per_day: $0.50, per_tick: $0.05 }
`;

Deno.test("budgets in a file of agents are made so, and a second time nothing differs", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    const apply = async (text: string) => {
      Deno.writeTextFileSync(`${place.dir}/agents.yaml`, text);
      return await agentd("apply", "-f", "agents.yaml", "--yes");
    };
    match(await apply(FLEET("$1/day")), /^\+ bob {3}echo · semi · 2 budgets\n/);
    equal(await apply(FLEET("$1/day")), "Nothing differs.\n");
    const changed = await apply(FLEET("$3/day"));
    match(changed, /budgets\.\/: \$1\/day · asks above \$0\.10 → \$3\/day · asks above \$0\.10\n/);
    const gone = FLEET("$3/day").replace(/\/compute: .*/, "/compute: null");
    match(await apply(gone), /budgets\.\/compute: \$0\.50\/day · .* → none\n/);
    match(await agentd("budget", "bob"), /\nall +\$0 +\$0 +\$3 +\$3 +- +\$0\.10\n$/);
    const wrong = FLEET("5 dollars");
    Deno.writeTextFileSync(`${place.dir}/agents.yaml`, wrong);
    const { code, err } = await place.run(["apply", "-f", "agents.yaml", "--yes"]);
    equal(code, 2);
    match(err, /agents\.yaml:8:10: agents\.bob\.budgets\.\/: /);
  });
});
