/** What namespaces add to the laws: what they hold on to, and what happens in between two steps. */
import assert from "../assert.ts";
import type { FileHandle, FileService } from "../../src/fs/file.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { type Mount, mountPath, namespace, subtree } from "../../src/fs/namespace.ts";
import { file, type FileRow, tree } from "../../src/fs/tree.ts";
import { call, readText, writeText } from "../../src/fs/use.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A namespace whose table can be changed, and which counts who listens for that. */
function changing(...first: Mount[]) {
  let mounts = first;
  const listeners = new Set<() => void>();
  const files = namespace(() => mounts, (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  });
  return {
    files,
    listeners: () => listeners.size,
    set(...next: Mount[]) {
      mounts = next;
      for (const listener of [...listeners]) listener();
    },
  };
}

function one(row: FileRow): Mount {
  return { path: "/f", service: tree(file(row)) };
}

Deno.test("a handle listens for changes as long as it is open, and no longer", async () => {
  const { files, listeners, set } = changing(one({ read: () => "x", write: () => {} }));
  for (const mode of ["read", "write"] as const) {
    const handle = await files.open("/f", mode);
    assert.equal(listeners(), 1);
    await handle.close();
    assert.equal(listeners(), 0);
  }
  await assert.rejects(files.open("/f", "call"), { code: "not_supported" });
  await assert.rejects(files.open("/f/x", "read"), { code: "not_directory" });
  assert.equal(listeners(), 0);
  const handle = await files.open("/f", "write");
  set();
  assert.equal(listeners(), 0);
  await assert.rejects(handle.close(), { code: "not_found" });
});

Deno.test("a mount that goes while a file on it is being opened opens nothing", async () => {
  const opening = Promise.withResolvers<FileHandle>();
  const closed = Promise.withResolvers<void>();
  const service: FileService = { ...memoryFiles({ now: () => 0 }), open: () => opening.promise };
  for (const listen of [true, false]) {
    const { files, set, listeners } = changing({ path: "/m", service });
    const quiet: Mount[] = [{ path: "/m", service }];
    const open = (listen ? files : namespace(() => quiet)).open("/m/f", "write");
    await Promise.resolve();
    set();
    quiet.pop();
    opening.resolve({
      read: () => Promise.resolve(undefined),
      write: () => Promise.resolve(),
      close: () => Promise.resolve(closed.resolve()),
    });
    await assert.rejects(open, { code: "not_found", path: "/m/f" });
    await closed.promise;
    assert.equal(listeners(), 0);
  }
});

Deno.test("a commit under way when its mount goes tells whether it took place", async () => {
  const begun = Promise.withResolvers<void>();
  const committing = Promise.withResolvers<void>();
  const mount = one({
    write() {
      begun.resolve();
      return committing.promise;
    },
  });
  const { files, set } = changing(mount);
  const handle = await files.open("/f", "write");
  await handle.write(bytes("x"));
  const close = handle.close();
  await begun.promise;
  set();
  committing.resolve();
  await close;
});

Deno.test("a call that waits when its mount is denied is given up, and its row told", async () => {
  const begun = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const mount = one({
    call(_, { signal }) {
      signal.addEventListener("abort", () => told.resolve());
      begun.resolve();
      return new Promise<string>(() => {});
    },
  });
  const { files, set } = changing(mount);
  const answer = call(files, "/f", "x");
  await begun.promise;
  set({ ...mount, allows: () => false });
  await assert.rejects(answer, { code: "permission_denied", path: "/f" });
  await told.promise;
});

Deno.test("what comes in for a read that waited is withheld once access is gone, though nobody told", async () => {
  const mounts = [{ path: "/m", service: memoryFiles({ now: () => 0 }) }];
  const { service } = mounts[0]!;
  await writeText(service, "/f", "v1");
  const watch = await namespace(() => mounts).open("/m/f", "watch");
  const waiting = watch.read();
  mounts.pop();
  await writeText(service, "/f", "v2");
  await assert.rejects(waiting, { code: "not_found" });
  await watch.close();
});

Deno.test("a caller's own abort passes through as the service tells it", async () => {
  const { files } = changing({ path: "/m", service: memoryFiles({ now: () => 0 }) });
  await writeText(files, "/m/f", "x");
  const abort = new AbortController();
  const watch = await files.open("/m/f", "watch", { signal: abort.signal });
  const read = await files.open("/m/f", "read", { signal: abort.signal });
  const waiting = watch.read();
  abort.abort();
  assert.equal(await waiting, undefined);
  await assert.rejects(read.read(), { code: "interrupted", path: "/m/f" });
});

Deno.test("a table that fails is told, and takes open handles with it", async () => {
  let broken = false;
  const mount = one({ read: () => "x" });
  const files = namespace(() => {
    if (broken) throw new Error("secret");
    return [mount];
  });
  const handle = await files.open("/f", "read");
  broken = true;
  await assert.rejects(handle.read(), { message: 'Cannot read "/f": internal' });
  await assert.rejects(files.stat("/f"), { message: 'Cannot stat "/f": internal' });
});

Deno.test("a mount path has one form", () => {
  assert.equal(mountPath("/a/b/"), "/a/b");
  assert.equal(mountPath("/"), "/");
  for (const path of ["", "a", "/a//b", "/.."]) {
    assert.throws(() => mountPath(path), { code: "invalid_path", op: "mount" });
  }
  for (const name of ["send", "tick", "hibernate", "wake", "pause", "resume", "stream"]) {
    assert.throws(() => mountPath(`/${name}/`), { code: "invalid_request", path: `/${name}/` });
    assert.equal(mountPath(`/x/${name}`), `/x/${name}`);
  }
});

Deno.test("a subtree follows what it is a part of", async () => {
  const mounts: Mount[] = [];
  const below = subtree(namespace(() => mounts), "/agents/abc/");
  await assert.rejects(below.stat("/"), { code: "not_found", path: "/" });
  const service = memoryFiles({ now: () => 0 });
  await writeText(service, "/f", "x");
  mounts.push({ path: "/agents/abc", service });
  assert.equal(await readText(below, "/f"), "x");
  await assert.rejects(readText(below, "/none"), { message: 'Cannot open "/none": not_found' });
});

Deno.test("an entry of a mount that cannot be asked still shows", async () => {
  const fails = () => Promise.reject(new Error("unreachable"));
  const far: FileService = { open: fails, stat: fails, list: fails, remove: fails };
  const near = tree(file({ read: () => "", stat: () => ({ size: 3, modified: 4 }) }));
  const files = namespace(() => [
    { path: "/far", service: far },
    { path: "/near", service: near },
    { path: "/shut", service: near, allows: () => false },
  ]);
  assert.deepEqual(await files.list("/"), [
    { name: "far", dir: true },
    { name: "near", dir: false, size: 3, modified: 4 },
    { name: "shut", dir: false },
  ]);
});
