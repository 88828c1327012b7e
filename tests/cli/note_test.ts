import { deepEqual, equal } from "../assert.ts";
import type { Home } from "../../src/cli/home.ts";
import { holdNote, seeServer } from "../../src/cli/note.ts";

const NOTE = {
  url: "http://127.0.0.1:8080",
  pid: 1,
  started_at: "2026-01-02T03:04:05.000Z",
  version: "0.1.0",
};

async function inHome(run: (home: Home) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync();
  try {
    await run({ dir, shown: dir, from: "--home" });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("a server is seen from its start to its stop", async () => {
  await inHome(async (home) => {
    deepEqual(seeServer(home), { state: "none" });
    const held = await holdNote(home);
    deepEqual(seeServer(home), { state: "running" });
    equal(Deno.readTextFileSync(`${home.dir}/pid`), `${Deno.pid}\n`);
    held.tell(NOTE);
    deepEqual(seeServer(home), { state: "running", note: NOTE });
    equal(Deno.statSync(`${home.dir}/server.json`).mode! & 0o777, 0o600);
    held.remove();
    deepEqual(seeServer(home), { state: "none" });
    deepEqual([...Deno.readDirSync(home.dir)], []);
  });
});

Deno.test("what a killed server left is no server, and the next one takes its place", async () => {
  await inHome(async (home) => {
    Deno.writeTextFileSync(`${home.dir}/server.json`, JSON.stringify(NOTE));
    deepEqual(seeServer(home), { state: "killed" });
    const held = await holdNote(home);
    deepEqual(seeServer(home), { state: "running" });
    held.remove();
  });
});
