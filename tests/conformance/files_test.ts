import { fileLawsFor } from "../../conformance/files.ts";
import { must, trials } from "../../conformance/trial.ts";
import { fileSubjects } from "./file_subjects.ts";

for (const [subject, features] of fileSubjects) {
  for (const trial of trials(fileLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}
