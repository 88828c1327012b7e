/** What an agent asks people, and the two answers for whoever may give them. */
import { ask, askJson, isAbsent } from "./api.js";
import { ago, button, dollars, element, foreign, keepRows } from "./show.js";

const at = (id) => document.getElementById(id);

/** The questions without an answer, oldest first; none where this caller may not see them. */
export async function openQuestions(path, signal) {
  try {
    return await askJson(`${path}/approvals/open`, { signal });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** @param identify asks for another token @param failed is told of errors @param answered looks at the agent at once @param told is told how many wait */
export function openAsks({ path, signal, identify, failed, answered, told }) {
  /** Whether this caller may answer; undefined before somebody asks anything. */
  let may;
  let waiting = [];
  /** Answered from this page. */
  const decided = new Set();
  at("asks").hidden = true;
  at("questions").replaceChildren();
  at("asks-how").replaceChildren();
  at("asks-said").textContent = "";

  async function refresh() {
    const open = await openQuestions(path, signal);
    if (open.length > 0) may ??= await mayAnswer(open[0]);
    if (signal.aborted) return;
    // What is listed may be from before the answer.
    const found = open.filter(({ id }) => !decided.has(id));
    const known = new Set(waiting.map(({ id }) => id));
    if (found.some(({ id }) => !known.has(id))) at("asks-said").replaceChildren();
    waiting = found;
    show();
  }
  async function mayAnswer({ id }) {
    try {
      const { modes } = await askJson(`${path}/approvals/${id}?stat=1`, { signal });
      return modes.includes("write");
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  function show() {
    const hadFocus = at("questions").contains(document.activeElement);
    keepRows(at("questions"), waiting, ({ id }) => id, fill);
    at("asks").hidden = waiting.length === 0 && at("asks-said").textContent === "";
    at("asks-title").textContent = waiting.length === 0 ? "Question" : titleOf(waiting.length);
    showHow();
    told(waiting.length);
    if (hadFocus && !at("questions").contains(document.activeElement)) at("asks-title").focus();
  }
  function showHow() {
    const how = at("asks-how");
    how.hidden = may !== false || waiting.length === 0;
    if (how.hidden || how.hasChildNodes()) return;
    const other = button("Use the operator's token", identify, signal);
    how.append("Only the operator answers. On the command line: ");
    how.append(element("code", {}, "agentd approve <question>"), ". ", other);
  }

  function fill(row, question) {
    const { id, op, path: file, amount_micro_usd, reason, request, created_at, expires_at } =
      question;
    const when = `asked ${ago(created_at)} · expires ${ago(expires_at)}`;
    const drawn = JSON.stringify([question, may, when]);
    if (row.drawn === drawn) return;
    const isNew = row.drawn === undefined || row.may !== may;
    row.drawn = drawn;
    row.may = may;
    if (!isNew) return void (row.querySelector(".when").textContent = when);
    const what = `what-${id}`;
    const most = amount_micro_usd === null ? "" : ` for up to ${dollars(amount_micro_usd)}`;
    row.replaceChildren(
      element("p", { id: what, class: "what" }, `${op} `, foreign(file), most),
      ...(reason ? [element("p", {}, foreign(reason))] : []),
      element("pre", { tabindex: "0", role: "region", "aria-label": "Request" }, foreign(request)),
      element("p", { class: "quiet when" }, when),
      ...(may === true ? [answers(row, question, what)] : [
        element("p", { class: "quiet" }, element("code", {}, id)),
      ]),
    );
  }
  function answers(row, question, what) {
    const group = element("div", { class: "actions", role: "group", "aria-labelledby": what });
    const give = (word, label) => {
      const made = button(label, () => answer(row, question, word), signal);
      made.setAttribute("aria-describedby", what);
      if (word === "approve") made.className = "main";
      return made;
    };
    group.append(give("approve", "Approve"), give("deny", "Deny"));
    return group;
  }
  async function answer(row, { id, op, path: file }, word) {
    const buttons = [...row.querySelectorAll("button")];
    for (const one of buttons) one.disabled = true;
    try {
      await ask(`${path}/approvals/${id}`, { method: "PUT", body: word, signal });
      if (signal.aborted) return;
      const became = word === "approve" ? "may pass, once" : "was denied";
      at("asks-said").replaceChildren(`${op} `, foreign(file), ` ${became}.`);
      decided.add(id);
      waiting = waiting.filter((other) => other.id !== id);
      // A button that is disabled has lost the focus already.
      at("asks-title").focus();
      show();
    } catch (error) {
      for (const one of buttons) one.disabled = false;
      failed(error);
    }
    answered();
  }
  return { refresh };
}

function titleOf(count) {
  return count === 1 ? "It asks" : `It asks ${count} questions`;
}
