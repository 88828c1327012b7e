/** C: what `/compute` keeps, whoever sells and wherever its files are read. */
import { jobLaws } from "./compute/jobs.ts";
import { ruleLaws } from "./compute/rules.ts";
import type { ComputeLaw } from "./compute/subject.ts";

export { MODEL, repeater } from "./compute/repeater.ts";
export type { ComputeLaw, ComputeSubject } from "./compute/subject.ts";

export const computeLaws: readonly ComputeLaw[] = [...jobLaws, ...ruleLaws];
