/** S: what every backend's storage keeps, so that the core need not know which one carries it. */
import { batchLaws } from "./storage/batches.ts";
import { findLaws } from "./storage/finds.ts";
import { groupLaws } from "./storage/groups.ts";
import { ownerLaws } from "./storage/owners.ts";
import { rangeLaws } from "./storage/ranges.ts";
import type { StorageLaw } from "./storage/subject.ts";
import { valueLaws } from "./storage/values.ts";
import { worldLaws } from "./storage/world.ts";

export type { StorageLaw, StorageSubject } from "./storage/subject.ts";

export const storageLaws: readonly StorageLaw[] = [
  ...valueLaws,
  ...batchLaws,
  ...rangeLaws,
  ...ownerLaws,
  ...findLaws,
  ...groupLaws,
  ...worldLaws,
];
