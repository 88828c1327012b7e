/** `agentd init`: an agent to begin with, its types, and a test that runs. */
import { join, resolve } from "node:path";
import agentText from "./template/agent.ts" with { type: "text" };
import testText from "./template/agent_test.ts" with { type: "text" };
import typesText from "./template/agentd.d.ts" with { type: "text" };
import { type Action, answer, arg } from "./call.ts";
import { EXIT, trouble } from "./exit.ts";

const FILES: Readonly<Record<string, string>> = {
  "agent.ts": agentText,
  "agentd.d.ts": typesText,
  "agent_test.ts": testText,
};

/** Writes into a new or existing directory; a file that is there stays, and nothing is written then. */
export const init: Action = async (call) => {
  const dir = arg(call, "dir");
  const paths = Object.keys(FILES).map((name) => join(dir, name));
  for (const path of paths) {
    if (await exists(path)) {
      throw trouble(EXIT.failed, `${path} is there already`, "Choose another directory.");
    }
  }
  try {
    await Deno.mkdir(dir, { recursive: true });
    for (const [name, text] of Object.entries(FILES)) {
      await Deno.writeTextFile(join(dir, name), text, { createNew: true });
    }
  } catch (error) {
    throw trouble(EXIT.failed, `Cannot write into ${dir}: ${(error as Error).message}`);
  }
  answer(call, { dir: resolve(call.cwd, dir), files: paths }, () => [`wrote ${paths.join(" ")}`]);
};

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
