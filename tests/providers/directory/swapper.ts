/** A program that exchanges two names, over and over, until it is told to stop. It runs in a worker. */
interface Job {
  /** What stands at `name` and at `other` changes places. */
  readonly name: string;
  readonly other: string;
  /** Set to stop. The second number counts the swaps. */
  readonly flags: Int32Array;
  /** The longest time for which things stand where they were, in microseconds; they are away for an eighth of it. */
  readonly pauseUs: number;
}

const port = globalThis as unknown as {
  onmessage: (event: { readonly data: Job }) => void;
  postMessage(text: string): void;
};

port.onmessage = ({ data: { name, other, flags, pauseUs } }) => {
  const aside = `${other}.aside`;
  const exchange = () => {
    move(name, aside);
    move(other, name);
    move(aside, other);
    Atomics.add(flags, 1, 1);
  };
  port.postMessage("begun");
  while (Atomics.load(flags, 0) === 0) {
    exchange();
    const isAway = Atomics.load(flags, 1) % 2 === 1;
    const until = performance.now() + Math.random() * pauseUs / (isAway ? 8000 : 1000);
    while (performance.now() < until) { /* busy, for a timer would be too coarse */ }
  }
  // After an even number everything is where it was.
  if (Atomics.load(flags, 1) % 2 === 1) exchange();
  port.postMessage("ended");
};

/** For a moment the name is free, and a directory may be made there: that one goes. */
function move(from: string, to: string): void {
  while (true) {
    try {
      return Deno.renameSync(from, to);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw error;
      removeTree(to);
    }
  }
}

function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    // Something has come into it meanwhile: the next try takes that along.
  }
}
