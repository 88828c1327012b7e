/** H: what the control plane keeps over HTTP, sentence by sentence; asked of the application in this program, or of any running server. */
import { agentLaws } from "./http/agents.ts";
import { doorLaws, lastLaws } from "./http/door.ts";
import { eventLaws } from "./http/events.ts";
import { fileLaws } from "./http/files.ts";
import { sendLaws } from "./http/send.ts";
import { operatorLaws } from "./http/operator.ts";
import type { HttpFeature, HttpLaw } from "./http/subject.ts";

export type { Answer, Ask, HttpFeature, HttpLaw, HttpSubject } from "./http/subject.ts";

/** In an order in which one does not spoil the next on the same server. */
export const httpLaws: readonly HttpLaw[] = [
  ...doorLaws,
  ...agentLaws,
  ...sendLaws,
  ...fileLaws,
  ...eventLaws,
  ...operatorLaws,
  ...lastLaws,
];

/** The laws for a subject that has these; those without needs are everybody's. */
export function httpLawsFor(features: readonly HttpFeature[]): readonly HttpLaw[] {
  return httpLaws.filter(({ needs }) => needs.every((need) => features.includes(need)));
}
