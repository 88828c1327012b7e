/** A command in a container, from its begin or from where an earlier life left it: each byte of its output once and in order, and how it ended. */
import type {
  ExecEnd,
  ExecOutput,
  ExecSpec,
  OutputPosition,
  OutputStream,
} from "../../core/containers.ts";
import { FileError } from "../../fs/error.ts";
import type { DockerCli, DockerProcess, Ended } from "./cli.ts";
import { engineFailure } from "./failure.ts";
import { type Frame, frameReader, garbled, type Tape, tape } from "./frames.ts";
import { whyEnded } from "./listed.ts";
import { attachOf, beginOf, type Opening, STARTER } from "./relay.ts";
import { unless } from "./unless.ts";
import { plain } from "./words.ts";

export { signalIn } from "./signal.ts";

/** How often in a row the way to a command may break while its container runs. */
const MAX_BREAKS = 5;

export interface ExecOptions {
  readonly from: OutputPosition | undefined;
  readonly take: (output: ExecOutput) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * `exec` of a provider in one container.
 * @param session what refusals name
 * @throws the signal's reason; what `take` throws; FileError `interrupted`, `out_of_memory` (of the whole session), `provider_unavailable`, `quota_exceeded`, `not_found` (the working directory), `invalid_request`
 */
export async function execIn(
  cli: DockerCli,
  container: string,
  session: string,
  spec: ExecSpec,
  { from, take, signal }: ExecOptions,
): Promise<ExecEnd> {
  signal.throwIfAborted();
  const first = from === undefined
    ? beginOf(spec, crypto.randomUUID().replaceAll("-", ""))
    : attachOf(spec.exec_id);
  let position = from ?? { stdout: 0, stderr: 0 };
  let breaks = 0;
  while (true) {
    let hasMoved = false;
    const talk = talkOf(session, spec, position, async (output) => {
      await take(output);
      position = output.position;
      hasMoved = true;
    });
    const reached = await reach(cli, container, first, talk, signal);
    if ("exit_code" in reached) return reached;
    breaks = hasMoved ? 1 : breaks + 1;
    await mustRun(cli, container, session, reached, signal);
    if (breaks >= MAX_BREAKS) throw unreachable(session, reached);
  }
}

/** One client of the engine, until the command has ended or the client has. It is gone when this is over. */
async function reach(
  cli: DockerCli,
  container: string,
  first: Opening,
  talk: Talk,
  signal: AbortSignal,
): Promise<ExecEnd | Ended> {
  const process = cli.open(["exec", "-i", container, "sh", "-c", STARTER]);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const conversation = converse(process, first, talk);
  conversation.catch(() => {});
  try {
    return await Promise.race([aborted, conversation]);
  } finally {
    signal.removeEventListener("abort", abort);
    process.kill();
    await process.ended;
  }
}

async function converse(
  process: DockerProcess,
  first: Opening,
  talk: Talk,
): Promise<ExecEnd | Ended> {
  const writer = process.stdin.getWriter();
  /** To one that has gone nothing can be said; how it went is told by its end. */
  const say = (bytes: Uint8Array) => writer.write(bytes).catch(() => {});
  try {
    await say(first.head);
    let stdin = first.stdin;
    let isFirst = true;
    for await (const bytes of process.stdout) {
      if (isFirst && isRefusal(bytes)) return { code: 126, stderr: decoder.decode(bytes) };
      isFirst = false;
      for (const frame of talk.frames(bytes)) {
        if (frame.is === "stdin") {
          if (stdin === undefined) throw talk.strange("its input is asked for twice");
          await say(stdin);
          stdin = undefined;
          continue;
        }
        const answer = await talk.answer(frame);
        if (typeof answer === "object") return answer;
        if (answer !== undefined) await say(ANSWERS[answer]);
      }
    }
    return await process.ended;
  } finally {
    writer.abort().catch(() => {});
  }
}

const decoder = new TextDecoder();

/** Where the engine cannot start a process it says so on stdout, and in one piece. */
function isRefusal(bytes: Uint8Array): boolean {
  return decoder.decode(bytes.subarray(0, 64)).startsWith("OCI runtime exec failed");
}

const ANSWERS = {
  taken: new TextEncoder().encode("a\n"),
  ended: new TextEncoder().encode("e\n"),
};

/** What is understood of a relay, and said to it. */
interface Talk {
  frames(bytes: Uint8Array): Generator<Frame>;
  answer(frame: Frame): Promise<keyof typeof ANSWERS | ExecEnd | undefined>;
  strange(what: string): FileError;
}

function talkOf(
  session: string,
  spec: ExecSpec,
  from: OutputPosition,
  take: ExecOptions["take"],
): Talk {
  const reader = frameReader(session);
  const strange = (what: string) => garbled(session, what);
  let tapes: Readonly<Record<OutputStream, Tape>> | undefined;

  async function answer(frame: Frame): Promise<keyof typeof ANSWERS | ExecEnd | undefined> {
    switch (frame.is) {
      case "hello":
        if (tapes) throw strange("it begins twice");
        tapes = {
          stdout: tape(session, from.stdout, frame.mark),
          stderr: tape(session, from.stderr, frame.mark),
        };
        return;
      case "done":
        tapes?.[frame.stream].end();
        return;
      case "chunk": {
        if (!tapes) throw strange("it has no beginning");
        const { stdout, stderr, [frame.stream]: mine } = tapes;
        const bytes = mine.push(frame.begin, frame.bytes);
        if (bytes.length > 0) {
          const position = { stdout: stdout.position, stderr: stderr.position };
          await take({ stream: frame.stream, bytes, position });
        }
        return mine.isEnded ? "ended" : "taken";
      }
      case "end":
        return endOf(session, spec, frame);
      case "refused":
        throw refusal(session, frame.why);
      case "stdin":
        throw strange("its input is asked for twice");
    }
  }
  return { frames: (bytes) => reader.push(bytes), answer, strange };
}

function endOf(
  session: string,
  { workdir }: ExecSpec,
  { code, oom }: Extract<Frame, { readonly is: "end" }>,
): ExecEnd {
  if (code === "absent") {
    const detail = `there is no directory ${JSON.stringify(workdir)} to run it in`;
    throw new FileError("not_found", "run", session, { detail });
  }
  if (code === "outside") {
    const detail = `${JSON.stringify(workdir)} leads out of the work directory`;
    throw new FileError("invalid_request", "run", session, { detail });
  }
  return { exit_code: Number(code), out_of_memory: oom };
}

function refusal(session: string, why: string): FileError {
  switch (why) {
    case "absent":
      return interrupted(session, "nothing is left of the command in its session");
    case "full":
      return new FileError("quota_exceeded", "run", session, {
        detail: "too many commands at a time, or their input is too long: there is no room for it",
      });
    case "memory":
      return new FileError("out_of_memory", "run", session, {
        detail:
          "the session needed more memory than it may have, and what carries its output was ended for it",
      });
    case "broken":
      return interrupted(
        session,
        "what carries its output was ended: the session has as many processes as it may, or no memory",
      );
    default:
      return interrupted(session, "what waits for the command was ended from inside the session");
  }
}

function interrupted(session: string, detail: string): FileError {
  return new FileError("interrupted", "run", session, { detail });
}

/** The client has ended before the command: is there still something to attach to? */
async function mustRun(
  cli: DockerCli,
  container: string,
  session: string,
  ended: Ended,
  signal: AbortSignal,
): Promise<void> {
  const loss = await unless(signal, whyEnded(cli, container, session));
  if (loss) throw loss;
  if (/executable file not found|no such file or directory/i.test(ended.stderr)) {
    const detail = "its image has no shell: sh must be in its PATH";
    throw new FileError("invalid_request", "run", session, { detail });
  }
}

function unreachable(session: string, ended: Ended): FileError {
  if (/resource temporarily unavailable|cannot fork|fork\/exec|clone/i.test(ended.stderr)) {
    return new FileError("quota_exceeded", "run", session, {
      detail: "the session has as many processes as it may; no other can be started in it",
    });
  }
  const known = engineFailure("run", session, ended);
  if (known.code !== "provider_unavailable") return known;
  return interrupted(session, `the command cannot be reached: ${plain(ended.stderr)}`);
}
