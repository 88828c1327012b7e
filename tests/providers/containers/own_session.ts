/** A session of a test's own, by the real provider on the machine's engine: `await using session = await ownSession()`. */
import type {
  Command,
  ContainerFiles,
  ContainerLimits,
  ContainerProvider,
  ExecEnd,
  SessionSpec,
} from "../../../src/core/containers.ts";
import { docker } from "../../../src/providers/containers/docker.ts";
import { NEVER, type OwnHome, ownHome } from "./home.ts";

export interface Ended extends ExecEnd {
  readonly out: string;
  readonly err: string;
}

export interface OwnSession extends AsyncDisposable {
  readonly provider: ContainerProvider;
  readonly home: OwnHome;
  readonly id: string;
  readonly container: string;
  readonly files: ContainerFiles;
  /** Runs a command to its end; at most 1 MiB of each stream is kept. */
  run(command: Command, signal?: AbortSignal): Promise<Ended>;
  /** Begins one, and resolves with its first output on stdout. */
  begin(execId: string, command: Command, signal?: AbortSignal): Promise<Begun>;
  /** Another one of the same provider. */
  beside(more?: Partial<SessionSpec>): Promise<OwnSession>;
}

export interface Begun {
  readonly said: string;
  readonly ended: Promise<ExecEnd>;
}

export interface SessionWanted extends Partial<Omit<SessionSpec, "limits">> {
  readonly limits?: Partial<ContainerLimits>;
}

const KEPT_BYTES = 1024 * 1024;

export async function ownSession(wanted: SessionWanted = {}): Promise<OwnSession> {
  const home = await ownHome();
  const { image } = home.spec();
  const provider = docker({ home: home.house.home, images: [image], gitImage: image });
  const close = async () => {
    await provider.close();
    await home[Symbol.asyncDispose]();
  };
  return await opened(provider, home, wanted, close);
}

async function opened(
  provider: ContainerProvider,
  home: OwnHome,
  { limits, ...more }: SessionWanted,
  close: () => Promise<void>,
): Promise<OwnSession> {
  const usual = home.spec();
  const spec = home.spec({ ...more, limits: { ...usual.limits, max_cpu_cores: 1, ...limits } });
  const id = spec.session_id;
  provider.hold(id);
  await provider.start(spec, NEVER);
  const exec = (
    exec_id: string,
    command: Command,
    signal: AbortSignal,
    see: (stream: "stdout" | "stderr", text: string) => void,
  ) => {
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    return provider.exec(id, { exec_id, command, env: {}, workdir: "" }, {
      from: undefined,
      signal,
      take: ({ stream, bytes }) => {
        see(stream, decoders[stream].decode(bytes, { stream: true }));
        return Promise.resolve();
      },
    });
  };
  return {
    provider,
    home,
    id,
    container: `agentd-${id}`,
    files: provider.files(id),
    async run(command, signal = NEVER) {
      const all = { stdout: "", stderr: "" };
      const ended = await exec(crypto.randomUUID(), command, signal, (stream, text) => {
        if (all[stream].length < KEPT_BYTES) all[stream] += text;
      });
      return { ...ended, out: all.stdout, err: all.stderr };
    },
    async begin(execId, command, signal = NEVER) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const ended = exec(execId, command, signal, (stream, text) => {
        if (stream === "stdout") resolve(text);
      });
      ended.then(() => reject(new Error("it ended without a word")), reject);
      return { said: await promise, ended };
    },
    beside: (wanted = {}) => opened(provider, home, wanted, () => provider.stop(id)),
    [Symbol.asyncDispose]: close,
  };
}
