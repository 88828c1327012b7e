/** T: what a runtime keeps of its agents' ticks, on every backend and whatever is pulled out from under it. */
import { acceptLaws } from "./ticks/accept.ts";
import { alarmLaws } from "./ticks/alarms.ts";
import { answerLaws } from "./ticks/answers.ts";
import { atomicLaws } from "./ticks/atomic.ts";
import { conflictLaws } from "./ticks/conflict.ts";
import { failureLaws } from "./ticks/failure.ts";
import { lifeLaws } from "./ticks/lives.ts";
import { moneyLaws } from "./ticks/money.ts";
import { orderLaws } from "./ticks/order.ts";
import { overflowLaws } from "./ticks/overflow.ts";
import { peerLaws } from "./ticks/peers.ts";
import { reachLaws } from "./ticks/reach.ts";
import { recordLaws } from "./ticks/records.ts";
import { retryLaws } from "./ticks/retries.ts";
import { secretLaws } from "./ticks/secrets.ts";
import { sleepLaws } from "./ticks/sleep.ts";
import { toldLaws } from "./ticks/told.ts";
import type { TickLaw } from "./ticks/subject.ts";

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
  ...overflowLaws,
  ...retryLaws,
  ...failureLaws,
  ...peerLaws,
  ...alarmLaws,
  ...answerLaws,
  ...conflictLaws,
  ...lifeLaws,
  ...sleepLaws,
  ...toldLaws,
  ...recordLaws,
  ...reachLaws,
  ...secretLaws,
  ...moneyLaws,
];
