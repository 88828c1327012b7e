/** This program as it is started by its users, with the built-in agent that counts. */
import { type Contestant, started } from "./contestant.ts";

const ROOT = new URL("../../../", import.meta.url);

/** @param agents one for each connection */
export function agentd(agents: number): Contestant {
  return {
    name: "agentd",
    async start(dir) {
      const args = ["run", "-A", "main.ts", "serve", "--listen", "127.0.0.1:0", "--json", "-q"];
      const { port, stop } = await started(
        new Deno.Command(Deno.execPath(), {
          args: [...args, "--home", dir],
          cwd: ROOT,
          stdout: "piped",
          stderr: "inherit",
        }),
        (line) => Number(new URL(JSON.parse(line).url).port),
      );
      for (let n = 0; n < agents; n++) {
        const response = await fetch(`http://127.0.0.1:${port}/agents`, {
          method: "POST",
          body: JSON.stringify({ id: `c-${n}`, agent: "counter" }),
        });
        if (!response.ok) throw new Error(await response.text());
        await response.body?.cancel();
      }
      const path = "/agents/c-{n}/send?wait=30";
      return { plan: { port, method: "POST", path, body: "hello", status: 200 }, stop };
    },
  };
}
