/** Presets: how far an agent is let go, for the services that there are. */
import { presetBudgets, presetMounts, SEMI_THRESHOLD_MICRO_USD } from "../../src/core/autonomy.ts";
import type { Access, ServiceMount, ServiceTable } from "../../src/core/view.ts";
import { file, tree } from "../../src/fs/tree.ts";
import { services } from "../../src/services/mod.ts";
import { deepEqual, equal } from "../assert.ts";
import { ID, spending } from "../services/spending.ts";

const policy = { per_day_micro_usd: 1_000_000, approvers: [] };

function mount(access: Access, accesses?: readonly Access[]): ServiceMount {
  return { access, service: () => tree(file({})), ...(accesses ? { accesses } : {}) };
}

const TABLE: ServiceTable = {
  "/ctl": mount("read_write"),
  "/files": mount("read_write"),
  "/identity": mount("sign_only"),
  "/odd": mount("read_write", ["read_write", "disabled"]),
  "/pay": mount("budgeted", ["budgeted", "approve", "disabled"]),
  "/shop": mount("budgeted", ["budgeted", "disabled"]),
  "/status": mount("read_only"),
};

Deno.test("supervised: whatever acts asks, is paid after a yes, or is closed", () => {
  deepEqual(presetMounts(TABLE, "supervised"), {
    "/ctl": "disabled",
    "/files": "approve",
    "/identity": "approve",
    "/odd": "disabled",
    "/pay": "approve",
    "/shop": "budgeted",
  });
  deepEqual(presetBudgets({ "/": policy }, "supervised"), {
    "/": { ...policy, approval_threshold_micro_usd: 0 },
  });
});

Deno.test("semi: inner things are free, signing asks, and so does what costs more than a little", () => {
  deepEqual(presetMounts(TABLE, "semi"), { "/identity": "approve" });
  const own = { ...policy, approval_threshold_micro_usd: 7 };
  deepEqual(presetBudgets({ "/": policy, "/shop": own }, "semi"), {
    "/": { ...policy, approval_threshold_micro_usd: SEMI_THRESHOLD_MICRO_USD },
    "/shop": own,
  });
});

Deno.test("autonomous: its budgets are all that holds it", () => {
  deepEqual(presetMounts(TABLE, "autonomous"), {});
  deepEqual(presetBudgets({ "/": policy }, "autonomous"), { "/": policy });
});

Deno.test("no preset lets an agent further than the table, for any service that there is", () => {
  for (const autonomy of ["supervised", "semi", "autonomous"] as const) {
    for (const [path, access] of Object.entries(presetMounts(services, autonomy))) {
      const { access: own } = services[path]!;
      equal(["approve", "disabled", own].includes(access), true, `${autonomy} ${path} ${access}`);
    }
  }
});

Deno.test("what is set later is held to the preset, and what is said itself stands", async () => {
  const made = await spending({
    autonomy: "semi",
    mounts: { "/identity": "sign_only" },
    budgets: { "/shop": policy },
  });
  const { runtime, buys, calls } = made;
  equal((await buys(SEMI_THRESHOLD_MICRO_USD)).got, "thing 1");
  equal((await buys(SEMI_THRESHOLD_MICRO_USD + 1)).code, "approval_required");
  await runtime.configure(
    ID,
    { budgets: { "/shop": { ...policy, per_day_micro_usd: 9e6 } } },
    "ann",
  );
  equal((await buys(SEMI_THRESHOLD_MICRO_USD + 2)).code, "approval_required");
  const threshold = { ...policy, approval_threshold_micro_usd: 1_000_000 };
  await runtime.configure(ID, { budgets: { "/shop": threshold } }, "ann");
  equal((await buys(SEMI_THRESHOLD_MICRO_USD + 3)).got, "thing 2");
  equal((await calls("/identity/sign", "what I say")).code, undefined);
  await made.stop();
});
