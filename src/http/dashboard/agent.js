/** One agent on the page: how it is, what it does as it does it, and what is said to it. */
import { ask, askJson, follow, soonest } from "./api.js";
import { openAsks } from "./asks.js";
import { openJobs, openSessions } from "./jobs.js";
import { openModels } from "./models.js";
import { openMoney } from "./money.js";
import { ago, budget, bytes, clock, element, facts, foreign, span, tone, traced } from "./show.js";
import { openTalk } from "./talk.js";

/** Events of the trace that stay on the page. */
const MAX_ROWS = 500;
const FIRST_ROWS = 50;
/** Nearer to the end than this, in pixels, is at the end: what comes next is scrolled to. */
const NEAR = 40;
/** Events of the trace after which questions, money or model calls are others. */
const TELLING = new Set(["approval", "budget", "usage"]);
const CALLS = new Set(["/compute/new", "/containers/new"]);
const ACTIONS = [
  ["tick", "Tick now"],
  ["pause", "Pause"],
  ["resume", "Resume"],
  ["hibernate", "Hibernate"],
];

const at = (id) => document.getElementById(id);

/** @param trouble what is told of errors @param look looks at the agents at once @param identify asks for another token @param asks is told how many questions wait */
export function openAgent(id, { trouble, look, identify, asks }) {
  const life = new AbortController();
  const { signal } = life;
  const path = `/agents/${encodeURIComponent(id)}`;
  const trace = at("trace");

  at("agent-title").replaceChildren(foreign(id));
  at("agent-about").textContent = "";
  at("agent-state").textContent = "";
  at("agent-state").className = "state";
  at("agent-facts").replaceChildren();
  at("agent-error").hidden = true;
  trace.replaceChildren();
  showActions();

  const talk = openTalk({ id, path, signal, trouble, look: () => soon() });
  const panels = [
    openAsks({ path, signal, identify, failed, answered: () => soon(), told: asks }),
    openMoney({ id, path, signal }),
    openJobs({ path, signal, isWanted: talk.owns, heard: talk.heard }),
    openSessions({ path, signal }),
    openModels({ path, signal }),
  ];
  /** Looks at what the trace has told of, without waiting for the next look at all agents. */
  const soon = soonest(refresh, failed);

  function failed(error) {
    if (signal.aborted) return;
    at("agent-error").textContent = error.message;
    at("agent-error").hidden = false;
    if (error.status === 401) trouble(error);
  }

  function showActions() {
    at("actions").replaceChildren(...ACTIONS.map(([word, label]) => {
      const button = element("button", { type: "button", "data-word": word, hidden: true }, label);
      button.addEventListener("click", () => control(word, button), { signal });
      return button;
    }));
  }
  async function control(word, button) {
    at("agent-error").hidden = true;
    button.disabled = true;
    try {
      await ask(`${path}/${word}`, { method: "POST", signal });
      look();
    } catch (error) {
      failed(error);
    } finally {
      button.disabled = false;
    }
  }

  function show(info) {
    const { state, last_error, limits } = info;
    at("agent-state").textContent = state;
    at("agent-state").className = `state ${state}`;
    const own = info.name && info.name !== id ? [foreign(info.name), " · "] : [];
    at("agent-about").replaceChildren(...own, `${info.agent} · made ${ago(info.created_at)}`);
    const stopped = state === "paused" || state === "failed";
    for (const button of at("actions").children) {
      const { word } = button.dataset;
      button.hidden = word === "resume"
        ? !stopped
        : word === "pause" || word === "tick"
        ? stopped
        : word === "hibernate" && state !== "active";
    }
    const dead = info.dead_letters;
    facts(at("agent-facts"), [
      ["Waiting", String(info.queue_depth), info.queue_depth > 0 ? "odd" : ""],
      ["Dead letters", String(dead), dead > 0 ? "bad" : ""],
      ["Ticks", String(info.tick_count)],
      ["Last tick", ago(info.last_tick_at)],
      ["Next alarm", info.next_alarm ? ago(info.next_alarm) : "none"],
      ["Budget", budget(info.budget)],
      ["Stored", `${bytes(info.storage_bytes)}`],
      ["Longest tick", span(limits.max_tick_ms)],
      ...(last_error ? [["Last error", errorText(last_error), "bad wide"]] : []),
    ]);
  }
  function errorText({ code, message, at }) {
    return element("span", {}, `${code} · ${ago(at)}: `, foreign(message));
  }

  /** What changes money, questions or model calls is looked at as the trace tells of it. */
  function heard(event) {
    add(event);
    talk.saw(event);
    const isCall = event.type === "file_result" && CALLS.has(event.path);
    if (isCall || TELLING.has(event.type)) soon();
  }
  function add(event) {
    const atEnd = trace.scrollHeight - trace.scrollTop - trace.clientHeight < NEAR;
    trace.append(element(
      "li",
      { class: tone(event) },
      element("time", { datetime: event.timestamp ?? "" }, clock(event.timestamp)),
      element("span", { class: "type" }, event.type ?? event.event),
      element("span", { class: "what" }, foreign(traced(event))),
    ));
    while (trace.children.length > MAX_ROWS) trace.firstChild.remove();
    if (atEnd) trace.scrollTop = trace.scrollHeight;
  }
  follow(`${path}/logs/trace?tail=${FIRST_ROWS}`, {
    signal,
    tell: heard,
    state: (words) => at("trace-state").textContent = words,
  }).catch(failed);

  async function refresh() {
    const info = await askJson(path, { signal });
    if (signal.aborted) return;
    show(info);
    await Promise.all(panels.map((panel) => panel.refresh()));
  }
  return { id, refresh: soon, close: () => life.abort() };
}
