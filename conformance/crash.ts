/**
 * Crash points: a backend dies at its n-th touch, before or after that touch took effect, and stays dead; whoever begins again on what was committed
 * must come to the same end as if nothing had happened. Tried for every n, this finds the commit that stands between two others.
 */
export { type Crashing, crashing, type When } from "./crash/crashing.ts";
export { messaging } from "./crash/messaging.ts";
export { anonymous, sending } from "./crash/sending.ts";
export { spending } from "./crash/spending.ts";
export { type Deaths, type Mortal, through } from "./crash/through.ts";
export { ticking } from "./crash/ticking.ts";
export type { Workload } from "./crash/workload.ts";
