/** A database whose very making a power cut has cut off: it is made anew, and is ours from then on. */
import { equal, rejects } from "../../assert.ts";
import { openLocal } from "../../../src/backends/local/sqlite.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const PAGE_BYTES = 4096;

/** A rollback journal that says how many pages there were before. */
function journalOf(pages: number): Uint8Array {
  const journal = new Uint8Array(512);
  journal.set([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
  const numbers = new DataView(journal.buffer);
  numbers.setUint32(16, pages);
  numbers.setUint32(20, 512);
  numbers.setUint32(24, PAGE_BYTES);
  return journal;
}

async function inDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-unmade-" });
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What may be left of the first page: nothing but its length, or its first sector, which says whose it is. */
async function firstPages(): Promise<Record<string, Uint8Array>> {
  let whole = new Uint8Array();
  await inDir(async (dir) => {
    await (await openLocal(dir)).close();
    whole = await Deno.readFile(`${dir}/agentd.db`);
  });
  return {
    "zeros": new Uint8Array(PAGE_BYTES),
    "its end": new Uint8Array(PAGE_BYTES).fill(7, 512),
    "its first sector": whole.slice(0, 512),
  };
}

for (const [what, page] of Object.entries(await firstPages())) {
  Deno.test(`a database of which a cut in its making has left ${what} is made anew`, async () => {
    await inDir(async (dir) => {
      await Deno.writeFile(`${dir}/agentd.db`, page);
      await Deno.writeFile(`${dir}/agentd.db-journal`, journalOf(0));
      const storage = async () => {
        const backend = await openLocal(dir);
        return { backend, rows: backend.storage("bob") };
      };
      const first = await storage();
      await first.rows.commit({ check: [], remove: [], put: [{ key: "a", value: encode("1") }] });
      await first.backend.close();
      const second = await storage();
      equal(new TextDecoder().decode(await second.rows.get("a")), "1");
      await second.backend.close();
    });
  });
}

Deno.test("a journal of what was more than nothing does not make a stranger's file ours", async () => {
  await inDir(async (dir) => {
    await Deno.writeFile(`${dir}/agentd.db`, encode("a diary, and no database".repeat(200)));
    await Deno.writeFile(`${dir}/agentd.db-journal`, journalOf(3));
    await rejects(openLocal(dir), { code: "corrupt" });
    equal((await Deno.readFile(`${dir}/agentd.db`)).length, 24 * 200);
  });
});
