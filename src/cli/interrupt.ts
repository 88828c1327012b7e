/**
 * Ctrl-C as a person presses it. A terminal tells it to every program that runs in it, and `deno task` tells its program of it once and twice more: what comes
 * right behind the first is the same Ctrl-C, and no word to stop at once.
 */

/** Nobody means two things by two that are closer together. */
const SAME_MS = 500;

export function onInterrupt(pressed: () => void): void {
  let told = false;
  Deno.addSignalListener("SIGINT", () => {
    if (told) return;
    told = true;
    // In two steps: a signal that came while this program was busy is told before the second one is over.
    after(SAME_MS / 2, () => after(SAME_MS / 2, () => told = false));
    pressed();
  });
}

/** Keeps no program from ending. */
function after(ms: number, work: () => void): void {
  Deno.unrefTimer(setTimeout(work, ms) as unknown as number);
}
