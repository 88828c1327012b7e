/** The key file: durable, private, shared, and never overwritten when it is not understood. */
import { type AgentId, agentId } from "../../src/core/id.ts";
import { openKeyFile } from "../../src/providers/signer/keyfile.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";

const a = agentId("a");

async function withDirectory(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function modeOf(path: string): Promise<string> {
  return ((await Deno.stat(path)).mode! & 0o777).toString(8);
}

Deno.test("a key outlives the program, in a file that only its owner can read", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/made/keys.json`;
    const first = await openKeyFile(path);
    await rejects(first.pubkey(a), { code: "not_found" });
    const pubkey = await first.create(a);
    equal(await (await openKeyFile(path)).pubkey(a), pubkey);
    equal(await modeOf(path), "600");
    equal(await modeOf(`${dir}/made`), "700");
    await first.destroy(a);
    await rejects((await openKeyFile(path)).pubkey(a), { code: "not_found" });
  }));

Deno.test("an imported key takes the place of the agent's own, for good", () =>
  withDirectory(async (dir) => {
    const signer = await openKeyFile(`${dir}/keys.json`);
    const pubkey = await signer.create(a);
    const ncryptsec = await signer.exportKey(a, "words");
    const other = await openKeyFile(`${dir}/other.json`);
    await other.create(a);
    equal(await other.importKey(a, ncryptsec, "words"), pubkey);
    equal(await (await openKeyFile(`${dir}/other.json`)).pubkey(a), pubkey);
  }));

Deno.test("many agents made at once all have a key, and the same one ever after", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    const signer = await openKeyFile(path);
    const ids = Array.from({ length: 200 }, (_, i) => agentId(`agent-${i % 100}`));
    const made = await Promise.all(ids.map((id) => signer.create(id)));
    deepEqual(made.slice(0, 100), made.slice(100));
    equal(new Set(made).size, 100);
    const again = await openKeyFile(path);
    deepEqual(await Promise.all(ids.map((id) => again.pubkey(id))), made);
  }));

Deno.test("two programs that share the file lose no key and agree on each", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    const [one, two] = [await openKeyFile(path), await openKeyFile(path)];
    const both = agentId("both");
    const [x, y] = await Promise.all([
      one.create(both),
      two.create(both),
      one.create(agentId("one")),
      two.create(agentId("two")),
    ]);
    equal(x, y);
    const file = JSON.parse(await Deno.readTextFile(path));
    deepEqual(Object.keys(file.keys), ["both", "one", "two"]);
  }));

Deno.test("names of Object.prototype are just names of agents", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    const signer = await openKeyFile(path);
    for (const id of ["constructor", "valueof", "hasownproperty"]) {
      const pubkey = await signer.create(id as AgentId);
      equal(await (await openKeyFile(path)).pubkey(id as AgentId), pubkey);
    }
  }));

Deno.test("a key file that others may read is refused, with what to do", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    await (await openKeyFile(path)).create(a);
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      await Deno.chmod(path, mode);
      await rejects(openKeyFile(path), { code: "permission_denied", message: /chmod 600/ });
    }
    await Deno.chmod(path, 0o600);
    await openKeyFile(path);
  }));

Deno.test("a damaged key file is told by its path, and stays as it is", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    const secret = "11".repeat(32);
    const damaged = [
      "",
      "{",
      `{"version":2,"keys":{}}`,
      `{"version":1,"keys":{"a":"${secret}`,
      `{"version":1,"keys":{"a":"${secret}00"}}`,
      `{"version":1,"keys":{"a":"${"00".repeat(32)}"}}`,
      `{"version":1,"keys":{"../a":"${secret}"}}`,
      `{"version":1}`,
    ];
    for (const text of damaged) {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      const error = await openKeyFile(path).then(() => undefined, (error) => error);
      equal(error?.code, "corrupt", text);
      match(error.message, /keys\.json/);
      ok(!`${error.message}${error.stack}${error.cause}`.includes(secret));
      equal(await Deno.readTextFile(path), text);
    }
  }));

Deno.test("a file that is damaged under a running program is not overwritten either", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    const signer = await openKeyFile(path);
    const pubkey = await signer.create(a);
    await Deno.writeTextFile(path, "not mine");
    await rejects(signer.create(agentId("b")), { code: "corrupt" });
    equal(await Deno.readTextFile(path), "not mine");
    equal(await signer.pubkey(a), pubkey);
    await rejects(signer.pubkey(agentId("b")), { code: "not_found" });
  }));

Deno.test("what a crash left beside the file does not stand in the way", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/keys.json`;
    await Deno.writeTextFile(`${path}.new`, "half a fi", { mode: 0o644 });
    const pubkey = await (await openKeyFile(path)).create(a);
    equal(await (await openKeyFile(path)).pubkey(a), pubkey);
    equal(await modeOf(path), "600");
  }));

Deno.test("a directory that cannot be written is told, and nothing is pretended", () =>
  withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const signer = await openKeyFile(`${dir}/absent/keys.json`);
    await Deno.writeTextFile(`${dir}/absent`, "in the way");
    await rejects(signer.create(a), { code: "io" });
    await rejects(signer.pubkey(a), { code: "not_found" });
  }));
