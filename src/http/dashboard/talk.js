/** The conversation with an agent: what is said to it, and its answer, as it comes where a model gives it. */
import { askJson } from "./api.js";
import { element, foreign, payload } from "./show.js";

/** One request waits so long for the replies, in seconds; then the next one goes on waiting. */
const WAIT_S = 60;
const at = (id) => document.getElementById(id);

export function openTalk({ id, path, signal, trouble, look }) {
  const talk = at("talk");
  /** What is waited for: the envelopes that belong to it, the jobs that they caused, and the line on which their words are. */
  const waits = new Set();
  talk.replaceChildren();
  at("say").addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  }, { signal });
  at("words").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say();
  }, { signal });

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
    const wait = { envelopes: new Set(), jobs: new Set(), row: undefined };
    try {
      const message = {
        method: "POST",
        body: words,
        headers: { "content-type": isJson(words) ? "application/json" : "text/plain" },
        signal,
      };
      const receipt = await askJson(`${path}/send`, message);
      sent.className = "you";
      if (receipt.disposition !== "queued") {
        return void line("agentd", "its inbox is full: it went to the dead letters", "note bad");
      }
      wait.envelopes.add(receipt.envelope_id);
      waits.add(wait);
      look();
      const answer = await answered(message, receipt.envelope_id);
      over(wait);
      show(answer);
    } catch (error) {
      over(wait);
      if (signal.aborted) return;
      const isSent = wait.envelopes.size > 0;
      if (!isSent) sent.className = "you failed";
      const what = isSent ? "sent, but its answer was not heard" : "not sent";
      line("agentd", `${what}: ${error.message}`, "note bad");
      if (error.status === 401) trouble(error);
    }
    look();
  }
  /** The same message under the same id is not a second one. */
  async function answered(message, envelope) {
    const headers = { ...message.headers, "idempotency-key": envelope };
    while (true) {
      const answer = await askJson(`${path}/send?wait=${WAIT_S}`, { ...message, headers });
      if (answer.tick !== undefined) return answer;
    }
  }
  function show({ tick, replies }) {
    if (!tick.success) line("agentd", tick.error?.message ?? "the tick failed", "note bad");
    else if (replies.length === 0) line("agentd", "ticked, without a reply", "note");
    for (const reply of replies) line(id, payload(reply), "agent");
  }
  function over(wait) {
    waits.delete(wait);
    wait.row?.remove();
  }

  return {
    /** Whether somebody waits for what this job says; what its end brings belongs to it too. */
    owns({ job_id, envelope_id }) {
      for (const { envelopes, jobs } of waits) {
        if (!envelopes.has(envelope_id)) continue;
        envelopes.add(`job:${job_id}:done`);
        jobs.add(job_id);
        return true;
      }
      return false;
    },
    /** A person's answer to what a message led to belongs to that message. */
    saw({ type, action, envelope_id, approval_id }) {
      if (type !== "approval" || action !== "asked") return;
      for (const { envelopes } of waits) {
        if (envelopes.has(envelope_id)) envelopes.add(`approval:${approval_id}`);
      }
    },
    /** Words as they come; the whole answer takes their place, and is what is read aloud. */
    heard(job, text) {
      const wait = [...waits].find(({ jobs }) => jobs.has(job));
      if (!wait || signal.aborted) return;
      if (!wait.row) {
        wait.row = line(id, text, "agent coming");
        wait.row.setAttribute("aria-live", "off");
      }
      wait.row.lastChild.replaceChildren(foreign(text));
      talk.scrollTop = talk.scrollHeight;
    },
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
