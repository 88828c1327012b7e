/** What a terminal shows of a conversation. */
import assert from "../../assert.ts";
import type { Job } from "../../../src/core/outside.ts";
import type { Answered } from "../../../src/cli/chat/exchange.ts";
import { lines } from "../../../src/cli/chat/lines.ts";
import { notes, screen } from "../../../src/cli/chat/screen.ts";
import { costWords } from "../../../src/cli/chat/words.ts";
import { painter, type Terminal } from "../../../src/cli/terminal.ts";

function onScreen() {
  let shown = "";
  const terminal = {
    print: (line: string) => void (shown += line + "\n"),
    raw: (bytes: Uint8Array) => void (shown += new TextDecoder().decode(bytes)),
    paint: painter(false),
  } as Terminal;
  const made = screen({ terminal, program: "agentd" }, () => {});
  return { made, shown: () => shown };
}

const job = (cost_micro_usd: number | null) => ({ cost_micro_usd }) as Job;
const answered = (...jobs: Job[]) => ({ jobs }) as unknown as Answered;

Deno.test("words that have been shown are not shown again, what follows them is", () => {
  const { made, shown } = onScreen();
  made.file("list", "/files");
  made.speaks();
  made.text("Let me ");
  made.text("see.");
  made.file("read", "/files/a");
  made.speaks();
  made.text("It says x.");
  made.answered(["It says x.\n\n(And a note.)"], answered(job(300), job(0)), 4_990_000);
  assert.equal(
    shown(),
    "  list /files\nLet me see.\n  read /files/a\nIt says x.\n\n(And a note.)\n" +
      "$0.0003 · 2 model calls · $4.99 left today\n",
  );
});

Deno.test("a reply that is not what was said is shown whole, and each of several", () => {
  const { made, shown } = onScreen();
  made.speaks();
  made.text("I will");
  made.answered(["Stopped.", "Two."], answered(job(0)), 0);
  assert.equal(shown(), "I will\nStopped.\nTwo.\nfree · 1 model call\n");
});

Deno.test("no reply is told, and nothing of cost where no model was asked", () => {
  const { made, shown } = onScreen();
  made.answered([], answered(), undefined);
  assert.equal(shown(), "no reply\n");
});

Deno.test("what a model says moves no cursor, and a path writes no second line", () => {
  const { made, shown } = onScreen();
  made.speaks();
  made.text("a\x1b[2Jb\n");
  made.file("read", "/files/x\x1b[2J");
  made.answered(["c"], answered(), undefined);
  assert.equal(shown(), "a\\x1b[2Jb\n  read /files/x\\x1b[2J\nc\n");
});

Deno.test("who has to say yes is told how", () => {
  const { made, shown } = onScreen();
  made.asks("apr_1", "call", "/compute/new");
  assert.match(
    shown(),
    /waits for your yes: call \/compute\/new\n.*agentd approve apr_1 .*deny apr_1\n/,
  );
});

Deno.test("in a pipe, who has to say yes is told beside the replies, and nothing else is", () => {
  const noted: string[] = [];
  const terminal = { note: (line: string) => void noted.push(line) } as unknown as Terminal;
  const made = notes({ terminal, program: "agentd", quiet: false, json: false });
  made.file("read", "/files/a");
  made.speaks();
  made.text("x");
  made.asks("apr_1", "call", "/compute/new");
  assert.equal(noted.length, 2);
  assert.match(noted[1]!, /agentd approve apr_1 /);
});

Deno.test("what an answer cost is told in a few words", () => {
  assert.equal(costWords([], 5), "");
  assert.equal(costWords([job(0)], undefined), "free · 1 model call");
  assert.equal(costWords([job(0)], 1_000_000), "$0 · 1 model call · $1 left today");
  assert.equal(costWords([job(2), job(null)], undefined), "$0.000002 · 2 model calls");
});

Deno.test("lines come as they are complete, whatever the parts", async () => {
  const parts = ["on", "e\r\ntw", "o\n", "\nlast ", "é"].map((text) =>
    new TextEncoder().encode(text)
  );
  const found: string[] = [];
  for await (const line of lines(ReadableStream.from(parts))) found.push(line);
  assert.deepEqual(found, ["one", "two", "", "last é"]);
});
