/** What an agent has spent today and may spend. */
import { askJson, isAbsent } from "./api.js";
import { dollars, element, facts, foreign, keepRows } from "./show.js";

const at = (id) => document.getElementById(id);
const WHOLE = "/";

export function openMoney({ id, path, signal }) {
  at("money").hidden = true;
  at("budgets").replaceChildren();

  async function refresh() {
    try {
      const report = await askJson(`${path}/budget/usage`, { signal });
      if (!signal.aborted) show(report);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      at("money").hidden = true;
    }
  }
  function show({ mounts, policy, ...usage }) {
    const own = Object.entries(mounts).map(([mount, of]) => ({ mount, ...of }));
    // A mount without a policy is paid out of the whole: it is told once it has spent something.
    const told = own.filter(({ policy, usage: { day } }) => policy || spent(day) > 0);
    const whole = policy || spent(usage.day) > 0 ? [{ mount: WHOLE, policy, usage }] : [];
    const all = [...whole, ...told];
    const mayNothing = all.every(({ policy }) => !policy);
    at("budget-how").hidden = !mayNothing;
    at("budget-how").replaceChildren(
      "It may use what is free and spend nothing. To let it: ",
      element("code", {}, `agentd budget ${id} --set '$1/day'`),
    );
    keepRows(at("budgets"), all, ({ mount }) => mount, fill);
    at("money").hidden = false;
  }
  return { refresh };
}

function spent({ spent_micro_usd, reserved_micro_usd }) {
  return spent_micro_usd + reserved_micro_usd;
}

function fill(row, { mount, policy, usage: { day } }) {
  const drawn = JSON.stringify([policy, day]);
  if (row.drawn === drawn) return;
  row.drawn = drawn;
  const left = day.remaining_micro_usd;
  const list = element("dl", { class: "facts" });
  facts(list, [
    ["Spent today", dollars(day.spent_micro_usd)],
    ...some("Reserved", day.reserved_micro_usd || undefined),
    ...(policy ? [["Left", dollars(left ?? 0), left === 0 ? "odd" : ""]] : []),
    ...some("A day", policy?.per_day_micro_usd),
    ...some("A tick", policy?.per_tick_micro_usd),
    ...some("Asks above", policy?.approval_threshold_micro_usd),
  ]);
  const name = mount === WHOLE ? "All of it" : foreign(mount);
  row.replaceChildren(element("span", { class: "scope" }, name), list);
}

function some(name, micro) {
  return micro === undefined ? [] : [[name, dollars(micro)]];
}
