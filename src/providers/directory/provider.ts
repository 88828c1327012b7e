/** Directories of this machine for agents: which may be mounted, and one worker for all who have mounted the same. */
import { FileError, type FileErrorInit } from "../../fs/error.ts";
import type { DirectoryMount, DirectoryProvider, OpenDirectory } from "../../core/provider.ts";
import { HIDDEN, hiddenBy } from "./hidden.ts";
import type { Begin } from "./protocol.ts";
import { type WorkerFiles, workerFiles } from "./service.ts";

export interface LocalDirectoriesOptions {
  /** Host directories that must stay out of reach, such as the program's own with its keys: no mount may be one, hold one, or lie in one. */
  readonly never?: readonly string[];
}

interface Shared {
  readonly worker: WorkerFiles;
  holders: number;
}

/** The permissions of the program decide what can be mounted; nobody is ever asked for more. */
export function localDirectories({ never = [] }: LocalDirectoriesOptions = {}): DirectoryProvider {
  const shared = new Map<string, Shared>();

  return {
    // deno-lint-ignore require-await -- its refusals are rejections
    async check(mount) {
      hiddenBy(mount.hidden ?? HIDDEN);
      if (mount.access === "disabled" && !isAbsolute(mount.path)) throw notAbsolute(mount.path);
      if (mount.access === "disabled") return mount;
      const path = realDirectory(mount);
      mustBeAllowed(path, never);
      return { ...mount, path };
    },

    open(mount) {
      const key = JSON.stringify([mount.path, mount.access, mount.hidden ?? HIDDEN]);
      const found = shared.get(key) ?? { worker: workerFor(mount), holders: 0 };
      shared.set(key, found);
      found.holders++;
      return opened(found.worker, async () => {
        if (--found.holders > 0) return;
        shared.delete(key);
        await found.worker.close();
      });
    },
  };
}

/** One holder's share of a worker. */
function opened(worker: WorkerFiles, leave: () => Promise<void>): OpenDirectory {
  let left: Promise<void> | undefined;
  return { files: worker.files, close: () => left ??= leave() };
}

function workerFor({ path, access, hidden }: DirectoryMount): WorkerFiles {
  const writable = access === "read_write";
  const permissions = permissionsOf({ path, access });
  const begin: Begin = { op: "begin", root: path, writable, hidden: hidden ?? HIDDEN };
  // The literal is what `deno compile` and the house rules look for.
  const start = () =>
    new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "directory",
      deno: { permissions },
    });
  return workerFiles(start, begin);
}

/** All that a worker may: its directory. */
export function permissionsOf(
  { path, access }: Pick<DirectoryMount, "path" | "access">,
): Deno.PermissionOptionsObject {
  const none = { env: false, ffi: false, import: false, net: false, run: false, sys: false };
  return { ...none, read: [path], write: access === "read_write" ? [path] : false };
}

/** @throws FileError `invalid_request`, `not_found`, `not_directory`, `permission_denied` */
function realDirectory(mount: DirectoryMount): string {
  const { path } = mount;
  if (!isAbsolute(path)) throw notAbsolute(path);
  mustBePermitted(mount);
  const real = asked(path, () => Deno.realPathSync(path));
  mustBePermitted({ ...mount, path: real });
  if (asked(path, () => Deno.lstatSync(real)).isDirectory) return real;
  throw refusal("not_directory", path, { detail: "only a directory can be mounted" });
}

function asked<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw refusal("not_found", path, { detail: "the host has no such directory", cause });
    }
    const { code, name } = cause as { code?: string; name?: string };
    throw refusal("permission_denied", path, {
      detail: `the host does not let this program look at it: ${code ?? name}`,
      cause,
    });
  }
}

function isAbsolute(path: string): boolean {
  return path.startsWith("/") && !path.includes("\0");
}

function notAbsolute(path: string): FileError {
  const detail = Deno.build.os === "windows"
    ? "directories cannot be mounted on this system"
    : "the path of a directory to mount is absolute";
  return refusal("invalid_request", path, { detail });
}

/** @throws FileError `permission_denied`, which names the flags that are missing */
function mustBePermitted({ path, access }: DirectoryMount): void {
  const reads = [path, ...ownSource()].filter((path) => !isGranted("read", path));
  const writes = access === "read_write" && !isGranted("write", path) ? [path] : [];
  const flags = [
    ...(reads.length > 0 ? [`--allow-read=${reads.join(",")}`] : []),
    ...(writes.length > 0 ? [`--allow-write=${writes.join(",")}`] : []),
  ];
  if (flags.length === 0) return;
  throw refusal("permission_denied", path, {
    detail: `the program may not use this directory itself; start it with ${flags.join(" ")}`,
    extra: { flags },
  });
}

/** Outside of a binary the worker's modules are read from where they lie. */
function ownSource(): string[] {
  const { protocol, pathname } = new URL("../../", import.meta.url);
  if (Deno.build.standalone || protocol !== "file:") return [];
  return [decodeURIComponent(pathname).replace(/\/$/, "")];
}

/** Looked up, never asked for. */
function isGranted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

function mustBeAllowed(path: string, never: readonly string[]): void {
  for (const own of never.map(realOf)) {
    if (!within(path, own) && !within(own, path)) continue;
    throw refusal("permission_denied", path, {
      detail:
        "the program's own data is there, with the keys of its agents; mount another directory",
    });
  }
}

/** Where it is, if it is there. */
function realOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

function within(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

function refusal(code: FileError["code"], path: string, init: FileErrorInit): FileError {
  return new FileError(code, "mount", path, init);
}
