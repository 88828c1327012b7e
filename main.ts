/** The Deno door: the words typed go to the command line, its exit code comes out. */
import process from "node:process";
import { start } from "./src/cli/start.ts";

// A symbolic link's name is in argv0 alone.
Deno.exit(await start(Deno.args, process.argv0));
