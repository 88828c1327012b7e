/**
 * Stands between a runtime and an agent's process, passes their frames on, and ends both at the n-th one, before or after it was passed on. A program of its
 * own: `<mark> <n> <before|after>`, then what the host adds. It leaves the mark as it dies; where it finds the mark it lets everybody live.
 */
import { encodeFrame, type Frame, frameReader } from "../../src/hosts/process/wire.ts";

/** Whether the process lives at all is asked and answered whenever time has passed; these frames are not counted. */
const UNCOUNTED = ["ping", "pong"];

const [mark, n, when, memoryMb] = Deno.args;
const at = isMarked() ? 0 : Number(n);
let frames = 0;

const main = new URL("../../src/hosts/process_child.ts", import.meta.url).pathname;
const child = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", "--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm"],
    ...["--cached-only", "--no-code-cache", "--quiet", main, memoryMb!, String(Deno.pid)],
  ],
  stdin: "piped",
  stdout: "piped",
  stderr: "inherit",
}).spawn();

function isMarked(): boolean {
  try {
    return Deno.statSync(mark!).isFile;
  } catch {
    return false;
  }
}

/** The child ends with its parent. */
function die(): never {
  Deno.writeTextFileSync(mark!, "");
  Deno.kill(Deno.pid, "SIGKILL");
  for (;;);
}

async function pass(
  from: ReadableStream<Uint8Array>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const read = frameReader();
  for await (const chunk of from) {
    for (const frame of read(chunk)) await passed(frame, write);
  }
}

async function passed(
  { head, tail }: Frame,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const last = !UNCOUNTED.includes(head.t) && ++frames === at;
  if (last && when === "before") die();
  await write(encodeFrame(head, tail));
  if (last) die();
}

const input = child.stdin.getWriter();
pass(Deno.stdin.readable, (bytes) => input.write(bytes)).finally(() => child.kill("SIGKILL"));
await pass(child.stdout, async (bytes) => {
  for (let done = 0; done < bytes.length;) done += await Deno.stdout.write(bytes.subarray(done));
});
Deno.exit((await child.status).code);
