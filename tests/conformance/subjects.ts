/** Who is tried on this machine, and by which laws. */
import { computeLaws } from "../../conformance/compute.ts";
import { containerLaws } from "../../conformance/containers.ts";
import { fileLawsFor } from "../../conformance/files.ts";
import { httpLawsFor } from "../../conformance/http.ts";
import { namespaces } from "../../conformance/memory.ts";
import { namespaceLaws } from "../../conformance/namespace.ts";
import { storageLaws } from "../../conformance/storage.ts";
import { tickLaws } from "../../conformance/ticks.ts";
import { type Trial, trials } from "../../conformance/trial.ts";
import { computeSubjects } from "./compute_subjects.ts";
import { containerSubjects, dockerContainers } from "./container_subjects.ts";
import { MISSING_DOCKER } from "../docker/engine.ts";
import { directorySubjects } from "./directory_subjects.ts";
import { fileSubjects } from "./file_subjects.ts";
import { clientSubjects, httpSubjects } from "./http_subjects.ts";
import { storageSubjects } from "./storage_subjects.ts";
import { tickSubjects } from "./tick_subjects.ts";

export const TRIALS: readonly Trial[] = [
  ...trials(storageLaws, storageSubjects),
  ...[...fileSubjects, ...directorySubjects, ...clientSubjects].flatMap(([subject, features]) =>
    trials(fileLawsFor(features), [subject])
  ),
  ...trials(namespaceLaws, [namespaces]),
  ...trials(tickLaws, tickSubjects),
  ...trials(computeLaws, computeSubjects),
  ...trials(containerLaws, [
    ...containerSubjects,
    ...MISSING_DOCKER === undefined ? [dockerContainers] : [],
  ]),
  ...httpSubjects.flatMap(([subject, features]) => trials(httpLawsFor(features), [subject])),
];
