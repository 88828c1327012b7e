/** A server whose disk is full: it says so, loses nothing that it has accepted, keeps nothing that it has refused, and goes on when there is room. */
import assert from "../assert.ts";
import { needs } from "../needs.ts";
import { counter, countIn, run, sent, standing, type Told } from "./world.ts";

function missing(): string | undefined {
  if (Deno.build.os !== "linux") return "a small disk is mounted on Linux only";
  return Deno.uid() === 0 ? undefined : "mounting a small disk takes root";
}
const test = needs(missing());

const DISK_MIB = 16;
/** What is left for the first messages. */
const LEFT_BYTES = 400 * 1024;

/** Takes all of the disk but so much. */
async function fill(path: string, left: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  let size = 0;
  for (const bytes of [65_536, 4096, 1]) {
    try {
      for (;;) {
        const written = await file.write(new Uint8Array(bytes));
        size += written;
        if (written < bytes) break;
      }
    } catch (error) {
      assert.match(String(error), /No space left/);
    }
  }
  await file.truncate(Math.max(0, size - left));
}

function mustSayFull({ status, body }: Told): void {
  assert.equal(status, 507);
  assert.equal(body.code, "quota_exceeded");
  assert.match(String(body.detail), /disk is full.*free some space/);
  assert.doesNotMatch(JSON.stringify(body), /\/home|agentd\.db/, "no path of the server's");
}

test("a full disk: refused in words, nothing accepted lost, nothing refused kept, and on it goes", () =>
  standing(async ({ home, serve, place }) => {
    await Deno.mkdir(home);
    await run("mount", "-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", home);
    try {
      let server = await serve();
      let url = await counter(server);
      await fill(`${home}/filler`, LEFT_BYTES);
      const accepted: string[] = [];
      const refused: string[] = [];
      // Some fit; then none does, again and again.
      for (let n = 0; refused.length < 20; n++) {
        const told = await sent(url, `m${n}`);
        if (told.status === 202) accepted.push(`m${n}`);
        else {
          mustSayFull(told);
          refused.push(`m${n}`);
        }
      }
      assert.ok(accepted.length > 0, "the disk was full too early");
      await server.running.line(/disk is full/);
      for (const path of ["/healthz", "/runtime/status", "/openapi.json"]) {
        const answer = await fetch(new URL(path, url));
        assert.equal(answer.status, 200, await answer.text());
      }
      await server.kill();
      await fill(`${home}/filler2`, 0);
      const tried = place.start(["serve", "--home", home, "--listen", "127.0.0.1:0", "--json"]);
      assert.match(await tried.line(/./), /"url"|disk is full/, "it starts, or says why not");
      tried.kill("SIGKILL");
      await tried.ended;

      for (const name of ["filler", "filler2"]) await Deno.remove(`${home}/${name}`);
      server = await serve();
      url = `${server.url}/agents/bob/send`;
      for (const id of accepted) assert.equal((await sent(url, id)).body.duplicate, true, id);
      for (const id of refused) assert.equal((await sent(url, id)).body.duplicate, false, id);
      const all = accepted.length + refused.length;
      assert.equal(countIn(await sent(url, "last", true)), all + 1);
      assert.equal((await server.stop()).code, 0);
    } finally {
      await run("umount", "--lazy", home);
    }
  }));

test("a disk that is full for a while: the same server goes on without being started again", () =>
  standing(async ({ home, serve }) => {
    await Deno.mkdir(home);
    await run("mount", "-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", home);
    try {
      const server = await serve();
      const url = await counter(server);
      assert.equal(countIn(await sent(url, "one", true)), 1);
      await fill(`${home}/filler`, 0);
      mustSayFull(await sent(url, "two"));
      const create = await fetch(`${server.url}/agents`, {
        method: "POST",
        body: JSON.stringify({ id: "eve", agent: "echo" }),
      });
      assert.equal(create.status, 507);
      await create.body?.cancel();
      await Deno.remove(`${home}/filler`);
      assert.equal(countIn(await sent(url, "two", true)), 2);
      const again = await fetch(`${server.url}/agents`, {
        method: "POST",
        body: JSON.stringify({ id: "eve", agent: "echo" }),
      });
      assert.equal(again.status, 201, await again.text());
      assert.equal((await server.stop()).code, 0);
    } finally {
      await run("umount", "--lazy", home);
    }
  }));
