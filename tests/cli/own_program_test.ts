import { equal } from "../assert.ts";
import { typedProgram } from "../../src/cli/own_program.ts";

Deno.test("hints name what those can type who began with npx, and those who have Deno", () => {
  const cached = "/cache/_npx/0a1b2c/node_modules/deno/deno";
  equal(typedProgram(cached, "2.9.6"), "npx -y deno@2.9.6 task -q agentd");
  equal(typedProgram("C:\\npm\\_npx\\0a\\deno.exe", "2.9.6"), "npx -y deno@2.9.6 task -q agentd");
  equal(typedProgram("/usr/bin/deno", "2.9.6"), "deno task agentd");
});
