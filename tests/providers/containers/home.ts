/** A home of its own on the engine of this machine: `await using home = await ownHome()`; what was made there is gone at the end. */
import { agentId } from "../../../src/core/id.ts";
import type { SessionSpec } from "../../../src/core/containers.ts";
import { dockerCli } from "../../../src/providers/containers/cli.ts";
import type { House } from "../../../src/providers/containers/container.ts";
import { busyboxImage, dockerSays } from "../../docker/engine.ts";

export interface OwnHome extends AsyncDisposable {
  readonly house: House;
  readonly cli: ReturnType<typeof dockerCli>;
  /** A session that is no other test's. */
  spec(more?: Partial<SessionSpec>): SessionSpec;
  /** The names of all containers here. */
  names(): Promise<string[]>;
}

export const NEVER: AbortSignal = new AbortController().signal;

export async function ownHome(): Promise<OwnHome> {
  const image = await busyboxImage();
  const home = `test-${crypto.randomUUID()}`;
  const names = async () => {
    const args = ["ps", "--all", "--filter", `label=agentd.home=${home}`];
    const said = await dockerSays([...args, "--format", "{{.Names}}"]);
    return said === "" ? [] : said.split("\n").sort();
  };
  return {
    house: { home, network: "bridge" },
    cli: dockerCli(),
    names,
    spec: (more = {}) => ({
      session_id: crypto.randomUUID(),
      agent: agentId("tester"),
      image,
      limits: {
        max_time_secs: 300,
        max_memory_mb: 64,
        max_disk_mb: 8,
        max_cpu_cores: 0.5,
        allow_network: false,
      },
      allow_root: false,
      expires_at: Date.now() + 300_000,
      ends_with_runtime: true,
      ...more,
    }),
    async [Symbol.asyncDispose]() {
      const all = await names();
      if (all.length > 0) await dockerSays(["rm", "-f", "-v", ...all]);
    },
  };
}

/** What a command in a session's container prints, as its own user. */
export async function inside(session: string, script: string): Promise<string> {
  return await dockerSays(["exec", `agentd-${session}`, "sh", "-c", script]);
}
