import { deepEqual, equal, ok } from "../assert.ts";
import { countAt, send } from "./load.ts";
import { inPlace, type Place, type Served } from "./server.ts";

const CONNECTIONS = 32;
const idsFrom = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `load-${from + i}`);

/** A server with a fresh agent that counts. */
async function counting(place: Place): Promise<Served> {
  const served = await place.serve();
  equal((await place.run(["create", "bob", "counter"])).code, 0);
  return served;
}

Deno.test("kill -9 in the middle of 10,000 sends: what was answered is ticked, and nothing twice", async () => {
  await inPlace(async (place) => {
    const ids = idsFrom(0, 10_000);
    let served = await counting(place);
    let open = ids;
    let asked = 0;
    for (const many of [1_500, 2_000, 2_500]) {
      const load = send(`${served.url}/agents/bob/send`, open, CONNECTIONS);
      await load.reached(many);
      await served.kill();
      await load.done;
      ok(load.answered.size < open.length, "it was killed too late to be in the middle");
      served = await place.serve();
      const target = `${served.url}/agents/bob/send`;
      const count = await countAt(target);
      asked++;
      // What got no answer is sent again: the server says which of those it has had.
      const lost = open.filter((id) => !load.answered.has(id));
      const inFlight = lost.slice(0, CONNECTIONS * 2);
      const again = send(target, inFlight, CONNECTIONS);
      await again.done;
      equal(again.answered.size, inFlight.length);
      const before = ids.length - open.length;
      equal(count, before + load.answered.size + again.duplicates.size + asked);
      open = lost.slice(inFlight.length);
    }
    const rest = send(`${served.url}/agents/bob/send`, open, CONNECTIONS);
    await rest.done;
    deepEqual([rest.answered.size, rest.duplicates.size], [open.length, 0]);
    equal(await countAt(`${served.url}/agents/bob/send`), ids.length + asked + 1);
    const { queue_depth, dead_letters } = JSON.parse(
      (await place.run(["status", "bob", "--json"])).out,
    );
    deepEqual([queue_depth, dead_letters], [0, 0]);
  });
});

Deno.test("SIGTERM under load: exit 0, and every answer it gave holds", async () => {
  await inPlace(async (place) => {
    const served = await counting(place);
    const ids = idsFrom(0, 4_000);
    const load = send(`${served.url}/agents/bob/send`, ids, CONNECTIONS);
    await load.reached(1_000);
    const { code } = await served.stop();
    await load.done;
    equal(code, 0);
    ok(load.answered.size < ids.length, "it stopped too late to be in the middle");
    const again = await place.serve();
    const target = `${again.url}/agents/bob/send`;
    const count = await countAt(target);
    const repeat = send(target, ids, CONNECTIONS);
    await repeat.done;
    equal(repeat.answered.size, ids.length);
    equal(count, repeat.duplicates.size + 1);
    for (const id of load.answered) ok(repeat.duplicates.has(id), `${id} was answered and is lost`);
    equal(await countAt(target), ids.length + 2);
    equal((await again.stop()).code, 0);
  });
});
