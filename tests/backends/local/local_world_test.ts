import assert from "../../assert.ts";
import { localWorld } from "../../../src/backends/local/local_world.ts";

const { now, random, timer } = localWorld;

/** Waits for a timer, which alone would not keep the test alive. */
async function fires(delayMs: number, fired: () => void = () => {}): Promise<void> {
  const alive = setInterval(() => {}, 1_000_000);
  try {
    await new Promise<void>((resolve) =>
      timer(delayMs, () => {
        fired();
        resolve();
      })
    );
  } finally {
    clearInterval(alive);
  }
}

Deno.test("a timer fires once, and not early", async () => {
  for (const delayMs of [-5, 0, 0.4, 3, 20]) {
    const started = performance.now();
    let fired = 0;
    await fires(delayMs, () => fired++);
    assert.ok(performance.now() - started >= delayMs, `${delayMs} ms`);
    await fires(1);
    assert.equal(fired, 1);
  }
});

Deno.test("a cancelled timer does not fire, and one that is longer than the platform's does not fire at once", async () => {
  let fired = 0;
  const cancels = [1, 2 ** 31, 1e15].map((delayMs) => timer(delayMs, () => fired++));
  cancels[0]!();
  await fires(3);
  assert.equal(fired, 0);
  for (const cancel of cancels) cancel();
});

Deno.test("a pending timer does not keep the program alive", async () => {
  const world = new URL("../../../src/backends/local/local_world.ts", import.meta.url).href;
  const code = `import { localWorld } from ${JSON.stringify(world)};
    localWorld.timer(1e9, () => {});
    console.log("end");`;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", code],
  }).output();
  assert.ok(success);
  assert.equal(new TextDecoder().decode(stdout), "end\n");
});

Deno.test("now is an integer and random fills arrays of any size", () => {
  assert.ok(Number.isSafeInteger(now()));
  const bytes = random(200_000);
  assert.equal(bytes.length, 200_000);
  // The end is as random as the beginning.
  assert.equal(new Set(bytes.subarray(150_000)).size, 256);
});
