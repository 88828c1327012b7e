/** Files of a session: its work directory while it runs, what it has kept from then on; and secrets, which are in none of it. */
import {
  callText,
  exists,
  readBytes,
  readJson,
  readText,
  writeBytes,
  writeText,
} from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { scripted } from "./scripted.ts";
import { type Accepted, test, type World } from "./world.ts";

const VALUE = "value-of-the-secret";
const encoder = new TextEncoder();

async function running({ begin, until }: World, more: object = {}): Promise<[Accepted, string]> {
  const session = await begin({ kind: "interactive", ...more });
  await until(session, "running");
  return [session, `/containers/sessions/${session.session_id}/files`];
}

const names = async ({ files }: World, path: string) =>
  (await files.list(path)).map(({ name, dir, size }) => dir ? `${name}/` : `${name} ${size}`);

test("files are written, read in parts, listed and removed", async (open) => {
  const engine = scripted();
  const world = await open([engine]);
  const { files } = world;
  const [session, at] = await running(world, {
    files: { "a/b c.txt": "hello", x: { base64: "/wA=" } },
  });
  deepEqual(await names(world, at), ["a/", "x 2"]);
  equal(await readText(files, `${at}/a/b c.txt`), "hello");
  deepEqual([...await readBytes(files, `${at}/x`)], [255, 0]);
  equal(await readText(files, `${at}/a/b c.txt`, { offset: 1, length: 3 }), "ell");
  await writeText(files, `${at}/new/deep/file`, "one");
  await writeText(files, `${at}/new/deep/file`, "N", { offset: 1 });
  equal(await readText(files, `${at}/new/deep/file`), "oNe");
  const handle = await files.open(`${at}/new/deep/file`, "append");
  await handle.write(encoder.encode("!"));
  await handle.close();
  equal(new TextDecoder().decode(engine.filesOf(session.session_id).get("new/deep/file")), "oNe!");
  await files.remove(`${at}/new`);
  equal(await exists(files, `${at}/new/deep/file`), false);
  deepEqual(await names(world, at), ["a/", "x 2"]);
  await rejects(readText(files, `${at}/none`), { code: "not_found" });
  await rejects(readText(files, `${at}/a`), { code: "is_directory" });
  await rejects(readText(files, `${at}/x`, { offset: 3 }), { code: "range_not_satisfiable" });
  for (const path of ["../x", "a/../x", "a//b", "a\0b"]) {
    await rejects(readText(files, `${at}/${path}`), { code: "invalid_path" }, path);
    await rejects(writeText(files, `${at}/${path}`, "x"), { code: "invalid_path" }, path);
  }
});

test("a large file goes through in parts, has a meta and chunks, and its most", async (open) => {
  const engine = scripted();
  const world = await open([engine]);
  const { files, policy } = world;
  const [, at] = await running(world);
  const bytes = Uint8Array.from({ length: 2_500_000 }, (_, i) => i * 31 + (i >> 9));
  await writeBytes(files, `${at}/big.bin`, bytes);
  ok((await readBytes(files, `${at}/big.bin`)).every((byte, i) => byte === bytes[i]));
  const meta = await readJson<object>(files, `${at}/big.bin/meta`);
  deepEqual(meta, {
    path: "big.bin",
    size_bytes: 2_500_000,
    modified: 0,
    type: null,
    chunks: 3,
    chunk_bytes: 1_048_576,
  });
  deepEqual(await names(world, `${at}/big.bin/chunks`), ["0 1048576", "1 1048576", "2 402848"]);
  const second = await readBytes(files, `${at}/big.bin/chunks/1`);
  ok(second.length === 1_048_576 && second.every((byte, i) => byte === bytes[1_048_576 + i]));
  for (const name of ["3", "01", "-1", "x"]) {
    await rejects(readBytes(files, `${at}/big.bin/chunks/${name}`), { code: "not_found" });
  }
  await policy({ max_file_size_bytes: 1_000 });
  await rejects(writeBytes(files, `${at}/more`, bytes), { code: "too_large" });
  equal(await exists(files, `${at}/more`), false);
  const request = { commands: ["x"], files: { a: "x".repeat(1_001) } };
  await rejects(world.begin(request), { code: "too_large" });
});

