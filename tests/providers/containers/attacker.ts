/** An image with what an attacker would bring along, and the host that he would like to see. */
import { busyboxTree, image, MISSING_DOCKER, says } from "../../docker/engine.ts";
import type { Surroundings } from "./escapes.ts";

const SOURCE = new URL("./attempts.c", import.meta.url).pathname;
const LISTEN = "listen-abstract";

/** Why nobody can attack here, for `needs()`. */
export const MISSING_ATTACKER = MISSING_DOCKER ?? await missingCompiler();

/** The name of an image like busybox's, with `attempt` and, set-user-id, `suid-attempt`. */
export async function attackerImage(): Promise<string> {
  return await image("agentd-test/attacker:1", await digest(SOURCE), async (dir) => {
    await busyboxTree(dir);
    await compiled(`${dir}/bin/attempt`);
    await Deno.copyFile(`${dir}/bin/attempt`, `${dir}/bin/suid-attempt`);
    await Deno.chmod(`${dir}/bin/suid-attempt`, 0o6755);
  });
}

export interface Host extends AsyncDisposable {
  readonly surroundings: Surroundings;
}

/** Limits of the sessions that are attacked from. */
export const LIMITS = { max_memory_mb: 128, max_disk_mb: 32 };

/** What there is to be got on this machine: a file, a port, a process, memory, a socket; all for as long as it is not disposed of. */
export async function hostToSee(maxProcesses: number): Promise<Host> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-host-" });
  await Deno.chmod(dir, 0o755);
  await Deno.writeTextFile(`${dir}/mark`, "what no session may read");
  const shm = `/dev/shm/agentd-${crypto.randomUUID()}`;
  await Deno.writeTextFile(shm, "");
  const [listener, loopback] = ["0.0.0.0", "127.0.0.1"].map(closing) as [Listening, Listening];
  const name = `agentd-${crypto.randomUUID()}`;
  await compiled(`${dir}/attempt`);
  const child = new Deno.Command("attempt", {
    args: [LISTEN],
    env: { ABSTRACT: name, AGENTD_OTHER_SECRET: "what no session may read", PATH: dir },
    clearEnv: true,
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  if (value !== "ready\n") throw new Error(`the host's process said ${value}`);
  const addresses = Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv4" && !address.startsWith("127."))
    .map(({ address }) => address);
  return {
    surroundings: {
      HOST_PID: String(child.pid),
      HOST_FILE: `${dir}/mark`,
      HOST_DIR: dir,
      LOOPBACK_PORT: loopback.port,
      HOST_PORT: listener.port,
      HOST_ADDRESSES: addresses.join(" "),
      ABSTRACT: name,
      HOST_SHM: shm,
      MEMORY_MB: String(LIMITS.max_memory_mb),
      DISK_MB: String(LIMITS.max_disk_mb),
      PIDS: String(maxProcesses),
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await lines.cancel();
      await Promise.all([listener.close(), loopback.close()]);
      await Deno.remove(shm);
      await Deno.remove(dir, { recursive: true });
    },
  };
}

interface Listening {
  readonly port: string;
  close(): Promise<void>;
}

/** Takes connections, and closes them. */
function closing(hostname: string): Listening {
  const listener = Deno.listen({ hostname, port: 0 });
  const serving = (async () => {
    for await (const connection of listener) connection.close();
  })();
  return {
    port: String(listener.addr.port),
    async close() {
      listener.close();
      await serving;
    },
  };
}

async function compiled(target: string): Promise<void> {
  await says("cc", ["-static", "-O1", "-o", target, SOURCE]);
}

async function digest(path: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(bytes).toHex();
}

async function missingCompiler(): Promise<string | undefined> {
  const advice = "install gcc and libc6-dev";
  const target = await Deno.makeTempFile({ prefix: "agentd-cc-" });
  try {
    await compiled(target);
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `there is no C compiler; ${advice}`;
    return `the C compiler does not make static programs; ${advice}`;
  } finally {
    await Deno.remove(target);
  }
}
