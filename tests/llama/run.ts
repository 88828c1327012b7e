/** A real llama.cpp with a toy model, for whoever has no model at hand: `deno run -A tests/llama/run.ts [WHAT IT SAYS]`; Ctrl-C ends it. */
import { GREETING, startLlama } from "./server.ts";

const said = Deno.args.length > 0 ? Deno.args.join(" ") : GREETING;
await using llama = await startLlama({ replies: [said] });
console.log(`model ${llama.model} at ${llama.url}`);
await new Promise<void>((resolve) => Deno.addSignalListener("SIGINT", resolve));
