/** The Deno door: the words typed go to the command line, its exit code comes out; or, started by itself, it becomes an agent's process. */
import process from "node:process";

// The command line is not loaded for it: every agent that wakes waits for this start.
if (Deno.args[0] === "__agent") {
  const { agentProcessMain } = await import("./src/hosts/process_child.ts");
  await agentProcessMain();
}
// Loading libraries is for that alone: it is how such a process locks itself in.
Deno.permissions.revokeSync({ name: "ffi" });
const { start } = await import("./src/cli/start.ts");
// A symbolic link's name is in argv0 alone.
Deno.exit(await start(Deno.args, process.argv0));
