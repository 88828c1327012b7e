/**
 * Makes the one binary: `deno task compile [--target TRIPLE] [--output FILE]`. What it may do is what the task `serve` says; DENORT_BIN names another runtime base
 * than the one that Deno downloads.
 */
import { parseArgs } from "node:util";
import config from "../deno.json" with { type: "json" };
import { assetFiles } from "./assets.ts";
import { bundle } from "./bundle.ts";
import { compileArgs } from "./flags.ts";
import { ROOT } from "./modules.ts";

const STAGE = "dist/build/";

/** Writes everything that will be inside, and nothing else. @returns the workers' paths from the top */
async function stage(): Promise<string[]> {
  const { files, workers, assets } = await bundle();
  const settings = new TextEncoder().encode(JSON.stringify({ unstable: config.unstable }));
  const all = new Map([...files, ...await assetFiles(assets), ["deno.json", settings]]);
  await Deno.remove(new URL(STAGE, ROOT), { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  let total = 0;
  for (const [path, bytes] of all) {
    const url = new URL(STAGE + path, ROOT);
    await Deno.mkdir(new URL("./", url), { recursive: true });
    await Deno.writeFile(url, bytes);
    total += bytes.length;
  }
  console.log(`${all.size} files of ${(total / 1e6).toFixed(1)} MB are embedded`);
  return workers.map((worker) => STAGE + worker);
}

const { values: { target, output } } = parseArgs({
  options: { target: { type: "string" }, output: { type: "string", default: "dist/agentd" } },
});
const workers = await stage();
const { success } = await new Deno.Command(Deno.execPath(), {
  args: compileArgs({ tasks: config.tasks, stage: STAGE, workers, output, target }),
  cwd: ROOT,
}).output();
if (!success) Deno.exit(1);
const { size } = await Deno.stat(
  new URL(target?.includes("windows") && !/\.exe$/.test(output) ? `${output}.exe` : output, ROOT),
);
console.log(`${output}: ${(size / 1e6).toFixed(0)} MB`);