test("what it has kept can be read when it has ended, and nothing else", async (open) => {
  const bytes = Uint8Array.from({ length: 700_000 }, (_, i) => i * 7);
  const engine = scripted(({ files }) => {
    files.set("dist/app.bin", bytes);
    files.set("dist/deep/note.txt", encoder.encode("note"));
    files.set("other.txt", encoder.encode("other"));
    return 0;
  });
  const world = await open([engine]);
  const { begin, ended, files, result } = world;
  const session = await begin({
    kind: "build",
    commands: ["make"],
    artifacts: ["dist/**", "*.none"],
  });
  equal((await ended(session)).status, "complete");
  const { artifacts } = await result(session);
  const hash = async (data: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
  deepEqual(artifacts, [
    { path: "dist/app.bin", size_bytes: 700_000, sha256: await hash(bytes) },
    { path: "dist/deep/note.txt", size_bytes: 4, sha256: await hash(encoder.encode("note")) },
  ]);
  const at = `/containers/sessions/${session.session_id}/files`;
  deepEqual(await names(world, at), ["dist/"]);
  deepEqual(await names(world, `${at}/dist`), ["app.bin 700000", "deep/"]);
  ok((await readBytes(files, `${at}/dist/app.bin`)).every((byte, i) => byte === bytes[i]));
  equal(await readText(files, `${at}/dist/deep/note.txt`, { offset: 2 }), "te");
  await rejects(readText(files, `${at}/other.txt`), { code: "not_found" });
  await rejects(writeText(files, `${at}/new`, "x"), { code: "not_ready", message: /complete/ });
  await rejects(files.remove(`${at}/dist/app.bin`), { code: "not_ready" });
});

test("artifacts of a failed build are kept too, and one that is too large makes it fail, if nothing failed before", async (open) => {
  const engine = scripted(({ files, text }) => {
    files.set("log.txt", encoder.encode("why it failed"));
    return Number(text);
  });
  const { begin, ended, files, policy, result } = await open([engine]);
  const asked = { kind: "build", commands: ["2"], artifacts: ["*.txt"] };
  const session = await begin(asked);
  equal((await ended(session)).status, "failed");
  equal((await result(session)).artifacts.length, 1);
  const path = `/containers/sessions/${session.session_id}/files/log.txt`;
  equal(await readText(files, path), "why it failed");
  await policy({ max_file_size_bytes: 5 });
  const { error } = await ended(await begin({ ...asked, commands: ["0"] }));
  equal(error?.code, "too_large");
  const both = await ended(await begin(asked));
  equal(both.error?.code, "agent_error");
  match(both.error?.message ?? "", /exit code 2; and its artifacts.*"log.txt" has more than/);
});

test("a secret is where the program needs it, and in nothing that is told or kept", async (open) => {
  const engine = scripted(async ({ env, print, files }) => {
    const key = env["KEY"]!;
    files.set("leak.txt", encoder.encode(`key=${key};`));
    await print(`it is ${key.slice(0, 8)}`);
    await print(`${key.slice(8)}!`);
    await print(btoa(key), "stderr");
    return key === VALUE ? 0 : 1;
  });
  const world = await open([engine]);
  const { backend, begin, ctl, ended, files, output, result, secrets } = world;
  const asked = { commands: ["x"], env: { KEY: "{{secret:KEY}}" }, artifacts: ["*"] };
  await rejects(begin(asked), { code: "not_found" });
  await secrets.set("KEY", { value: VALUE, mounts: ["/compute"] });
  await rejects(begin(asked), { code: "permission_denied", message: /not bound/ });
  await secrets.set("KEY", { mounts: ["/containers"] });
  const session = await begin(asked);
  equal((await ended(session)).status, "complete");
  const { stdout, stderr } = await result(session);
  deepEqual([stdout, stderr], ["it is [secret KEY]!", "[secret KEY]=="]);
  deepEqual((await output(session)).map(({ data, exit_code }) => data ?? exit_code), [
    "it is ",
    "[secret KEY]!",
    "[secret KEY]==",
    0,
  ]);
  const hidden = `key=${"*".repeat(VALUE.length)};`;
  const path = (id: string) => `/containers/sessions/${id}/files/leak.txt`;
  equal(await readText(files, path(session.session_id)), hidden);

  const [live] = await running(world, { env: asked.env });
  const given = await world.exec(live, "x");
  await ended(given);
  equal(await readText(files, path(live.session_id)), hidden);
  equal(await readText(files, path(live.session_id), { offset: 6, length: 4 }), "****");
  equal(await readText(files, path(live.session_id), { offset: 22 }), "*;");
  await ctl(live, "stop");
  const text = (row: Uint8Array) => new TextDecoder().decode(row);
  const rows = [...backend.rows().values()].flatMap((rows) => [...rows.values()]);
  ok(rows.every((row) => !text(row).includes(VALUE) && !text(row).includes(btoa(VALUE))));
});

test("another agent finds nothing of a session", async (open) => {
  const world = await open([scripted()]);
  const { as, runtime } = world;
  const [session, at] = await running(world, { files: { x: "y" } });
  await runtime.create({ id: "b", agent: "subject" } as never);
  const other = await as("operator", "b");
  for (const path of [session.status_path, session.output_path, `${at}/x`]) {
    await rejects(readText(other, path), { code: "not_found" });
  }
  const ctl = `/containers/sessions/${session.session_id}/ctl`;
  await rejects(callText(other, ctl, "stop"), { code: "not_found" });
});
