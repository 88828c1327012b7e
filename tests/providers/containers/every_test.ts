import assert from "../../assert.ts";
import { every } from "../../../src/providers/containers/every.ts";

Deno.test("it comes again, one at a time, whatever becomes of it, until it is stopped", async () => {
  let running = 0, most = 0, times = 0;
  const enough = Promise.withResolvers<void>();
  const repetition = every(1, async () => {
    most = Math.max(most, ++running);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve));
    running--;
    if (++times === 3) enough.resolve();
    throw new Error("as it happens");
  });
  // The repetition's own timer keeps nobody alive, and so not this test.
  const awake = setInterval(() => {}, 60_000);
  await enough.promise;
  repetition.stop();
  clearInterval(awake);
  assert.equal(most, 1);
});

Deno.test("a program that has nothing else to do ends", async () => {
  const place = new URL("../../../src/providers/containers/every.ts", import.meta.url).href;
  const program = `import { every } from ${JSON.stringify(place)};
    every(3_600_000, () => Promise.resolve());`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--ext=ts", "-"],
    cwd: new URL("../../../", import.meta.url),
    stdin: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  assert.equal((await child.status).code, 0);
});
