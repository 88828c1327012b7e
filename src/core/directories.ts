/** The directories of one agent that are open: opened when they are first used, let go when they are no longer mounted. */
import { FileError } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import type { DirectoryMount, DirectoryProvider, OpenDirectory } from "./provider.ts";

export interface Directories extends Pick<DirectoryProvider, "check"> {
  /** The same service for the same mount, as long as it is mounted. */
  at(mount: DirectoryMount): FileService;
  /** Closes all but these. */
  keep(mounts: readonly DirectoryMount[]): void;
  /** Resolves when nothing of them is left. */
  close(): Promise<void>;
}

export function openDirectories(
  provider: DirectoryProvider | undefined,
  onError: (error: unknown) => void,
): Directories {
  const opened = new Map<string, OpenDirectory>();
  const services = new Map<string, FileService>();
  const closing = new Set<Promise<void>>();
  let over = false;

  function filesOf(mount: DirectoryMount): FileService {
    const key = keyOf(mount);
    const known = opened.get(key);
    if (known) return known.files;
    if (!provider || mount.access === "disabled" || over || !services.has(key)) {
      throw unmounted(mount);
    }
    const made = provider.open(mount);
    opened.set(key, made);
    return made.files;
  }

  function letGo(key: string): void {
    services.delete(key);
    const one = opened.get(key);
    opened.delete(key);
    if (!one) return;
    const work: Promise<void> = one.close().catch(onError).finally(() => closing.delete(work));
    closing.add(work);
  }

  return {
    // deno-lint-ignore require-await -- its refusals are rejections
    async check(mount) {
      if (provider) return provider.check(mount);
      throw new FileError("not_supported", "mount", mount.path, {
        detail: "this program was started without directories of its host",
      });
    },
    at(mount) {
      const key = keyOf(mount);
      let service = services.get(key);
      if (!service) {
        services.set(key, service = lazily(() => filesOf(mount)));
      }
      return service;
    },
    keep(mounts) {
      const kept = new Set(mounts.map(keyOf));
      for (const key of [...services.keys()]) if (!kept.has(key)) letGo(key);
    },
    async close() {
      over = true;
      for (const key of [...services.keys()]) letGo(key);
      await Promise.all(closing);
    },
  };
}

function keyOf({ path, access, hidden }: DirectoryMount): string {
  return JSON.stringify([path, access, hidden ?? null]);
}

/** The host's path is nobody's affair here. */
function unmounted({ access }: DirectoryMount): FileError {
  return access === "disabled"
    ? new FileError("permission_denied", "open", "/", { detail: "this mount is disabled" })
    : new FileError("not_found", "open", "/", { detail: "the directory is no longer mounted" });
}

function lazily(files: () => FileService): FileService {
  return {
    open: async (path, mode, options) => await files().open(path, mode, options),
    stat: async (path) => await files().stat(path),
    list: async (path, page) => await files().list(path, page),
    remove: async (path, options) => await files().remove(path, options),
  };
}
