import { must, trials } from "../../conformance/trial.ts";
import { tickLaws } from "../../conformance/ticks.ts";
import { tickSubjects } from "./tick_subjects.ts";

for (const trial of trials(tickLaws, tickSubjects)) Deno.test(trial.name, () => must(trial));
