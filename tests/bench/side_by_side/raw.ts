/** Plain `node:sqlite` behind plain `Deno.serve`, in a process of its own. */
import { type Contestant, started } from "./contestant.ts";

export const raw: Contestant = {
  name: "node:sqlite by hand",
  async start(dir) {
    const server = new URL("./raw_server.ts", import.meta.url).pathname;
    const { port, stop } = await started(
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", server, `${dir}/raw.db`],
        stdout: "piped",
        stderr: "inherit",
      }),
      Number,
    );
    return { plan: { port, method: "POST", path: "/c-{n}", body: "hello", status: 200 }, stop };
  },
};
