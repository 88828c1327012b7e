/** What an agent's bundle and its engine say of places in its code. */
import { locator, MAP_COMMENT } from "../../../src/hosts/source_map.ts";
import { agentStack, ownFrames, relocated } from "../../../src/hosts/stack.ts";
import { ok } from "../../assert.ts";
import { brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const MAPS = [
  '{"version":3,"sources":["agent.ts"],"mappings":"AAAA,CAAC,CAAC;AACA"}',
  '{"version":3,"sources":["a.ts","b.ts"],"mappings":";;AAAA;ACAAA,SAASA;AACT"}',
  '{"sources":[],"mappings":""}',
];
const STACKS = [
  "Error: no\n    at onTrigger (agent.js:1:2)\n    at async agent.js:3:4",
  "    at Object.f (data:text/javascript;base64,aGk=:1:1)\n    at src/hosts/env.ts:1:1",
];

export const target: Target<{ map: string; stack: string; line: number; column: number }> = {
  about: "an agent's own map and stack say where something is, or nothing",
  make: (chance) => ({
    map: brokenText(chance, chance.pick(MAPS), MAPS),
    stack: brokenText(chance, chance.pick(STACKS), STACKS),
    line: chance.below(5),
    column: chance.below(20),
  }),
  begin: () => ({
    try({ map, stack, line, column }) {
      const code = `x\n${MAP_COMMENT}${btoa(unescape(encodeURIComponent(map.toWellFormed())))}`;
      const locate = locator(new TextEncoder().encode(code));
      const place = locate(line, column);
      if (place) ok(place.file.length <= 200 && place.line >= 1 && place.column >= 1);
      ok(ownFrames(agentStack({ stack }) ?? stack, locate).length <= 5);
      relocated(stack, locate);
    },
  }),
};
