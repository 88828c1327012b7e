/** M: what a namespace keeps: who serves a path, who may, from when and until when. */
import { lookLaws } from "./namespace/looks.ts";
import { accessLaws } from "./namespace/access.ts";
import type { Law } from "./law.ts";
import type { NamespaceSubject } from "./namespace/subject.ts";

export type { NamespaceSubject } from "./namespace/subject.ts";

export const namespaceLaws: readonly Law<NamespaceSubject>[] = [...lookLaws, ...accessLaws];
