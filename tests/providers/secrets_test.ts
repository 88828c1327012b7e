/** The file of secrets: private, sealed, durable, and never overwritten when it is not understood. */
import { type KeptSecret } from "../../src/core/secrets.ts";
import { secretFile } from "../../src/providers/secrets/file.ts";
import { deepEqual, equal, match, ok, rejects } from "../assert.ts";

const VALUE = "value-of-the-secret";
const KEPT: readonly KeptSecret[] = [
  { name: "KEY", value: VALUE, mounts: ["/http"], hosts: ["api.example.com"], createdMs: 1000 },
  { name: "WIDE", value: "€ \u{1F512}\nline", mounts: ["/compute"], hosts: [], createdMs: 2000 },
];

async function withFiles(
  run: (files: { secrets: string; key: string }, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await run({ secrets: `${dir}/secrets`, key: `${dir}/runtime_key` }, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function modeOf(path: string): Promise<string> {
  return ((await Deno.stat(path)).mode! & 0o777).toString(8);
}

Deno.test("secret file: secrets outlive the program, in files that only their owner can read and that hold no value", () =>
  withFiles(async (files, dir) => {
    deepEqual(await secretFile(files).load(), []);
    deepEqual([...Deno.readDirSync(dir)], [], "looking makes nothing");
    await secretFile(files).save(KEPT);
    deepEqual(await secretFile(files).load(), KEPT);
    deepEqual([await modeOf(files.secrets), await modeOf(files.key)], ["600", "600"]);
    const text = await Deno.readTextFile(files.secrets);
    ok(!text.includes(VALUE) && !text.includes(btoa(VALUE)), text);
    await secretFile(files).save(KEPT);
    ok(await Deno.readTextFile(files.secrets) !== text, "sealed anew each time");
    deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), [
      "runtime_key",
      "secrets",
    ]);
  }));

Deno.test("secret file: another key, a changed binding or name, and other content are refused, and left as they are", () =>
  withFiles(async (files) => {
    await secretFile(files).save(KEPT);
    const [text, key] = [
      await Deno.readTextFile(files.secrets),
      await Deno.readTextFile(files.key),
    ];
    const bad: [string, string][] = [
      [text.replace("api.example.com", "evil.example.com"), key],
      [text.replace('"KEY"', '"YEK"'), key],
      [text.replace("/http", "/kv"), key],
      [text.replace('"version": 1', '"version": 2'), key],
      ['{"version": 1, "secrets": {"KEY": null}}', key],
      ["no JSON", key],
      [text, "0".repeat(64)],
      [text, "no key"],
    ];
    for (const [secrets, key] of bad) {
      await Deno.writeTextFile(files.secrets, secrets);
      await Deno.writeTextFile(files.key, key);
      const error = await secretFile(files).load().then(() => undefined, (error) => error);
      equal(error?.code, "corrupt", secrets.slice(0, 80));
      ok(!error.message.includes(VALUE));
      equal(await Deno.readTextFile(files.secrets), secrets);
      equal(await Deno.readTextFile(files.key), key);
    }
    await Deno.writeTextFile(files.secrets, text);
    await Deno.remove(files.key);
    await rejects(secretFile(files).load(), { code: "corrupt" });
    await rejects(Deno.stat(files.key), Deno.errors.NotFound, "no key is made that opens nothing");
    await Deno.writeTextFile(files.key, key, { mode: 0o600 });
    deepEqual(await secretFile(files).load(), KEPT);
  }));

Deno.test({
  name: "secret file: one that others may read is refused, and a directory that is gone is told",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFiles(async (files) => {
      await secretFile(files).save(KEPT);
      for (const path of [files.secrets, files.key]) {
        await Deno.chmod(path, 0o640);
        const error = await secretFile(files).load().then(() => undefined, (error) => error);
        equal(error?.code, "permission_denied");
        match(error.detail, /chmod 600/);
        await Deno.chmod(path, 0o600);
      }
      const gone = { secrets: `${files.secrets}/no/x`, key: `${files.key}/no/y` };
      await rejects(secretFile(gone).save(KEPT), { name: "FileError" });
    }),
});
