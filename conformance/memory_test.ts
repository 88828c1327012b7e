/** The laws on what lives in memory, with no flag and no permission: `deno test conformance/`. */
import { memoryTrials } from "./memory.ts";
import { must } from "./trial.ts";

for (const trial of memoryTrials) Deno.test(trial.name, () => must(trial));
