/** A runtime with the permissions that it needs and no more; prints what became of each handler that it is given. */
import { processHost } from "../../src/hosts/process.ts";
import { handlerOf, runOnce } from "./sandbox.ts";

const host = processHost({ spares: 0 });
const came: Record<string, string> = {};
for (const body of Deno.args) {
  came[body] = await runOnce(host, handlerOf(body)).then(
    ({ result }) => result.state,
    (error) => error.code,
  );
}
await host.stop();
console.log(JSON.stringify(came));
