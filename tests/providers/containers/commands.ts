/** A session for tests of commands and files: `await using s = await ownSession(image)`, and its container is gone at the end. */
import type {
  Command,
  ContainerFiles,
  ExecEnd,
  ExecOutput,
  OutputPosition,
  SessionSpec,
} from "../../../src/core/containers.ts";
import type { DockerCli } from "../../../src/providers/containers/cli.ts";
import { sessionContainer } from "../../../src/providers/containers/container.ts";
import { execIn, signalIn } from "../../../src/providers/containers/exec.ts";
import { filesIn } from "../../../src/providers/containers/files.ts";
import { sessionsOf } from "../../../src/providers/containers/sessions.ts";
import { NEVER, ownHome } from "./home.ts";

export interface Running {
  readonly id?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly stdin?: Uint8Array;
  readonly from?: OutputPosition;
  readonly signal?: AbortSignal;
  /** Instead of the session's own client of the engine. */
  readonly cli?: DockerCli;
  readonly take?: (output: ExecOutput) => void | Promise<void>;
}

export interface Outcome extends ExecEnd {
  readonly stdout: string;
  readonly stderr: string;
}

export interface OwnSession extends AsyncDisposable {
  readonly cli: DockerCli;
  readonly container: string;
  readonly files: ContainerFiles;
  exec(command: Command, how?: Running): Promise<ExecEnd>;
  /** As `exec`, with all of its output. */
  run(command: Command, how?: Running): Promise<Outcome>;
  signal(id: string, name: string): Promise<void>;
}

export async function ownSession(
  image?: string,
  limits: Partial<SessionSpec["limits"]> = {},
): Promise<OwnSession> {
  const home = await ownHome();
  const blank = home.spec();
  const spec = home.spec({
    ...(image === undefined ? {} : { image }),
    limits: { ...blank.limits, max_memory_mb: 256, max_cpu_cores: 2, ...limits },
  });
  const { cli } = home;
  await sessionsOf(cli, home.house, () => false, Date.now).start(spec, NEVER);
  const container = sessionContainer(spec.session_id);
  let count = 0;

  function exec(command: Command, how: Running = {}): Promise<ExecEnd> {
    const { id = `e${++count}`, env = {}, workdir = "", stdin, from, signal = NEVER, take } = how;
    const exec = { exec_id: id, command, env, workdir, ...(stdin && { stdin }) };
    return execIn(how.cli ?? cli, container, spec.session_id, exec, {
      from,
      signal,
      take: async (output) => await take?.(output),
    });
  }
  return {
    cli,
    container,
    files: filesIn(cli, container),
    exec,
    async run(command, how = {}) {
      const said = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
      const end = await exec(command, {
        ...how,
        async take(output) {
          said[output.stream].push(output.bytes);
          await how.take?.(output);
        },
      });
      return { ...end, stdout: textOf(said.stdout), stderr: textOf(said.stderr) };
    },
    signal: (id, name) => signalIn(cli, container, id, name),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

export function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
