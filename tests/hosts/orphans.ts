/** A runtime that is about to be killed: one agent stands still, one is in an endless loop, one process is blank. */
import { processHost } from "../../src/hosts/process.ts";
import { makePort, makeRun } from "./port.ts";
import { handlerOf, limitsOf, moduleOf } from "./sandbox.ts";

const limits = limitsOf({ max_memory_mb: Number(Deno.args[0]), max_stall_ms: 600_000 });
const host = processHost({ maxProcesses: 3, spares: 1 });
const idle = await host.start(moduleOf(handlerOf("")), limits);
await idle.run(makeRun(), makePort());
const port = makePort();
const looping = await host.start(
  moduleOf(handlerOf(`await ctx.broadcast("begun"); for (;;);`)),
  limits,
);
looping.run(makeRun(), port).catch(() => {});
await port.begun;
await Deno.stdout.write(new TextEncoder().encode("running\n"));
