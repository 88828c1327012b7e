/** A container of a test's own, without the provider: commands and files go straight to it. `await using container = await ownContainer(image)`; it is gone at the end. */
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
  /** Instead of its own client of the engine. */
  readonly cli?: DockerCli;
  readonly take?: (output: ExecOutput) => void | Promise<void>;
}

export interface Outcome extends ExecEnd {
  readonly stdout: string;
  readonly stderr: string;
}

export interface OwnContainer extends AsyncDisposable {
  readonly cli: DockerCli;
  readonly name: string;
  readonly files: ContainerFiles;
  exec(command: Command, how?: Running): Promise<ExecEnd>;
  /** As `exec`, with all of its output. */
  run(command: Command, how?: Running): Promise<Outcome>;
  signal(id: string, signal: string): Promise<void>;
}

export async function ownContainer(
  image?: string,
  limits: Partial<SessionSpec["limits"]> = {},
): Promise<OwnContainer> {
  const home = await ownHome();
  const blank = home.spec();
  const spec = home.spec({
    ...(image === undefined ? {} : { image }),
    limits: { ...blank.limits, max_memory_mb: 256, max_cpu_cores: 2, ...limits },
  });
  const { cli } = home;
  await sessionsOf(cli, home.house, () => false, Date.now).start(spec, NEVER);
  const name = sessionContainer(spec.session_id);
  let count = 0;

  function exec(command: Command, how: Running = {}): Promise<ExecEnd> {
    const { id = `e${++count}`, env = {}, workdir = "", stdin, from, signal = NEVER, take } = how;
    const exec = { exec_id: id, command, env, workdir, ...(stdin && { stdin }) };
    return execIn(how.cli ?? cli, name, spec.session_id, exec, {
      from,
      signal,
      take: async (output) => await take?.(output),
    });
  }
  return {
    cli,
    name,
    files: filesIn(cli, name),
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
    signal: (id, signal) => signalIn(cli, name, id, signal),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

export function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
