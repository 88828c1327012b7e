/** The dashboard: the agents as they are now, one agent's trace as it goes on, and a place to talk to it. */
import { ask, askJson, pause, Refusal, token } from "./api.js";
import { openAgent } from "./agent.js";
import { lookForQuestions } from "./asking.js";
import { ago, budget, element, facts, foreign, hasBudget, span } from "./show.js";

/** How often the agents are looked at while the page is. Milliseconds. */
const LOOK_MS = 2_500;
/** Agents on one page of the list. */
const PAGE = 50;

const at = (id) => document.getElementById(id);
const [list, more, find, connection, forget, dialog] = [
  "agents",
  "more",
  "find",
  "connection",
  "forget",
  "ask",
].map(at);

/** How many pages of agents are shown. */
let pages = 1;
let shown = [];
let opened;
/** Open questions by agent, as far as they have been looked for. */
const questions = lookForQuestions(() => showAgents());
let wake = () => {};

function look() {
  wake();
}

/** Looks again and again, and not while nobody sees the page. */
async function keepLooking() {
  while (true) {
    if (!document.hidden) {
      try {
        await refresh();
        said("");
      } catch (error) {
        trouble(error);
      }
    }
    const woken = new AbortController();
    wake = () => woken.abort();
    await pause(LOOK_MS, woken.signal);
  }
}

async function refresh() {
  const [runtime, { agents, next }] = await Promise.all([
    askJson("/runtime/status").catch(unless(403)),
    pageOfAgents(),
  ]);
  if (runtime) showRuntime(runtime);
  shown = agents;
  showAgents();
  more.hidden = next === undefined;
  forget.hidden = token.get() === null;
  await opened?.refresh();
  await questions.refresh(agents);
}

/** A token for a few agents may not see the runtime; that is no trouble. */
function unless(status) {
  return (error) => {
    if (error.status !== status) throw error;
  };
}

async function pageOfAgents() {
  const all = [];
  let next;
  for (let n = 0; n < pages; n++) {
    const after = next === undefined ? "" : `&after=${encodeURIComponent(next)}`;
    const page = await askJson(`/agents?limit=${PAGE}${after}`);
    all.push(...page.agents);
    next = page.next;
    if (next === undefined) break;
  }
  return { agents: all, next };
}

function showRuntime(status) {
  facts(at("runtime"), [
    ["agents", String(status.agents)],
    ["active", String(status.states.active)],
    ["waiting", String(status.queued), status.queued > 0 ? "odd" : ""],
    ["ticks", String(status.ticks)],
    ["up", span(status.uptime_ms)],
    ...(status.paused ? [["all", "paused", "bad"]] : []),
  ]);
}

/** Rows stay the same elements while they are looked at, so that the focus does too. */
function showAgents() {
  list.setAttribute("aria-busy", "false");
  const wanted = at("wanted").value.trim().toLowerCase();
  const fitting = shown.filter(({ id, name }) =>
    id.includes(wanted) || name.toLowerCase().includes(wanted)
  );
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const kept = fitting.map((agent) => {
    const row = rows.get(agent.id) ?? element("li", { "data-id": agent.id });
    const isOpen = agent.id === opened?.id;
    const asks = questions.count(agent.id);
    const drawn = JSON.stringify([agent, isOpen, asks, ago(agent.last_tick_at)]);
    if (row.drawn !== drawn) fill(row, agent);
    row.drawn = drawn;
    return row;
  });
  if (kept.length === 0) kept.push(element("li", { class: "quiet" }, none(wanted)));
  if (kept.some((row, i) => list.children[i] !== row) || list.children.length !== kept.length) {
    const focused = document.activeElement?.closest?.("#agents li");
    list.replaceChildren(...kept);
    if (focused?.isConnected) focused.querySelector("a")?.focus();
  }
}

function none(wanted) {
  return wanted
    ? "None of those shown. Enter opens the agent of this id."
    : "No agents yet. Make one: agentd create bob echo";
}

function fill(row, agent) {
  const { id, name, state, queue_depth, dead_letters, last_error, last_tick_at } = agent;
  const asks = questions.count(id);
  const marks = [
    asks > 0 && element("span", { class: "mark" }, asks === 1 ? "1 question" : `${asks} questions`),
    queue_depth > 0 && element("span", { class: "mark" }, `${queue_depth} waiting`),
    dead_letters > 0 && element("span", { class: "mark bad" }, `${dead_letters} dead`),
    last_error && state === "failed" && element("span", { class: "mark bad" }, last_error.code),
  ].filter(Boolean);
  const link = element(
    "a",
    { href: `#${id}`, "aria-current": id === opened?.id ? "true" : undefined },
    element("span", { class: "id" }, foreign(id)),
    element("span", { class: `state ${state}` }, state),
    element(
      "span",
      { class: "quiet" },
      ...(name && name !== id ? [foreign(name), " · "] : []),
      `${agent.agent} · ${ago(last_tick_at)}`,
      ...(hasBudget(agent.budget) ? [` · ${budget(agent.budget)} today`] : []),
    ),
    element("span", { class: "marks" }, ...marks),
  );
  const hadFocus = row.contains(document.activeElement);
  row.replaceChildren(link);
  if (hadFocus) link.focus();
}

/** The agent that the address names. */
function go() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id === (opened?.id ?? "")) return;
  opened?.close();
  opened = id === ""
    ? undefined
    : openAgent(id, { trouble, look, identify, asks: (count) => questions.told(id, count) });
  document.body.classList.toggle("has-agent", opened !== undefined);
  at("chosen").hidden = opened === undefined;
  at("nobody").hidden = opened !== undefined;
  document.title = opened ? `${id} · agentd` : "agentd";
  showAgents();
  if (opened) at("agent").focus({ preventScroll: true });
  scrollTo(0, 0);
  look();
}

function said(text) {
  if (connection.textContent !== text) connection.textContent = text;
  connection.className = text ? "bad" : "";
}

/** Says what is wrong; asks for a token where that is what is missing. */
function trouble(error) {
  if (!(error instanceof Refusal)) said("The server does not answer.");
  else if (error.status === 401) askForToken();
  else said(error.message);
}

/** Another token, for what this one may not do; the one that is there stays until another is given. */
function identify() {
  if (dialog.open) return;
  at("ask-why").replaceChildren(
    "The operator's token is in the file ",
    element("code", {}, "token"),
    " of the server's data directory.",
  );
  at("token").value = "";
  at("cancel").hidden = false;
  dialog.showModal();
}

function askForToken() {
  if (dialog.open) return;
  at("cancel").hidden = true;
  if (token.get() !== null) at("ask-why").textContent = "The server does not take this token.";
  token.forget();
  at("token").value = "";
  dialog.showModal();
}

/** With a token all begins anew; the tab keeps it over that. */
dialog.addEventListener("close", () => {
  const given = at("token").value.trim();
  at("token").value = "";
  if (!given) return;
  token.set(given);
  location.reload();
});

at("cancel").addEventListener("click", () => {
  at("token").value = "";
  dialog.close();
});
more.addEventListener("click", () => {
  pages++;
  look();
});
find.addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = at("wanted").value.trim();
  if (wanted) location.hash = encodeURIComponent(wanted);
});
at("wanted").addEventListener("input", showAgents);
forget.addEventListener("click", () => {
  token.forget();
  location.reload();
});
document.addEventListener("visibilitychange", () => document.hidden || look());
addEventListener("hashchange", go);

await ask("/healthz").catch(trouble);
go();
await keepLooking();
