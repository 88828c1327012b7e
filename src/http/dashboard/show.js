/** How things read on the page. Whatever comes from an agent becomes text, never markup. */

/** `<name class=…>` with children; a string is text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/** Text of others: it cannot turn the text around it to the other direction. */
export function foreign(text) {
  return element("bdi", {}, text);
}

/** A button that does something. */
export function button(label, act, signal) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", () => act(), { signal });
  return made;
}

/**
 * One `<li>` for each item, filled by `fill(row, item)`. Rows stay the same elements as long as their item is there, so that what is opened, scrolled or
 * focused in them stays so.
 */
export function keepRows(list, items, keyOf, fill) {
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const wanted = items.map((item) => rows.get(keyOf(item)) ?? li(keyOf(item)));
  for (const row of rows.values()) if (!wanted.includes(row)) row.remove();
  wanted.forEach((row, i) => {
    if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
  });
  items.forEach((item, i) => fill(wanted[i], item));
}

function li(id) {
  return element("li", { "data-id": id });
}

/** A list of names and values. */
export function facts(list, pairs) {
  list.replaceChildren(
    ...pairs.map(([name, value, tone]) =>
      element("div", { class: tone }, element("dt", {}, name), element("dd", {}, value))
    ),
  );
}

const MICRO = 1_000_000;
const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1_000]];

/** `3 min`, of a length of time in milliseconds. */
export function span(ms) {
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ["ms", 1];
  return `${Math.floor(ms / size)} ${unit}`;
}

/** `3 min ago`, `in 3 min`. */
export function ago(iso, nowMs = Date.now()) {
  if (!iso) return "never";
  const ms = nowMs - Date.parse(iso);
  if (Math.abs(ms) < 2_000) return "now";
  return ms < 0 ? `in ${span(-ms)}` : `${span(ms)} ago`;
}

export function clock(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString([], { hour12: false });
}

export function bytes(n) {
  if (n < 1024) return `${n} B`;
  const units = ["KiB", "MiB", "GiB"];
  let size = n;
  let unit = "";
  for (const next of units) {
    if (size < 1024) break;
    size /= 1024;
    unit = next;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** `$1.50`, `$0.000143`: micro-dollars as people write them, to the last of them. */
export function dollars(micro) {
  const parts = String(micro % MICRO).padStart(6, "0").replace(/0{1,4}$/, "");
  return `$${Math.trunc(micro / MICRO)}.${parts}`;
}

export function hasBudget({ spent_micro_usd = 0, limit_micro_usd = 0 } = {}) {
  return spent_micro_usd > 0 || limit_micro_usd > 0;
}

export function budget(of = {}) {
  if (!hasBudget(of)) return "none";
  const { spent_micro_usd = 0, limit_micro_usd = 0 } = of;
  return `${dollars(spent_micro_usd)} of ${dollars(limit_micro_usd)}`;
}

/** A payload or any JSON as a person would read it. */
export function payload(value) {
  if (value?.cut !== undefined) return `${value.cut}… (${bytes(value.bytes)})`;
  if (typeof value?.bytes === "number") return `(${value.kind}, ${bytes(value.bytes)})`;
  if (value?.kind === "text") return value.text;
  if (value?.kind === "json") return pretty(value.data);
  if (value?.kind === "binary") return `(${value.type ?? "bytes"}, ${value.data.length} base64)`;
  return pretty(value);
}

function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1) ?? "";
}

/** Who sent, or is answered: `http local`. */
function source(of) {
  if (typeof of !== "object" || of === null) return String(of);
  return Object.values(of).filter((value) => typeof value === "string").join(" ");
}

/** Longer words, such as digests, are told by their beginning. */
const MAX_WORD = 24;

function brief(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^\S+$/.test(text) && text.length > MAX_WORD ? `${text.slice(0, MAX_WORD)}…` : text;
}

/** Fields that the line of a trace event tells by itself or does not need. */
const ENVELOPE = new Set(["seq", "type", "event", "timestamp", "tick_id", "envelope_id", "id"]);

/** A trace event in one line. */
export function traced(event) {
  switch (event.type) {
    case "log":
      return `${event.level}: ${event.text}`;
    case "message_in":
      return `from ${event.from}: ${payload(event.payload)}`;
    case "message_out":
      return `to ${source(event.to)}${
        event.payload === undefined ? "" : `: ${payload(event.payload)}`
      }`;
    case "tick_start":
      return `${event.cause}${event.attempt > 1 ? ` (try ${event.attempt})` : ""}`;
    case "tick_end":
      return `${event.success ? "done" : "failed"} in ${span(event.duration_ms)}${
        event.error ? `: ${event.error.message}` : ""
      }`;
    case "error":
      return `${event.code}: ${event.message}`;
    case "file_call":
    case "file_result":
      return `${event.op} ${event.path}${event.error ? `: ${event.error}` : ""}`;
    default:
      return Object.entries(event).filter(([name]) => !ENVELOPE.has(name))
        .map(([name, value]) => `${name} ${brief(value)}`).join(" · ");
  }
}

/** How an event looks: bad, good, or neither. */
export function tone({ type, level, success, error }) {
  if (type === "error" || level === "error" || success === false || error) return "bad";
  if (type === "message_in" || type === "message_out") return "message";
  return type === "gap" || level === "warn" ? "odd" : "";
}
