/** The model calls of an agent, and its sessions in containers: how each stands, what it cost, and what it says, as it says it. */
import { askJson, follow, isAbsent } from "./api.js";
import { ago, dollars, element, foreign, keepRows } from "./show.js";

/** The last so many stay on the page. */
const MAX_JOBS = 20;
/** Names that the server lists at once. */
const PAGE = 1_000;
/** Characters of an answer that are on the page: its end. */
const MAX_CHARS = 20_000;
const OPEN = new Set(["pending", "running", "streaming", "provisioning", "cloning"]);
const at = (id) => document.getElementById(id);

/** `maxHeard`: so many are heard at a time, as a browser has few connections to one server and the page needs some for the rest. */
const CALLS = {
  dir: "compute/jobs",
  stream: "stream",
  section: "calls",
  list: "jobs",
  label: "Answer",
  maxHeard: 2,
  hint: () => at("no-jobs"),
  name({ model, provider_id }) {
    const isSaid = model.startsWith(`${provider_id}/`) || provider_id === model;
    const seller = provider_id && !isSaid ? [" at ", foreign(provider_id)] : [];
    return [foreign(model), ...seller];
  },
  text: ({ delta }) => delta?.content ?? "",
  isLast: ({ finish_reason }) => finish_reason !== undefined,
};
const SESSIONS = {
  dir: "containers/sessions",
  stream: "output",
  section: "sessions",
  list: "session-list",
  label: "Output",
  maxHeard: 1,
  hint: () => undefined,
  name: ({ image }) => [foreign(image)],
  text({ type, data, encoding, exit_code }) {
    if (type === "exit") return `[exit code ${exit_code}]\n`;
    if (type === "cut" || type === "gap") return "[…]\n";
    return encoding === undefined ? data ?? "" : "[bytes]\n";
  },
  isLast: () => false,
};

/** @param isWanted whether somebody waits for what this call says @param heard is told a call's id and all that it has said so far */
export const openJobs = (page) => openAll(page, CALLS);

export const openSessions = (page) =>
  openAll({ ...page, isWanted: () => false, heard: () => {} }, SESSIONS);

function openAll({ path, signal, isWanted, heard }, kind) {
  const all = `${path}/${kind.dir}`;
  /** Newest last, by id. */
  let jobs = [];
  /** Behind this one nothing has been listed. */
  let last;
  /** By job: what has been said so far, and how to stop listening. */
  const streams = new Map();
  at(kind.section).hidden = true;
  at(kind.list).replaceChildren();

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
      at(kind.section).hidden = true;
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
      const { job_id } = job;
      return { ...await askJson(`${all}/${job_id}/status`, { signal }), job_id };
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  function show() {
    const hint = kind.hint();
    if (hint) hint.hidden = jobs.length > 0;
    at(kind.section).hidden = !hint && jobs.length === 0;
    keepRows(at(kind.list), jobs.toReversed(), ({ job_id }) => job_id, fill);
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
    if (isOpen && row.drawn === undefined) row.firstChild.open = hearing() < kind.maxHeard;
    if (row.firstChild.open) listen(job.job_id);
    const drawn = JSON.stringify([job, ago(job.ended_at ?? job.created_at)]);
    if (row.drawn === drawn) return;
    row.drawn = drawn;
    const { status, cost_micro_usd, reserved_micro_usd, error } = job;
    const cost = isOpen
      ? (reserved_micro_usd > 0 ? `up to ${dollars(reserved_micro_usd)}` : "")
      : dollars(cost_micro_usd ?? reserved_micro_usd);
    row.querySelector("summary").replaceChildren(
      element("span", { class: "id" }, ...kind.name(job)),
      element("span", { class: `state ${status}` }, status),
      element("span", { class: "cost" }, cost),
      element("span", { class: "quiet" }, `${job.kind} · ${ago(job.ended_at ?? job.created_at)}`),
    );
    const why = row.querySelector(".bad");
    why.hidden = !error;
    why.replaceChildren(foreign(error ? `${error.code}: ${error.message}` : ""));
    said(job.job_id);
  }
  function begin(row, { job_id }) {
    const words = element("p", { class: "words", tabindex: "0", role: "region" }, "…");
    words.setAttribute("aria-label", kind.label);
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
    if (streams.has(id) || hearing() >= kind.maxHeard) return;
    const over = new AbortController();
    const stream = { text: "", isOver: false, stop: () => over.abort() };
    streams.set(id, stream);
    follow(`${all}/${id}/${kind.stream}?after=0`, {
      signal: AbortSignal.any([signal, over.signal]),
      state: () => {},
      tell(told) {
        const { event } = told;
        stream.text = (stream.text + kind.text(told)).slice(-MAX_CHARS);
        stream.isOver = kind.isLast(told) || event === "end" || event === "failed";
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
    const row = [...at(kind.list).children].find((row) => row.dataset.id === id);
    const stream = streams.get(id);
    if (!row || !stream || signal.aborted) return;
    const words = row.querySelector(".words");
    const none = stream.isOver ? "(no text)" : "…";
    words.replaceChildren(foreign(stream.text === "" ? none : stream.text));
    words.scrollTop = words.scrollHeight;
  }

  return { refresh };
}
