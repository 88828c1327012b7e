/** Laws of what is run: its output in order and whole, its result, its end, its time, and a restart in the midst of it. */
import { writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import type { Acts } from "./acts.ts";
import {
  begin,
  bytesOf,
  type ContainerLaw,
  ctl,
  events,
  exec,
  execResult,
  exits,
  fileIn,
  interactive,
  lines,
  type Output,
  printed,
  ran,
  resultOf,
  runs,
  statusOf,
  textOf,
  until,
} from "./subject.ts";

const FOR_EVER: Acts = [{ say: "begun" }, { until: "never" }];

const numbers = (found: readonly Output[]) => found.map(({ seq }) => seq);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

export const commandLaws: readonly ContainerLaw[] = [
  {
    id: "X9",
    name: "output_is_in_order",
    says: "events of a session are numbered from 1 on without a gap; each stream is told in the " +
      "order in which it was printed, and the end of each command behind its output, with its " +
      "exit code",
    async test(subject) {
      const session = await ran(
        subject,
        [{ say: "a" }, { say: "x", to: "stderr" }, { say: "b" }],
        [{ say: "c" }, { say: "y", to: "stderr" }],
      );
      const found = await events(subject, session);
      same(numbers(found), upTo(found.length), "the numbers");
      same([textOf(found), textOf(found, "stderr")], ["abc", "xy"], "what was printed");
      same(exits(found), [[0, 0], [1, 0]], "the ends");
      const first = found.slice(0, found.findIndex(({ type }) => type === "exit"));
      same([textOf(first), textOf(first, "stderr")], ["ab", "x"], "before the first end");
      same(found.at(-1)!.type, "exit", "the last event");
    },
  },
  {
    id: "X10",
    name: "every_byte_comes_once",
    says:
      "text comes in whole characters, however it was printed, and what is no text in base64: " +
      "together they are what was printed, byte for byte",
    async test(subject) {
      const command = subject.command([
        { say: "grün " },
        { bytes: [0xe2, 0x82] },
        { until: "go" },
        { bytes: [0xac] },
        { say: "!" },
        { until: "on" },
        { bytes: [0xff, 0x00, 0xfe] },
      ]);
      const session = await begin(subject, { commands: [command] });
      for (const [text, file] of [["grün ", "go"], ["!", "on"]] as const) {
        await printed(subject, session, text);
        await writeText(subject.files, fileIn(session, file), "");
      }
      const found = await events(subject, session);
      same([...bytesOf(found)], [...GREEN_EURO, 0xff, 0x00, 0xfe], "the bytes");
      const text = found.filter(({ encoding }) => encoding === undefined)
        .map(({ data = "" }) => data).join("");
      holds(text.startsWith("grün €!"), `whole characters, not ${JSON.stringify(text)}`);
      holds(!text.includes("\ufffd"), "no character in place of another");
    },
  },
  {
    id: "X11",
    name: "every_event_comes_once",
    says: "who watches from the start, comes late, comes again behind an event, or reads, gets " +
      "every event once",
    async test(subject) {
      const command = subject.command([{ say: "a" }, { until: "go" }, { say: "b" }]);
      const session = await begin(subject, { commands: [command, subject.command([])] });
      const early = events(subject, session);
      await printed(subject, session, "a");
      await writeText(subject.files, fileIn(session, "go"), "");
      const all = await early;
      holds(all.length >= 4, `output and two ends, not ${all.length} events`);
      same(await events(subject, session), all, "who comes late");
      same(await lines(subject, session), all, "who reads");
      for (const { seq } of all) {
        same(await events(subject, session, seq), all.slice(seq), `who comes again behind ${seq}`);
      }
    },
  },
  {
    id: "X12",
    name: "a_result_is_what_was_done",
    says: "a result tells the session, what was printed and the exit code, each command with its " +
      "own, and what was used, in whole numbers; the engine has nothing of it any more",
    async test(subject) {
      const all: Acts[] = [
        [{ say: "one\n" }, { say: "hm", to: "stderr" }],
        [{ say: "two" }, { exit: 0 }],
      ];
      const session = await ran(subject, ...all);
      const { status, error } = await statusOf(subject, session);
      same([status, error], ["complete", null], "its end");
      const result = await resultOf(subject, session);
      const { session_id, exit_code, stdout, stderr, command_results, usage } = result;
      same(session_id, session.session_id, "the session");
      same([exit_code, stdout, stderr], [0, "one\ntwo", "hm"], "what was done");
      same(
        command_results.map(({ duration_ms: _, ...one }) => one),
        [
          { command: subject.command(all[0]!), exit_code: 0, stdout: "one\n", stderr: "hm" },
          { command: subject.command(all[1]!), exit_code: 0, stdout: "two", stderr: "" },
        ],
        "each command",
      );
      const counts = [
        ...Object.values(usage),
        ...command_results.map(({ duration_ms }) => duration_ms),
        result.duration_ms,
      ];
      holds(counts.every((n) => Number.isSafeInteger(n) && n >= 0), `whole numbers, not ${counts}`);
      same(Object.keys(usage).length, 4, "what was used");
      same(await subject.state(session.session_id), "absent", "its container");
    },
  },
  {
    id: "X13",
    name: "the_first_failure_ends_it",
    says: "commands run one after the other until one fails: the session fails with its exit " +
      "code, and those behind it do not run",
    async test(subject) {
      const session = await ran(
        subject,
        [{ say: "a" }],
        [{ say: "b" }, { exit: 3 }],
        [{ say: "c" }],
      );
      const { status, error } = await statusOf(subject, session);
      same([status, error?.code], ["failed", "agent_error"], "its end");
      const { exit_code, stdout, command_results } = await resultOf(subject, session);
      same([exit_code, stdout], [3, "ab"], "its result");
      same(command_results.map((one) => one.exit_code), [0, 3], "its commands");
      same(exits(await events(subject, session)), [[0, 0], [1, 3]], "what was told");
      same(await subject.state(session.session_id), "absent", "its container");
    },
  },
  {
    id: "X14",
    name: "time_is_limited",
    says:
      "a session that is over its time fails as timeout, with what it printed until then, and " +
      "its container is gone; a command that is over its own does too, and its session goes on",
    async test(subject) {
      const forEver = subject.command(FOR_EVER);
      const session = await begin(subject, { commands: [forEver], limits: { max_time_secs: 2 } });
      await printed(subject, session, "begun");
      await subject.elapse(2_000);
      const { status, error } = await until(subject, session);
      same([status, error?.code], ["failed", "timeout"], "its end");
      same((await resultOf(subject, session)).stdout, "begun", "what it printed");
      same(await subject.state(session.session_id), "absent", "its container");

      const other = await interactive(subject);
      const given = await exec(subject, other, { command: forEver, timeout_ms: 2_000 });
      await printed(subject, given, "begun");
      await subject.elapse(2_000);
      const end = await until(subject, given);
      same([end.status, end.error?.code], ["failed", "timeout"], "a command's end");
      same((await statusOf(subject, other)).status, "running", "its session");
      await ctl(subject, other, "stop");
    },
  },
  {
    id: "X15",
    name: "a_session_takes_commands",
    says: "a command that is given to an interactive session gets its input and its environment, " +
      "has an output and a result of its own, and may fail without its session",
    async test(subject) {
      const session = await interactive(subject, { env: { A: "its", B: " session's" } });
      const acts: Acts = [{ env: "A" }, { env: "B" }, { input: true }, { exit: 7 }];
      const one = await exec(subject, session, {
        command: subject.command(acts),
        env: { A: "own" },
        stdin: " input",
      });
      const two = await exec(subject, session, { command: subject.command([{ say: "two" }]) });
      for (const given of [one, two]) same((await until(subject, given)).status, "complete", "end");
      const { duration_ms, ...result } = await execResult(subject, one);
      holds(Number.isSafeInteger(duration_ms), `a duration, not ${duration_ms}`);
      const { exec_id } = one;
      const stdout = "own session's input";
      same(result, { exec_id, exit_code: 7, stdout, stderr: "" }, "its result");
      const told = await events(subject, one);
      same([textOf(told), exits(told)], [stdout, [[exec_id, 7]]], "its output");
      holds(told.every((event) => event.exec_id === exec_id), "its own events, and no other");
      same((await execResult(subject, two)).stdout, "two", "the other's");
      same((await statusOf(subject, session)).status, "running", "its session");
      await ctl(subject, session, "stop");
      const all = await events(subject, session);
      same(numbers(all), upTo(all.length), "the numbers of the session's events");
      same(exits(all).length, 2, "the session's events");
    },
  },
  {
    id: "X16",
    name: "a_word_ends_it",
    says: "`cancel` ends a command and leaves its session; `stop` ends a session with all that " +
      "runs in it, which takes no command then; neither changes what has ended",
    async test(subject) {
      const session = await interactive(subject);
      const forEver = subject.command(FOR_EVER);
      const [one, two] = [
        await exec(subject, session, { command: forEver }),
        await exec(subject, session, { command: forEver }),
      ];
      for (const given of [one, two]) await printed(subject, given, "begun");
      await ctl(subject, session, "cancel", one);
      await ctl(subject, session, "cancel", one);
      same((await until(subject, one)).status, "cancelled", "who is cancelled");
      same((await statusOf(subject, two)).status, "running", "who is not");
      same((await execResult(subject, one)).stdout, "begun", "what it printed");
      await refuses("invalid_request", () => ctl(subject, session, "end"), "another word");
      await ctl(subject, session, "stop");
      await ctl(subject, session, "stop");
      const { status, error } = await statusOf(subject, session);
      same([status, error], ["complete", null], "who is stopped");
      same((await until(subject, two)).error?.code, "interrupted", "what ran in it");
      same(await subject.state(session.session_id), "absent", "its container");
      await refuses("not_ready", () => exec(subject, session, { command: forEver }), "a command");
    },
  },
  {
    id: "X17",
    name: "a_restart_goes_on",
    says:
      "what runs when the runtime goes away runs on, and the next one takes it up: every byte " +
      "comes once, every end is told once, and no command is run twice",
    async test(subject) {
      const acts = (file: string): Acts => [
        { say: "before " },
        { bytes: [0xe2] },
        { until: file },
        { bytes: [0x82, 0xac] },
        { keep: `done-${file}`, text: "x" },
        { say: " behind" },
      ];
      const ephemeral = await begin(subject, {
        kind: "build",
        commands: [subject.command(acts("go")), subject.command([{ say: "." }])],
        artifacts: ["done-*"],
      });
      const session = await interactive(subject);
      const given = await exec(subject, session, { command: subject.command(acts("on")) });
      for (const one of [ephemeral, given]) await printed(subject, one, "before ");
      await subject.restart();
      for (const one of [ephemeral, session]) await runs(subject, one);
      await writeText(subject.files, fileIn(ephemeral, "go"), "");
      await writeText(subject.files, fileIn(session, "on"), "");
      for (const one of [ephemeral, given]) {
        const { status, error } = await until(subject, one);
        same([status, error], ["complete", null], "its end");
      }
      const first = await events(subject, ephemeral);
      const second = await events(subject, given);
      same(textOf(first), "before € behind.", "what the session printed");
      same(textOf(second), "before € behind", "what the command printed");
      same(exits(first), [[0, 0], [1, 0]], "its ends");
      same(exits(second), [[given.exec_id, 0]], "its end");
      same(numbers(first), upTo(first.length), "the numbers");
      const { stdout, artifacts } = await resultOf(subject, ephemeral);
      same(stdout, "before € behind.", "its result");
      same(artifacts.map(({ path }) => path), ["done-go"], "its artifacts");
      same((await execResult(subject, given)).stdout, "before € behind", "the command's result");
      await ctl(subject, session, "stop");
    },
  },
];

const GREEN_EURO = new TextEncoder().encode("grün €!");
