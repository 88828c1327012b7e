/** Files of real containers, with each of the shells that images have. */
import assert from "../../assert.ts";
import { busyboxImage, MISSING_DOCKER } from "../../docker/engine.ts";
import { MISSING_SHELLS, shellImage } from "../../docker/shell_images.ts";
import { needs } from "../../needs.ts";
import type { ContainerFiles } from "../../../src/core/containers.ts";
import { type Code, hasCode } from "../../../src/fs/error.ts";
import { bytesOf, type OwnContainer, ownContainer, textOf } from "./own_container.ts";

const KINDS = [
  { name: "busybox", test: needs(MISSING_DOCKER), image: busyboxImage },
  { name: "GNU", test: needs(MISSING_DOCKER ?? MISSING_SHELLS), image: () => shellImage("dash") },
];

function testInEach(
  name: string,
  mb: number,
  body: (container: OwnContainer) => Promise<void>,
): void {
  for (const { name: kind, test, image } of KINDS) {
    test(`${name}: ${kind}`, async () => {
      await using container = await ownContainer(await image(), { max_disk_mb: mb });
      await body(container);
    });
  }
}

async function bytesIn(files: ContainerFiles, path: string, offset = 0, length = 1e12) {
  const parts = await Array.fromAsync(files.read(path, { offset, length }));
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}
const textIn = async (files: ContainerFiles, path: string, offset?: number, length?: number) =>
  textOf([await bytesIn(files, path, offset, length)]);
const refused = (code: Code) => (error: unknown) => hasCode(error, code);

testInEach("names of every kind", 8, async ({ files, run }) => {
  const odd = [
    "a b",
    "-rf",
    "q'\"`$(id)",
    "l1\nl2\n",
    "ü",
    "81a4 5 1 .",
    "*",
    "\\",
    "x\n81a4 5 1 .",
  ];
  for (const name of odd) await files.write(`${name}/${name}`, bytesOf(name));
  const listed = await files.list("");
  assert.deepEqual(listed.map(({ name }) => name).sort(), [...odd].sort());
  assert.ok(listed.every(({ dir }) => dir));
  for (const name of odd) {
    assert.equal(await textIn(files, `${name}/${name}`), name);
    assert.equal((await files.stat(`${name}/${name}`))?.size, bytesOf(name).length);
  }
  const walked = await files.walk(100);
  assert.deepEqual(walked.map(({ path }) => path).sort(), odd.map((n) => `${n}/${n}`).sort());
  assert.equal((await files.walk(3)).length, 3);
  await run("printf x >\"$(printf 'b\\377')\"");
  assert.equal((await files.list("")).length, odd.length);
  for (const name of odd) await files.remove(name);
  assert.deepEqual(await files.list(""), []);
  for (const path of ["..", "a/../b", "/etc/passwd", "a//b", ".", "a\0"]) {
    await assert.rejects(files.stat(path), refused("invalid_path"));
  }
});

testInEach("parts of files", 8, async ({ files, run }) => {
  await files.write("d/a", bytesOf("hello"));
  assert.equal(await textIn(files, "d/a", 1, 3), "ell");
  assert.equal(await textIn(files, "d/a", 5, 3), "");
  await files.write("d/a", bytesOf("XY"), { offset: 8 });
  assert.equal(await textIn(files, "d/a"), "hello\0\0\0XY");
  await files.write("d/a", bytesOf("J"), { offset: 0 });
  assert.equal(await textIn(files, "d/a", 0, 5), "Jello");
  await run("chmod +x d/a");
  await files.write("d/a", bytesOf("echo new"));
  assert.equal((await run("d/a")).exit_code === 0, true);
  await files.write("empty", new Uint8Array(0));
  assert.deepEqual((await files.stat("empty"))?.size, 0);
  assert.equal(await files.stat("none/at/all"), undefined);
  await assert.rejects(bytesIn(files, "none"), refused("not_found"));
  await assert.rejects(bytesIn(files, "d"), refused("is_directory"));
  await assert.rejects(files.write("d", bytesOf("x")), refused("is_directory"));
  await assert.rejects(files.write("d/a/b", bytesOf("x")), refused("not_directory"));
  await assert.rejects(files.list("d/a"), refused("not_directory"));
  await assert.rejects(files.remove("none"), refused("not_found"));
  await assert.rejects(files.remove(""), refused("permission_denied"));
});

testInEach("links and what is no file", 8, async ({ files, run }) => {
  await run(
    "echo in >a; ln -s a la; ln -s /etc out; ln -s /etc/passwd pw; ln -s none lost; mkfifo ff",
  );
  assert.equal(await textIn(files, "la"), "in\n");
  for (const path of ["pw", "out/passwd"]) {
    await assert.rejects(bytesIn(files, path), refused("permission_denied"));
    await assert.rejects(files.write(path, bytesOf("x")), refused("permission_denied"));
  }
  await assert.rejects(files.stat("pw"), refused("permission_denied"));
  await assert.rejects(bytesIn(files, "ff"), refused("permission_denied"));
  await assert.rejects(
    files.write("ff", bytesOf("x"), { offset: 0 }),
    refused("permission_denied"),
  );
  assert.deepEqual((await files.list("")).map(({ name }) => name), ["a", "la"]);
  await files.remove("out");
  assert.equal((await run("test -f /etc/passwd")).exit_code, 0);
});

testInEach("fifty megabytes there and back, and a full disk", 120, async ({ files }) => {
  const bytes = new Uint8Array(50 * 1_048_576);
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  await files.write("big", bytes);
  const digest = async (of: Uint8Array) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", of as BufferSource)).toHex();
  assert.equal(await digest(await bytesIn(files, "big")), await digest(bytes));
  assert.deepEqual(
    await bytesIn(files, "big", 1_234_567, 99_999),
    bytes.slice(1_234_567, 1_334_566),
  );
  await files.write("again", bytes);
  await assert.rejects(files.write("more", bytes), refused("quota_exceeded"));
  assert.deepEqual((await files.list("")).map(({ name }) => name), ["again", "big"]);
  // One that fails in the midst leaves what was there.
  async function* broken() {
    yield bytesOf("half");
    await Promise.resolve();
    throw new Error("gone");
  }
  await files.write("small", bytesOf("whole"));
  await assert.rejects(files.write("small", broken()), /gone/);
  assert.equal(await textIn(files, "small"), "whole");
});
