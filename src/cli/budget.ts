/** `agentd budget`: what an agent may spend and has spent, in dollars; and how an operator changes it. */
import { type BudgetPolicy, type Budgets, type UsageReport, WHOLE_AGENT } from "../core/budget.ts";
import type { AgentId } from "../core/id.ts";
import type { FileService } from "../fs/file.ts";
import { readJson, writeJson } from "../fs/use.ts";
import { NONE } from "./amounts.ts";
import { type Action, answer, arg, type Call, option, withProgress } from "./call.ts";
import { usage } from "./exit.ts";
import { dollars, safeLine, table } from "./print.ts";
import { idOf, inAgent } from "./target.ts";

const USAGE = "/budget/usage";
const POLICY = "/budget/policy";

/** What `/budget/usage` says. */
interface Report extends UsageReport {
  readonly policy: BudgetPolicy | null;
  readonly mounts: Readonly<
    Record<string, { readonly policy: BudgetPolicy | null; readonly usage: UsageReport }>
  >;
}

/** What was typed; absent stays as it is. */
interface Change {
  readonly perDay: number | typeof NONE | undefined;
  readonly perTick: number | typeof NONE | undefined;
  readonly askAbove: number | typeof NONE | undefined;
}

export const budget: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  const files = call.server().files(id);
  const change: Change = {
    perDay: option(call, "set"),
    perTick: option(call, "perTick"),
    askAbove: option(call, "approveAbove"),
  };
  const mount = mountOf(call);
  await inAgent(id, async () => {
    if (Object.values(change).some((value) => value !== undefined)) {
      await withProgress(call, `changing ${id}`, set(call, files, mount ?? WHOLE_AGENT, change));
    } else if (mount !== undefined) {
      throw usage("--mount says whose budget changes", "Say --set, --per-tick or --approve-above.");
    }
    const report = await withProgress(call, `asking for ${id}`, readJson<Report>(files, USAGE));
    answer(call, report, () => lines(call, id, report));
  });
};

function mountOf(call: Call): string | undefined {
  const mount = option<string>(call, "mount");
  return mount === undefined ? undefined : "/" + mount.replace(/^\/+|\/+$/g, "");
}

async function set(
  call: Call,
  files: FileService,
  mount: string,
  { perDay, perTick, askAbove }: Change,
): Promise<void> {
  if (perDay === NONE) {
    if (perTick !== undefined || askAbove !== undefined) {
      throw usage(`--set ${NONE} takes all of the budget away, with its other limits`);
    }
    return await writeJson(files, POLICY, { [mount]: null });
  }
  const policies = await readJson<Budgets>(files, POLICY);
  const known = Object.hasOwn(policies, mount) ? policies[mount] : undefined;
  if (!known && perDay === undefined) {
    const where = mount === WHOLE_AGENT ? "" : ` --mount ${mount}`;
    throw usage(
      "There is no budget yet to which that would belong",
      `Give it one: ${call.program} budget ${arg(call, "id")} --set '$1/day'${where}`,
    );
  }
  const next: BudgetPolicy = {
    per_day_micro_usd: 0,
    approvers: [],
    ...known,
    ...(perDay === undefined ? {} : { per_day_micro_usd: perDay }),
  };
  const limited = withLimit(next, "per_tick_micro_usd", perTick);
  const asking = withLimit(limited, "approval_threshold_micro_usd", askAbove);
  await writeJson(files, POLICY, { [mount]: asking });
}

function withLimit(
  policy: BudgetPolicy,
  field: "per_tick_micro_usd" | "approval_threshold_micro_usd",
  amount: number | typeof NONE | undefined,
): BudgetPolicy {
  if (amount === undefined) return policy;
  const { [field]: _, ...rest } = policy;
  return amount === NONE ? rest : { ...rest, [field]: amount };
}

function lines(call: Call, id: AgentId, report: Report): string[] {
  const rows = [
    ...(report.policy ? [row("all", report.policy, report)] : []),
    ...Object.entries(report.mounts)
      // Where the whole agent has a budget, a mount that spends nothing says nothing new.
      .filter(([, { policy, usage }]) => policy !== null || isUsed(usage))
      .map(([mount, { policy, usage }]) => row(safeLine(mount), policy, usage)),
  ];
  if (!report.policy && rows.length === 0) {
    return [
      `${id} may spend nothing.`,
      `To let it: ${call.program} budget ${id} --set '$1/day'`,
    ];
  }
  return table(
    [
      { title: "BUDGET" },
      { title: "SPENT TODAY", right: true },
      { title: "RESERVED", right: true },
      { title: "LEFT", right: true },
      { title: "A DAY", right: true },
      { title: "A TICK", right: true },
      { title: "ASKS ABOVE", right: true },
    ],
    rows,
    call.terminal.paint,
  );
}

function isUsed({ day }: UsageReport): boolean {
  return day.spent_micro_usd + day.reserved_micro_usd > 0;
}

function row(name: string, policy: BudgetPolicy | null, { day }: UsageReport): string[] {
  const shown = (amount: number | null | undefined) =>
    amount === null || amount === undefined ? "-" : dollars(amount);
  return [
    name,
    shown(day.spent_micro_usd),
    shown(day.reserved_micro_usd),
    shown(day.remaining_micro_usd),
    shown(policy?.per_day_micro_usd),
    shown(policy?.per_tick_micro_usd),
    shown(policy?.approval_threshold_micro_usd),
  ];
}
