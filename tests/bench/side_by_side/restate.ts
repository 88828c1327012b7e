/** Restate: its server, one node with the settings it comes with, and beside it a process of Deno that serves a virtual object with its SDK, as its documentation says for Deno. Fetched only here, so that whoever does not compare has nothing of it. */
import { type Contestant, type Running, started } from "./contestant.ts";

const SERVER_VERSION = "1.7.12";
const SDK_VERSION = "1.17.2";
const ARCHITECTURES = { x86_64: "x64", aarch64: "arm64" };

/** An object for each connection; the SDK journals the message, the change and the answer. */
const SERVICE =
  `import { createEndpointHandler, handlers, object, serde } from "@restatedev/restate-sdk/fetch";
const plain = { input: serde.binary, accept: "*/*" };
const agent = object({
  name: "agent",
  handlers: {
    tick: handlers.object.exclusive(plain, async (context) => {
      const count = ((await context.get("count")) ?? 0) + 1;
      context.set("count", count);
      return count;
    }),
  },
});
const handler = createEndpointHandler({ services: [agent], bidirectional: true });
const onListen = ({ port }) => console.log(port);
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, handler);
`;

/** Its packages with the server for this machine, or why there is none. */
function server(): { readonly name: string } | string {
  const { os, arch } = Deno.build;
  if (os !== "linux" && os !== "darwin") return `it has no package for ${os}`;
  return { name: `@restatedev/restate-server-${os}-${ARCHITECTURES[arch]}` };
}

/** @returns why the packages could not be fetched; undefined if they are there */
async function fetched(dir: string, name: string): Promise<string | undefined> {
  const dependencies = { [name]: SERVER_VERSION, "@restatedev/restate-sdk": SDK_VERSION };
  await Deno.writeTextFile(`${dir}/package.json`, JSON.stringify({ type: "module", dependencies }));
  await Deno.writeTextFile(`${dir}/service.js`, SERVICE);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--no-lock", "--node-modules-dir=auto"],
    cwd: dir,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  return `its packages could not be fetched: ${new TextDecoder().decode(stderr).trim()}`;
}

/** The process with the handler. */
function serve(dir: string) {
  return started(
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--unstable-no-legacy-abort", "service.js"],
      cwd: dir,
      // Its SDK warns of requests that are not signed; these come from this machine.
      env: { RESTATE_LOGGING: "ERROR" },
      stdout: "piped",
      stderr: "inherit",
    }),
    Number,
  );
}

interface Node {
  readonly ingress: number;
  readonly admin: number;
  stop(): Promise<void>;
}

/** One node of the server, which writes in its log on which ports it listens. */
async function node(dir: string, name: string): Promise<Node> {
  const child = new Deno.Command(`${dir}/node_modules/${name}/bin/restate-server`, {
    args: [
      ...["--base-dir", `${dir}/data`, "--node-name", "one", "--no-logo"],
      ...["--listen-mode", "tcp", "--bind-ip", "127.0.0.1", "--use-random-ports", "true"],
      ...["--log-format", "json", "--log-filter", "restate=info"],
    ],
    env: { RESTATE_DISABLE_TELEMETRY: "true" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const log = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let ports: { ingress: number; admin: number } | undefined;
  while (!ports) {
    const { done, value } = await log.read();
    if (done) throw new Error(`restate-server did not start: ${text}`);
    ports = portsIn(text += value);
  }
  const drained = drain(log);
  return {
    ...ports,
    async stop() {
      child.kill("SIGTERM");
      await Promise.all([child.status, drained]);
    },
  };
}

function portsIn(log: string): { ingress: number; admin: number } | undefined {
  const port = (server: string) => {
    const line = log.split("\n").slice(0, -1).find((line) =>
      line.includes("listening") && line.includes(`"${server}"`)
    );
    return line && Number(/"server\.port":(\d+)/.exec(line)?.[1]);
  };
  const ingress = port("http-ingress-server");
  const admin = port("admin-api-server");
  if (ingress && admin) return { ingress, admin };
}

/** A pipe that nobody reads would stop the server once it is full. */
async function drain(log: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await log.read()).done);
}

async function post(url: string, type: string, body: string): Promise<void> {
  const headers = { "Content-Type": type };
  const response = await fetch(url, { method: "POST", headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status}: ${text}`);
}

async function run(dir: string, name: string): Promise<Running> {
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const { stop } of running.toReversed()) await stop();
  };
  try {
    const service = await serve(dir);
    running.push(service);
    const { ingress, admin, stop: end } = await node(dir, name);
    running.push({ stop: end });
    const uri = `http://127.0.0.1:${service.port}`;
    await post(`http://127.0.0.1:${admin}/deployments`, "application/json", `{"uri":"${uri}"}`);
    await post(`http://127.0.0.1:${ingress}/agent/first/tick`, "text/plain", "hello");
    const path = "/agent/c-{n}/tick";
    return { plan: { port: ingress, method: "POST", path, body: "hello", status: 200 }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export const restate: Contestant = {
  name: "Restate, a virtual object",
  async start(dir) {
    const found = server();
    if (typeof found === "string") return found;
    return await fetched(dir, found.name) ?? await run(dir, found.name);
  },
};
