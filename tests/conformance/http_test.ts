import { fileLawsFor } from "../../conformance/files.ts";
import { httpLawsFor } from "../../conformance/http.ts";
import { must, trials } from "../../conformance/trial.ts";
import { clientSubjects, httpSubjects } from "./http_subjects.ts";

for (const [subject, features] of httpSubjects) {
  for (const trial of trials(httpLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}

for (const [subject, features] of clientSubjects) {
  for (const trial of trials(fileLawsFor(features), [subject])) {
    Deno.test(trial.name, () => must(trial));
  }
}
