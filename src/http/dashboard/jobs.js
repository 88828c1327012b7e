/** The model calls of an agent: how each stands, what it cost, and what is said, as it is said. */
import { askJson, follow, isAbsent } from "./api.js";
import { ago, dollars, element, foreign, keepRows } from "./show.js";

/** The last so many stay on the page. */
const MAX_JOBS = 20;
/** Names that the server lists at once. */
const PAGE = 1_000;
/** Characters of an answer that are on the page: its end. */
const MAX_CHARS = 20_000;
/** Answers that are heard at a time: a browser has few connections to one server, and the page needs some for the rest. */
const MAX_HEARD = 2;
const OPEN = new Set(["pending", "running", "streaming"]);
const at = (id) => document.getElementById(id);

/** @param isWanted whether somebody waits for what this job says @param heard is told a job's id and all that it has said so far */
export function openJobs({ path, signal, isWanted, heard }) {
  const all = `${path}/compute/jobs`;
  /** Newest last, by id. */
  let jobs = [];
  /** Behind this one nothing has been listed. */
  let last;
  /** By job: what has been said so far, and how to stop listening. */
  const streams = new Map();
  at("calls").hidden = true;
  at("jobs").replaceChildren();

  async function refresh() {
    try {
      const found = await newNames();
      const kept = [...jobs, ...found.map((job_id) => ({ job_id }))].slice(-MAX_JOBS);
      const now = await Promise.all(kept.map(looked));
      if (signal.aborted) return;
      jobs = now.filter(Boolean);
      for (const job of jobs) {
        if (OPEN.has(job.status) && isWanted(job)) listen(job.job_id);
      }
      show();
    } catch (error) {
      if (!isAbsent(error)) throw error;
      at("calls").hidden = true;
    }
  }
  async function newNames() {
    const names = [];
    while (true) {
      const after = last === undefined ? "" : `&after=${encodeURIComponent(last)}`;
      const { entries, next } = await askJson(`${all}?limit=${PAGE}${after}`, { signal });
      names.push(...entries.map(({ name }) => name));
      last = names.at(-1) ?? last;
      if (next === undefined) return names;
    }
  }
  /** What has ended stays as it is. Undefined for one that is not kept any more. */
  async function looked(job) {
    if (job.status !== undefined && !OPEN.has(job.status)) return job;
    try {
      return await askJson(`${all}/${job.job_id}/status`, { signal });
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  function show() {
    at("calls").hidden = false;
    at("no-jobs").hidden = jobs.length > 0;
    keepRows(at("jobs"), jobs.toReversed(), ({ job_id }) => job_id, fill);
    for (const [id, { stop }] of streams) {
      if (jobs.some(({ job_id }) => job_id === id)) continue;
      stop();
      streams.delete(id);
    }
  }
  function fill(row, job) {
    if (!row.firstChild) begin(row, job);
    const isOpen = OPEN.has(job.status);
    // One that runs is heard without being asked for, and so is the rest of one that was cut off from us.
    if (isOpen && row.drawn === undefined) row.firstChild.open = hearing() < MAX_HEARD;
    if (row.firstChild.open) listen(job.job_id);
    const drawn = JSON.stringify([job, ago(job.ended_at ?? job.created_at)]);
    if (row.drawn === drawn) return;
    row.drawn = drawn;
    const { status, model, provider_id, kind, cost_micro_usd, reserved_micro_usd, error } = job;
    const cost = isOpen
      ? (reserved_micro_usd > 0 ? `up to ${dollars(reserved_micro_usd)}` : "")
      : dollars(cost_micro_usd ?? reserved_micro_usd);
    const seller = provider_id && !model.startsWith(`${provider_id}/`) && provider_id !== model
      ? [" at ", foreign(provider_id)]
      : [];
    row.querySelector("summary").replaceChildren(
      element("span", { class: "id" }, foreign(model), ...seller),
      element("span", { class: `state ${status}` }, status),
      element("span", { class: "cost" }, cost),
      element("span", { class: "quiet" }, `${kind} · ${ago(job.ended_at ?? job.created_at)}`),
    );
    const why = row.querySelector(".bad");
    why.hidden = !error;
    why.replaceChildren(foreign(error ? `${error.code}: ${error.message}` : ""));
    said(job.job_id);
  }
  function begin(row, { job_id }) {
    const words = element("p", { class: "words", tabindex: "0", role: "region" }, "…");
    words.setAttribute("aria-label", "Answer");
    const details = element(
      "details",
      {},
      element("summary"),
      element("div", { class: "inside" }, element("p", { class: "bad", hidden: true }), words),
    );
    details.addEventListener("toggle", () => details.open && listen(job_id), { signal });
    row.append(details);
  }

  function hearing() {
    return [...streams.values()].filter(({ isOver }) => !isOver).length;
  }
  /** Follows what a job says to its end; one that has ended says all of it at once. */
  function listen(id) {
    if (streams.has(id) || hearing() >= MAX_HEARD) return;
    const over = new AbortController();
    const stream = { text: "", isOver: false, stop: () => over.abort() };
    streams.set(id, stream);
    follow(`${all}/${id}/stream?after=0`, {
      signal: AbortSignal.any([signal, over.signal]),
      state: () => {},
      tell({ event, delta, finish_reason }) {
        stream.text = (stream.text + (delta?.content ?? "")).slice(-MAX_CHARS);
        stream.isOver = finish_reason !== undefined || event === "end" || event === "failed";
        if (stream.isOver) over.abort();
        if (stream.text !== "") heard(id, stream.text);
        said(id);
      },
    }).catch((error) => {
      stream.isOver = true;
      if (!isAbsent(error)) stream.text ||= error.message;
      said(id);
    });
  }
  function said(id) {
    const row = [...at("jobs").children].find((row) => row.dataset.id === id);
    const stream = streams.get(id);
    if (!row || !stream || signal.aborted) return;
    const words = row.querySelector(".words");
    const none = stream.isOver ? "(no text)" : "…";
    words.replaceChildren(foreign(stream.text === "" ? none : stream.text));
    words.scrollTop = words.scrollHeight;
  }

  return { refresh };
}
