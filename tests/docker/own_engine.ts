/** A second engine on this machine, of a test's own: one that may be stopped, killed and started again without anybody else noticing. */
import { docker, MISSING_DOCKER, type Ran, says } from "./engine.ts";

/** Why there can be none here, for `needs()`; undefined if there can. */
export const MISSING_OWN_ENGINE = MISSING_DOCKER ?? await missingParts();

export interface OwnEngine extends AsyncDisposable {
  /** With it `docker` speaks to this one. */
  readonly env: { readonly DOCKER_HOST: string };
  /** Runs `docker` against it to its end. */
  docker(args: readonly string[]): Promise<Ran>;
  /** Takes an image over from the machine's own engine. */
  load(image: string): Promise<void>;
  /** Asks it to stop, as an administrator does, and waits for that. */
  stop(): Promise<void>;
  /** Ends it as the kernel would for want of memory. */
  kill(): Promise<void>;
  /** Starts it again, and waits until it answers. */
  start(): Promise<void>;
}

/**
 * Nothing of the machine's own engine is touched: no bridge, no rule of the firewall, no directory.
 * @param options more of `dockerd`'s
 */
export async function ownEngine(...options: readonly string[]): Promise<OwnEngine> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-engine-" });
  const bridge = `ag${crypto.randomUUID().slice(0, 8)}`;
  const [a, b] = crypto.getRandomValues(new Uint8Array(2));
  await says("ip", ["link", "add", bridge, "type", "bridge"]);
  await says("ip", ["addr", "add", `10.${200 + a! % 50}.${b!}.1/24`, "dev", bridge]);
  await says("ip", ["link", "set", bridge, "up"]);
  const host = `unix://${dir}/socket`;
  const toIt = (args: readonly string[]) => docker(["--host", host, ...args]);
  let running: Deno.ChildProcess | undefined;

  async function start(): Promise<void> {
    const child = new Deno.Command("dockerd", {
      args: [
        `--data-root=${dir}/data`,
        `--exec-root=${dir}/exec`,
        `--pidfile=${dir}/pid`,
        `--host=${host}`,
        `--bridge=${bridge}`,
        "--iptables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--userland-proxy=false",
        ...options,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    running = child;
    const log = new Response(child.stderr).text();
    let ended = false;
    child.status.then(() => ended = true);
    while ((await toIt(["version"])).code !== 0) {
      if (ended) throw new Error(`the engine does not start:\n${(await log).slice(-2000)}`);
    }
  }

  async function end(signal: Deno.Signal): Promise<void> {
    running?.kill(signal);
    await running?.status;
    running = undefined;
    // Its containerd goes with it, a moment later.
    await gone(`${dir}/exec/containerd/containerd.pid`);
    // Of one that was killed its file is left, and the next would take some other process for it.
    await Deno.remove(`${dir}/pid`).catch(() => {});
  }

  const engine: OwnEngine = {
    env: { DOCKER_HOST: host },
    docker: toIt,
    async load(image) {
      const archive = `${dir}/image.tar`;
      await says("docker", ["save", "--output", archive, image]);
      await says("docker", ["--host", host, "load", "--input", archive]);
      await Deno.remove(archive);
    },
    start,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    async [Symbol.asyncDispose]() {
      if (running === undefined) await start();
      const all = (await toIt(["ps", "--all", "--quiet"])).stdout.split("\n").filter(Boolean);
      if (all.length > 0) await toIt(["rm", "--force", ...all]);
      await end("SIGTERM");
      await says("ip", ["link", "delete", bridge]);
      // One that was killed leaves a mount behind.
      await says("umount", [`${dir}/data`]).catch(() => {});
      await Deno.remove(dir, { recursive: true });
    },
  };
  await start();
  return engine;
}

/** When the process whose number is in this file has ended. */
async function gone(path: string): Promise<void> {
  const pid = await Deno.readTextFile(path).catch(() => undefined);
  if (pid === undefined) return;
  const isThere = async () => {
    const name = await Deno.readTextFile(`/proc/${pid.trim()}/comm`).catch(() => "");
    return name.startsWith("containerd");
  };
  while (await isThere());
  await Deno.remove(path).catch(() => {});
}

async function missingParts(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "a second engine can be started by root alone";
  for (const [program, args] of [["dockerd", ["--version"]], ["ip", ["-V"]]] as const) {
    try {
      await says(program, args);
    } catch {
      return `there is no ${program} on this machine`;
    }
  }
  return undefined;
}
