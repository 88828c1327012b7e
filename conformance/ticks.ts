/** T: what a runtime keeps of its agents' ticks, on every backend and whatever is pulled out from under it. */
import type { TickLaw } from "./ticks/subject.ts";
import { atomicLaws } from "./ticks/atomic.ts";
import { acceptLaws } from "./ticks/accept.ts";
import { alarmLaws } from "./ticks/alarms.ts";
import { peerLaws } from "./ticks/peers.ts";
import { answerLaws } from "./ticks/answers.ts";
import { conflictLaws } from "./ticks/conflict.ts";
import { lifeLaws } from "./ticks/lives.ts";
import { toldLaws } from "./ticks/told.ts";
import { reachLaws } from "./ticks/reach.ts";
import { failureLaws } from "./ticks/failure.ts";
import { orderLaws } from "./ticks/order.ts";

export type { Agents, End, TickLaw, TickSubject } from "./ticks/subject.ts";
export {
  type Clock,
  type Ground,
  type Parts,
  tickSubject,
  type WorldOptions,
} from "./ticks/world.ts";

export const tickLaws: readonly TickLaw[] = [
  ...orderLaws,
  ...atomicLaws,
  ...acceptLaws,
  ...failureLaws,
  ...peerLaws,
  ...alarmLaws,
  ...answerLaws,
  ...conflictLaws,
  ...lifeLaws,
  ...toldLaws,
  ...reachLaws,
];
