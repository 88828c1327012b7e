/** What a session tells of its files and of what it has used: texts of whoever is root in it. */
import { entries, type Entry } from "../../../src/providers/containers/file_listing.ts";
import { usageIn } from "../../../src/providers/containers/usage.ts";
import { equal, ok } from "../../assert.ts";
import { refusingLater } from "../expect.ts";
import { brokenBytes, brokenText, partsOf, sizesOf } from "../mutate.ts";
import type { Target } from "../target.ts";

const LISTING = "41ed 4096 1700000000 .//\n81a4 5 1700000000 .//name\n81a4 0 -1 .//line\nend\n" +
  "a1ff 7 1700000000 .//link to .//x\n81a4 12 1700000000 .//gr\u00fcn/tief\n";
const USAGES = [
  "cpu_ns 123456789\npeak 1048576\nio1 8:0 Read 10\nio1 8:0 Write 4096\nio1 Total 4106\n" +
  "net Inter-| Receive\nnet lo: 1 2 3 4 5 6 7 8 9 10\n" +
  "net eth0: 100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\nnet eth1:5 1 0 0 0 0 0 0 6\n",
  "cpu2 usage_usec 5000\ncpu2 user_usec 1\nnow 5\npeak 7\nio2 8:0 rbytes=1 wbytes=2 rios=3\n",
];

async function listing(parts: Iterable<Uint8Array>): Promise<string> {
  const found: Entry[] = [];
  async function* coming() {
    yield* parts;
  }
  const isWhole = await refusingLater(async () => {
    for await (const entry of entries(coming())) found.push(entry);
    return true;
  }, "io");
  for (const { name, size, told } of found) {
    ok(name === undefined || (name !== "" && name.isWellFormed()), name);
    ok(size > 0 && /^[0-9a-f -]{1,64}$/.test(told), told);
  }
  // How much of it was taken before it was refused is a matter of how it came.
  return JSON.stringify(isWhole ? found : "refused");
}

export const target: Target<{ listing: Uint8Array; sizes: number[]; usage: string }> = {
  about: "what a session tells is entries and whole counts, alike however it is cut, or refused",
  make: (chance) => ({
    listing: brokenBytes(chance, new TextEncoder().encode(LISTING)),
    sizes: sizesOf(chance),
    usage: brokenText(chance, chance.pick(USAGES), USAGES),
  }),
  begin: () => ({
    async try({ listing: bytes, sizes, usage }) {
      equal(await listing(partsOf(bytes, sizes)), await listing([bytes]));
      for (const [name, count] of Object.entries(usageIn(usage))) {
        ok(Number.isSafeInteger(count) && count >= 0, `${name} ${count}`);
      }
    },
  }),
};
