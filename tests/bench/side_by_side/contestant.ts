/** What stands side by side: servers that take a message durably, run one handler that changes a state durably, and then answer. */
import type { Plan } from "../load.ts";

export interface Running {
  /** Where a connection sends; `{n}` is its number, so that each has an agent of its own. */
  readonly plan: Pick<Plan, "port" | "method" | "path" | "body" | "status">;
  stop(): Promise<void>;
}

export interface Contestant {
  readonly name: string;
  /** In a directory of its own, which is gone afterwards. A text: why it cannot run on this machine. */
  start(dir: string): Promise<Running | string>;
}

/** A server that prints one line when it listens; `portIn` finds its port there. */
export async function started(
  command: Deno.Command,
  portIn: (line: string) => number,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const child = command.spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await lines.read();
    if (done) throw new Error("the server did not start");
    text += value;
  }
  lines.releaseLock();
  return {
    port: portIn(text),
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}
