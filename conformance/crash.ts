/**
 * Crash points: a backend dies at its n-th touch, before or after that touch took effect, and stays dead; or an agent's host dies at its n-th message.
 * Whoever begins again on what was committed must come to the same end as if nothing had happened. Tried for every n, this finds the commit that stands
 * between two others. What is done meanwhile is a file each in `crash/workloads/`; what must hold in the end, whatever was done, is in `crash/laws.ts`.
 */
export { type Crashing, crashing, type When } from "./crash/crashing.ts";
export { type DyingHost, dyingHost } from "./crash/dying_host.ts";
export { type HostMortal, throughHost } from "./crash/through_host.ts";
export { type CrashLaw, crashLaws } from "./crash/laws.ts";
export { type Accepted, look, type Recovered } from "./crash/recovered.ts";
export { type Deaths, keepsLaws, type Mortal, type Through, through } from "./crash/through.ts";
export type { MakeWorkload, Outside, Workload } from "./crash/workload.ts";
