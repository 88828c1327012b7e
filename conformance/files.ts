/** F: what every `FileService` keeps, be it a service, a namespace, a subtree or a client at the other end of a wire. */
import { callLaws } from "./files/calls.ts";
import { changeLaws } from "./files/changes.ts";
import { handleLaws } from "./files/handles.ts";
import { nameLaws } from "./files/names.ts";
import type { Feature, FileLaw } from "./files/subject.ts";
import { versionLaws } from "./files/versions.ts";
import { watchLaws } from "./files/watches.ts";

export type {
  CallPlace,
  Feature,
  FileLaw,
  FileSubject,
  Scratch,
  StreamPlace,
} from "./files/subject.ts";

export const fileLaws: readonly FileLaw[] = [
  ...nameLaws,
  ...changeLaws,
  ...versionLaws,
  ...handleLaws,
  ...watchLaws,
  ...callLaws,
];

/** The laws for a subject that has these; those without needs are everybody's. */
export function fileLawsFor(features: readonly Feature[]): readonly FileLaw[] {
  return fileLaws.filter(({ needs }) => needs.every((need) => features.includes(need)));
}
