/** Time and chance, as far as they can be tried without waiting. */
import { holds, same } from "../expect.ts";
import type { StorageLaw } from "./subject.ts";

/** 2020-01-01T00:00:00Z: before any clock that is right. */
const PAST_MS = 1_577_836_800_000;

export const worldLaws: readonly StorageLaw[] = [
  {
    id: "S44",
    name: "time_is_in_whole_milliseconds",
    says: "`now` answers an integer of milliseconds since 1970, after 2020.",
    test({ backend }) {
      const now = backend.now();
      holds(Number.isSafeInteger(now), `now is ${now}, no integer`);
      holds(now > PAST_MS, `now is ${now}, before 2020`);
      return Promise.resolve();
    },
  },
  {
    id: "S45",
    name: "chance_does_not_repeat",
    says: "`random` answers as many bytes as were asked for, others each time.",
    test({ backend }) {
      for (const n of [0, 1, 16, 100_000]) same(backend.random(n).byteLength, n, "random bytes");
      const drawn = Array.from({ length: 100 }, () => backend.random(16).join());
      same(new Set(drawn).size, 100, "different draws of 16 bytes");
      const values = new Set(backend.random(10_000));
      same(values.size, 256, "different bytes in 10,000");
      return Promise.resolve();
    },
  },
];
