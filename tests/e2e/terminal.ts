/** The real program on a terminal, and somebody who sits there and types. */
import { needs } from "../needs.ts";
import { BINARY } from "./program.ts";
import type { Place } from "./server.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Declares a test that needs a terminal. */
export const testOnTerminal = needs(
  Deno.build.os === "linux" && exists("/usr/bin/script")
    ? undefined
    : "no script(1), for a terminal",
);

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const CTRL_C = "\x03";
/** From one Ctrl-C to the next, where one ends the typing and the program has not ended. */
const AGAIN_MS = 100;

/**
 * Runs the program on a terminal of its own.
 * @param typing what is waited for, each with what is then typed
 */
export async function onTerminal(
  { dir }: Place,
  args: readonly string[],
  typing: readonly (readonly [string, string])[],
): Promise<{ code: number; shown: string }> {
  const program = BINARY ?? `${Deno.execPath()} run -A --quiet ${MAIN}`;
  // A shell that stayed would take Ctrl-C for itself too, and end with a code of its own.
  const child = new Deno.Command("/usr/bin/script", {
    args: ["-qefc", `exec ${program} ${args.join(" ")}`, "/dev/null"],
    cwd: dir,
    env: { SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  const left = [...typing];
  let shown = "";
  let from = 0;
  // A Ctrl-C right behind another counts as the same: whoever means it presses again.
  const press = () => writer.write(encoder.encode(CTRL_C)).catch(() => {});
  const pressing = setInterval(() => {
    if (left.length === 0 && typing.at(-1)?.[1] === CTRL_C) press();
  }, AGAIN_MS);
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    const [next] = left;
    const at = next === undefined ? -1 : shown.indexOf(next[0], from);
    if (at < 0) continue;
    from = at + next![0].length;
    await writer.write(encoder.encode(next![1]));
    left.shift();
  }
  clearInterval(pressing);
  await writer.close().catch(() => {});
  return { code: (await child.status).code, shown };
}
