/** Who sells models: whether they are up, and what they have at which price. */
import { askJson, isAbsent } from "./api.js";
import { ago, dollars, element, foreign, keepRows, span } from "./show.js";

/** How often they are looked at while the page is. Milliseconds. */
const LOOK_MS = 15_000;
/** Models of one provider that are on the page; some clouds have hundreds. */
const MAX_MODELS = 50;
const at = (id) => document.getElementById(id);

export function openModels({ path, signal }) {
  const providers = `${path}/compute/providers`;
  let lookedMs = -Infinity;
  at("models").hidden = true;
  at("providers").replaceChildren();

  async function refresh(nowMs = Date.now()) {
    if (nowMs - lookedMs < LOOK_MS) return;
    lookedMs = nowMs;
    try {
      const { entries } = await askJson(providers, { signal });
      const all = await Promise.all(entries.map(({ name }) => seller(name)));
      if (signal.aborted) return;
      keepRows(at("providers"), all.filter(Boolean), ({ id }) => id, fill);
      at("models").hidden = false;
    } catch (error) {
      lookedMs = -Infinity;
      if (!isAbsent(error)) throw error;
      at("models").hidden = true;
    }
  }
  /** Undefined for one that has gone meanwhile. */
  async function seller(name) {
    const of = (file) => askJson(`${providers}/${encodeURIComponent(name)}/${file}`, { signal });
    try {
      const [info, health, models] = await Promise.all(["info", "health", "models"].map(of));
      return { ...info, id: name, health, models };
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return { refresh };
}

function fill(row, provider) {
  const { id, about, health, models } = provider;
  const drawn = JSON.stringify([provider, ago(health.checked_at)]);
  if (row.drawn === drawn) return;
  row.drawn = drawn;
  if (!row.firstChild) row.append(element("details", {}, element("summary"), element("div")));
  const [summary, inside] = row.firstChild.children;
  const count = `${models.length} ${models.length === 1 ? "model" : "models"}`;
  summary.replaceChildren(
    element("span", { class: "id" }, foreign(id)),
    element("span", { class: `state ${health.status}` }, health.status),
    element("span", { class: "quiet" }, [count, ...speed(provider)].join(" · ")),
  );
  const over = models.length - MAX_MODELS;
  inside.className = "inside";
  inside.replaceChildren(
    element("p", { class: "quiet" }, foreign(about), ` · looked at ${ago(health.checked_at)}`),
    ...(health.error ? [element("p", { class: "bad" }, foreign(health.error))] : []),
    element("ul", {}, ...models.slice(0, MAX_MODELS).map(model)),
    ...(over > 0 ? [element("p", { class: "quiet" }, `and ${over} more`)] : []),
  );
}

function speed({ first_token_ms, tokens_per_second }) {
  return [
    ...(first_token_ms === undefined ? [] : [`first word in ${span(first_token_ms)}`]),
    ...(tokens_per_second === undefined ? [] : [`${Math.round(tokens_per_second)} tokens/s`]),
  ];
}

function model({ id, kinds, price: costs, free, tools }) {
  const words = [costOf(costs, free), kinds.join(", "), ...(tools ? ["tools"] : [])];
  return element(
    "li",
    {},
    element("span", {}, foreign(id)),
    element("span", { class: "quiet" }, words.join(" · ")),
  );
}

function costOf(costs, isFree) {
  if (isFree) return "free";
  if (!costs) return "price not known";
  const { input_micro_usd_per_mtok, output_micro_usd_per_mtok } = costs;
  const [into, out] = [input_micro_usd_per_mtok, output_micro_usd_per_mtok].map(dollars);
  return `${into} in, ${out} out a million tokens`;
}
