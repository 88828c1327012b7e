/** The laws of files, kept by a directory of this machine. */
import { fileLawsFor } from "../../../conformance/files.ts";
import { must, trials } from "../../../conformance/trial.ts";
import { directorySubjects } from "../../conformance/directory_subjects.ts";

for (const [subject, features] of directorySubjects) {
  for (const trial of trials(fileLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}
