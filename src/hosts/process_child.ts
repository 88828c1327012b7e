/**
 * An agent's process, from its start to its end. Its first thread starts the second, closes every door and then only waits; the second one, whose heap is
 * limited, takes the pipe and runs the agent.
 */
import { parentPort, Worker } from "node:worker_threads";
import { growthBytes, openKernel, revokeAll, warmUp } from "./process/lock.ts";
import { EXIT_ENDED, EXIT_FAULT } from "./process/values.ts";

/** Young objects; a fixed part of the heap beside what the agent may keep. */
const YOUNG_MB = 16;

/** Loads this module in the second thread, while that still may read it. A file of its own would have to be named where a program is compiled. */
const SECOND_THREAD = new URL(
  "data:text/javascript," + encodeURIComponent(
    `import { workerData } from "node:worker_threads";
    (await import(workerData)).agentThreadMain();`,
  ),
);

/** What `agentd __agent <memory_mb> <parent_pid>` does. Never resolves; the process ends by its thread, its pipe or a signal. */
export async function agentProcessMain(): Promise<never> {
  const [memoryMb, parentPid] = Deno.args.slice(-2).map(Number);
  if (!memoryMb || !parentPid) {
    console.error(
      "This verb is the program's own: it runs one agent, for the server that started it.",
    );
    Deno.exit(2);
  }
  warmUp();
  const kernel = openKernel();
  kernel.dieWithParent();
  // It may have died in between, and then nobody tells.
  if (Deno.ppid !== parentPid) Deno.exit(EXIT_ENDED);
  const thread = new Worker(SECOND_THREAD, {
    workerData: import.meta.url,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: YOUNG_MB },
  });
  thread.on("error", (error) => {
    console.error(String(error).slice(0, 4000));
    Deno.exit(EXIT_FAULT);
  });
  thread.on("exit", () => Deno.exit(EXIT_ENDED));
  await new Promise((up) => thread.once("message", up));
  kernel.close(growthBytes(memoryMb));
  revokeAll();
  thread.postMessage("closed");
  return await new Promise<never>(() => {});
}

/** The second thread. */
export async function agentThreadMain(): Promise<void> {
  const { serveAgent } = await import("./process/serve_agent.ts");
  revokeAll();
  const closed = new Promise((closed) => parentPort!.once("message", closed));
  parentPort!.postMessage("up");
  await closed;
  await serveAgent();
}

if (import.meta.main) await agentProcessMain();
