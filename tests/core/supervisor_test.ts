import assert from "../assert.ts";
import { makeSupervisor, MAX_TICKING, type Ticker } from "../../src/core/supervisor.ts";

/** An agent with so much to do; all ticks take as long. */
function worker(work: number, onTick: () => void): Ticker & { readonly left: number } {
  let left = work;
  let inside = 0;
  return {
    get left() {
      return left;
    },
    get due() {
      return left > 0;
    },
    async tick() {
      assert.equal(++inside, 1, "one tick at a time");
      left--;
      onTick();
      for (let turns = 0; turns < 3; turns++) await Promise.resolve();
      inside--;
    },
  };
}

function rethrow(error: unknown): void {
  throw error;
}

async function idle(supervisor: { readonly ticking: number; readonly waiting: number }) {
  while (supervisor.ticking + supervisor.waiting > 0) await Promise.resolve();
}

Deno.test("ten thousand due agents have their turns in rounds: nobody is a turn ahead of who waits", async () => {
  const supervisor = makeSupervisor(rethrow);
  const agents = 10_000;
  const rounds = 3;
  const turns = new Array<number>(agents).fill(0);
  const behind = new Array<number>(rounds + 1).fill(0);
  behind[0] = agents;
  let ahead = 0;
  supervisor.paused = true;
  for (let i = 0; i < agents; i++) {
    const ticker = worker(rounds, () => {
      behind[turns[i]!]!--;
      behind[++turns[i]!]!++;
      const least = behind.findIndex((count) => count > 0);
      if (turns[i]! > least + 1) ahead++;
    });
    supervisor.ready(ticker);
    supervisor.ready(ticker);
  }
  assert.equal(supervisor.waiting, agents, "each stands in the line once");
  supervisor.paused = false;
  assert.equal(supervisor.ticking, MAX_TICKING);
  await idle(supervisor);
  assert.deepEqual(turns, new Array(agents).fill(rounds));
  assert.equal(ahead, 0);
});

Deno.test("an agent that says it is ready while it ticks is not ticked twice at once, and not forgotten", async () => {
  const supervisor = makeSupervisor(rethrow);
  let work = 1;
  let inside = 0;
  let ticks = 0;
  const ticker: Ticker = {
    get due() {
      return work > 0;
    },
    async tick() {
      assert.equal(++inside, 1);
      work--;
      ticks++;
      if (ticks < 5) work++;
      supervisor.ready(ticker);
      await Promise.resolve();
      supervisor.ready(ticker);
      inside--;
    },
  };
  supervisor.ready(ticker);
  await idle(supervisor);
  assert.equal(ticks, 5);
});

Deno.test("a tick that rejects is told and holds up nobody", async () => {
  const errors: unknown[] = [];
  const supervisor = makeSupervisor((error) => errors.push(error));
  let others = 0;
  let fails = 3;
  supervisor.ready({
    get due() {
      return fails > 0;
    },
    tick: () => Promise.reject(new Error(`${fails--}`)),
  });
  supervisor.ready(worker(4, () => others++));
  await idle(supervisor);
  assert.equal(others, 4);
  assert.deepEqual(errors.map((error) => (error as Error).message), ["3", "2", "1"]);
});

Deno.test("a stop waits for the ticks that run and begins no more", async () => {
  const supervisor = makeSupervisor(rethrow);
  let open = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  let began = 0;
  const ticker: Ticker = {
    due: true,
    async tick() {
      began++;
      await gate;
    },
  };
  supervisor.ready(ticker);
  let stopped = false;
  const stop = supervisor.stop().then(() => stopped = true);
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
  assert.equal(stopped, false);
  open();
  await stop;
  assert.equal(began, 1);
});

Deno.test("while it is paused nobody begins, and the line is kept", async () => {
  const supervisor = makeSupervisor(rethrow);
  const order: string[] = [];
  supervisor.paused = true;
  for (const name of ["a", "b", "c"]) supervisor.ready(worker(1, () => order.push(name)));
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
  assert.deepEqual(order, []);
  supervisor.paused = false;
  await idle(supervisor);
  assert.deepEqual(order, ["a", "b", "c"]);
});
