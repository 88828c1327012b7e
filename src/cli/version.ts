/** `agentd version`. */
import config from "../../deno.json" with { type: "json" };
import { type Action, answer } from "./call.ts";

/** The program's version; deno.json alone says it. */
export const VERSION: string = config.version;

// deno-lint-ignore require-await -- a verb answers with a promise
export const version: Action = async (call) => {
  const { deno, v8 } = Deno.version;
  const system = `${Deno.build.os} ${Deno.build.arch}`;
  answer(
    call,
    { agentd: VERSION, deno, v8, os: Deno.build.os, arch: Deno.build.arch },
    () => [`agentd ${VERSION}   ${call.terminal.paint("dim", `deno ${deno} · ${system}`)}`],
  );
};
