/** One agent on the page: how it is, what it does as it does it, and what is said to it. */
import { ask, askJson, follow } from "./api.js";
import {
  ago,
  budget,
  bytes,
  clock,
  element,
  facts,
  foreign,
  payload,
  span,
  tone,
  traced,
} from "./show.js";

/** How long replies are waited for, in seconds. */
const WAIT_S = 60;
/** Events of the trace that stay on the page. */
const MAX_ROWS = 500;
const FIRST_ROWS = 50;
/** Nearer to the end than this, in pixels, is at the end: what comes next is scrolled to. */
const NEAR = 40;
const ACTIONS = [
  ["tick", "Tick now"],
  ["pause", "Pause"],
  ["resume", "Resume"],
  ["hibernate", "Hibernate"],
];

const at = (id) => document.getElementById(id);

/** @param trouble what is told of errors @param look looks at the agents at once */
export function openAgent(id, { trouble, look }) {
  const life = new AbortController();
  const { signal } = life;
  const path = `/agents/${encodeURIComponent(id)}`;
  const talk = at("talk");
  const trace = at("trace");

  at("agent-title").replaceChildren(foreign(id));
  at("agent-about").textContent = "";
  at("agent-state").textContent = "";
  at("agent-state").className = "state";
  at("agent-facts").replaceChildren();
  at("agent-error").hidden = true;
  talk.replaceChildren();
  trace.replaceChildren();
  showActions();
  at("say").addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  }, { signal });
  at("words").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say();
  }, { signal });

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

  /** A line of the conversation; the answer changes what its sender's line says. */
  function line(who, text, kind) {
    const words = element("p", {}, foreign(text));
    const row = element("li", { class: kind }, element("span", { class: "who" }, who), words);
    talk.append(row);
    talk.scrollTop = talk.scrollHeight;
    return row;
  }
  async function say() {
    const words = at("words").value.trim();
    if (words === "") return;
    at("words").value = "";
    at("words").focus();
    const sent = line("you", words, "you waiting");
    try {
      const answer = await askJson(`${path}/send?wait=${WAIT_S}`, {
        method: "POST",
        headers: { "content-type": isJson(words) ? "application/json" : "text/plain" },
        body: words,
        signal,
      });
      sent.className = "you";
      if (answer.tick === undefined) {
        line("agentd", `taken as ${answer.envelope_id}; no answer yet`, "note");
      } else if (!answer.tick.success) {
        line("agentd", answer.tick.error?.message ?? "the tick failed", "note bad");
      } else if (answer.replies.length === 0) line("agentd", "ticked, without a reply", "note");
      for (const reply of answer.replies ?? []) line(id, payload(reply), "agent");
    } catch (error) {
      if (signal.aborted) return;
      sent.className = "you failed";
      line("agentd", `not sent: ${error.message}`, "note bad");
      if (error.status === 401) trouble(error);
    }
    look();
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
    tell: add,
    state: (words) => at("trace-state").textContent = words,
  }).catch(failed);

  return {
    id,
    async refresh() {
      try {
        const info = await askJson(path, { signal });
        if (!signal.aborted) show(info);
      } catch (error) {
        failed(error);
      }
    },
    close: () => life.abort(),
  };
}

/** An object or a list; a bare number or word is what somebody says. */
function isJson(text) {
  if (!/^[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
