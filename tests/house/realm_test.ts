/** The laws are kept in a realm that has the language, six names, and nothing else. */
import type { Finding } from "../../conformance/law.ts";
import { memoryTrials } from "../../conformance/memory.ts";
import assert from "../assert.ts";
import { bundle } from "./portable.ts";
import { inRealm } from "./realm.ts";

Deno.test("house: the realm is bare", () => {
  const ambient = ["Deno", "process", "fetch", "crypto", "console", "setTimeout", "performance"];
  for (const name of ambient) assert.equal(inRealm(`typeof ${name}`), "undefined", name);
  for (const use of ["Date.now()", "new Date()", "Date()", "Math.random()"]) {
    assert.throws(() => inRealm(use), /was used in the bare realm/);
  }
  assert.equal(inRealm("new Date(0).toISOString()"), "1970-01-01T00:00:00.000Z");
  assert.equal(inRealm("new Date(0) instanceof Date"), true);
  assert.equal(inRealm("Date.UTC(1970, 0)"), 0);
});

/** Answers, as JSON, what each law of the memory subjects finds. */
const EVERYWHERE = `
import { memoryTrials } from "~/conformance/memory.ts";
globalThis.everywhere = async () => {
  const findings = [];
  for (const trial of memoryTrials) findings.push(await trial.run());
  return JSON.stringify(findings);
};
`;

Deno.test("house: every law of the memory subjects is kept in the bare realm", async () => {
  const script = await bundle(EVERYWHERE);
  const said = await (inRealm(`${script}\neverywhere()`) as Promise<string>);
  const findings: Finding[] = JSON.parse(said);
  assert.equal(findings.length, memoryTrials.length);
  assert.deepEqual(findings.filter(({ fault }) => fault !== undefined), []);
});

Deno.test("house: what reaches for the world fails in the bare realm", async () => {
  const script = await bundle(`
    import { memoryBackend } from "~/src/backends/memory.ts";
    globalThis.look = () => memoryBackend({ now: Date.now }).now();
  `);
  assert.throws(() => inRealm(`${script}\nlook()`), /Date\.now was used in the bare realm/);
});
