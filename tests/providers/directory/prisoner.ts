/** A program in the place of the worker, with the worker's permissions: it tries what it can, and tells how Deno answered. */
interface Job {
  readonly inside: string;
  readonly outside: string;
}

const port = globalThis as unknown as {
  onmessage: (event: { readonly data: Job }) => void;
  postMessage(answers: Record<string, string>): void;
};

async function answerOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

port.onmessage = async ({ data: { inside, outside } }) => {
  const tries: Record<string, () => unknown> = {
    "read inside": () => Deno.readTextFileSync(`${inside}/f`),
    "write inside": () => Deno.writeTextFileSync(`${inside}/written`, "x"),
    "read outside": () => Deno.readTextFileSync(`${outside}/f`),
    "read by ..": () => Deno.readTextFileSync(`${inside}/../outside/f`),
    "read the parent": () => Deno.readDirSync(`${inside}/..`).next(),
    "read a name that begins alike": () => Deno.readTextFileSync(`${inside}2/f`),
    "read this program": () => Deno.readTextFileSync(new URL(import.meta.url)),
    "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
    "read by node:fs": async () => (await import("node:fs")).readFileSync(`${outside}/f`),
    "write outside": () => Deno.writeTextFileSync(`${outside}/f`, "x"),
    "rename out": () => Deno.renameSync(`${inside}/f`, `${outside}/f`),
    "link": () => Deno.linkSync(`${outside}/f`, `${inside}/linked`),
    "make a link": () => Deno.symlinkSync(outside, `${inside}/linked`),
    "watch outside": () => Deno.watchFs(outside).close(),
    "open a socket": () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
    "run": () => new Deno.Command("true").outputSync(),
    "environment": () => Deno.env.get("HOME"),
    "host name": () => Deno.hostname(),
    "open a library": () => Deno.dlopen("libc.so.6", {}),
    "/proc by name": () => Deno.readTextFileSync("/proc/self/environ"),
    "a worker with more": () =>
      new Worker("data:text/javascript,", {
        type: "module",
        deno: { permissions: { read: [outside] } },
      }),
    "ask for more": async () => {
      const { state } = await Deno.permissions.request({ name: "read", path: outside });
      if (state !== "granted") throw new Deno.errors.NotCapable();
    },
  };
  const answers: Record<string, string> = {};
  for (const [name, run] of Object.entries(tries)) answers[name] = await answerOf(run);
  port.postMessage(answers);
};
