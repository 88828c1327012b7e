/** An agent's mount table: what services and directories there are, at which access. */
import { z } from "zod";
import { FileError } from "../fs/error.ts";
import { mountPath } from "../fs/namespace.ts";
import type { Access, MountRow, ServiceTable } from "./view.ts";
import type { DirectoryMount, DirectoryProvider } from "./provider.ts";
import type { AgentRecord } from "./record.ts";
import { PLAIN_ACCESSES } from "./access.ts";

/** Directories of the host that one agent can have. */
const MAX_DIRECTORIES = 32;
export const DIRECTORY_ACCESSES = ["read_only", "read_write", "disabled"] as const;

/** A directory as it is asked for: `{ type: "dir", path: "/srv/repo", access: "read_only" }`. */
export const directoryMountSchema = z.strictObject({
  type: z.literal("dir"),
  path: z.string(),
  access: z.enum(DIRECTORY_ACCESSES),
  hidden: z.array(z.string()).exactOptional(),
});

type Mounts = Readonly<Record<string, Access | DirectoryMount | null>>;

/**
 * The mount table of an agent: what services there are, at the access its record says or their own, and its directories.
 * Where those are on the host is told in `whole` rows only, which are for operators.
 */
export function mountRows(
  services: ServiceTable,
  { mounts }: Pick<AgentRecord, "mounts">,
  whole = false,
): MountRow[] {
  const rows = Object.entries(services).flatMap(([path, { access }]): MountRow[] => {
    const own = Object.hasOwn(mounts, path) ? mounts[path] : access;
    return typeof own === "string" ? [{ path, service: path, access: own }] : [];
  });
  const directories = directoriesOf({ mounts }).map(([path, mount]): MountRow => ({
    path,
    service: mount.type,
    access: mount.access,
    type: mount.type,
    ...(whole ? { host_path: mount.path } : {}),
    ...(whole && mount.hidden ? { hidden: mount.hidden } : {}),
  }));
  return [...rows, ...directories];
}

/** The directories of an agent, by mount path. */
export function directoriesOf(
  { mounts }: Pick<AgentRecord, "mounts">,
): [string, DirectoryMount][] {
  return Object.entries(mounts)
    .filter((entry): entry is [string, DirectoryMount] => isDirectory(entry[1]))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function isDirectory(mount: Access | DirectoryMount | null | undefined): mount is DirectoryMount {
  return typeof mount === "object" && mount !== null;
}

/** The services' part of mounts that another program has kept: its directories are not ours. */
export function withoutDirectories(mounts: Mounts): Record<string, Access | null> {
  return Object.fromEntries(
    Object.entries(mounts).filter((entry): entry is [string, Access | null] =>
      !isDirectory(entry[1])
    ),
  );
}

/** @throws FileError `invalid_request` for an access or a mount that there is not */
export function checkedMounts(
  services: ServiceTable,
  mounts: Readonly<Record<string, Access | null>>,
): Record<string, Access | null> {
  for (const [path, access] of Object.entries(mounts)) {
    if (!Object.hasOwn(services, path)) {
      throw new FileError("invalid_request", "mount", path, {
        detail: `there is no such service; there are ${Object.keys(services).join(" ")}`,
      });
    }
    const accesses = services[path]!.accesses ?? accessesOf(path);
    if (access !== null && !accesses.includes(access)) {
      throw new FileError("invalid_request", "mount", path, {
        detail: `its access is one of ${accesses.join(", ")}, not ${JSON.stringify(access)}`,
      });
    }
  }
  return { ...mounts };
}

/** Of a service that does not name its own. */
function accessesOf(path: string): readonly Access[] {
  return path === "/identity" ? [...PLAIN_ACCESSES, "sign_only"] : PLAIN_ACCESSES;
}

export interface TableDeps {
  readonly services: ServiceTable;
  /** Absent: this program has none to give. */
  readonly directories: Pick<DirectoryProvider, "check"> | undefined;
  /** What is mounted already: a directory that stays as it is is not checked again, and one that is there can be unmounted. */
  readonly known?: Mounts;
}

/**
 * Mounts as they are to be kept.
 * @throws FileError `invalid_request`, `not_supported` without a provider of directories, and what the provider refuses
 */
export async function checkedTable(
  mounts: Mounts,
  { services, directories, known = {} }: TableDeps,
): Promise<Mounts> {
  const checked: Record<string, Access | DirectoryMount | null> = {};
  const plain: Record<string, Access | null> = {};
  for (const [path, mount] of Object.entries(mounts)) {
    if (isDirectory(mount)) {
      const at = directoryPath(path, services);
      const isKnown = JSON.stringify(known[at]) === JSON.stringify(mount);
      checked[at] = isKnown ? mount : await checkedDirectory(at, mount, directories);
    } else if (mount === null && isDirectory(known[path])) checked[path] = null;
    else plain[path] = mount;
  }
  return { ...checkedMounts(services, plain), ...checked };
}

/** The mounts of a record that `change` has been made to. @throws FileError `invalid_request` for too many directories */
export function mergedMounts(mounts: Mounts, change: Mounts, services: ServiceTable): Mounts {
  const merged = Object.fromEntries(
    Object.entries({ ...mounts, ...change }).filter(([path, mount]) =>
      mount !== null || Object.hasOwn(services, path)
    ),
  );
  if (directoriesOf({ mounts: merged }).length <= MAX_DIRECTORIES) return merged;
  throw new FileError("invalid_request", "mount", "/", {
    detail: `an agent has at most ${MAX_DIRECTORIES} directories`,
    extra: { limit: MAX_DIRECTORIES },
  });
}

/** @throws FileError `invalid_path`; `invalid_request` for a path at, above or below a service */
function directoryPath(path: string, services: ServiceTable): string {
  const at = mountPath(path);
  const service = Object.keys(services).find((service) =>
    at === "/" || at === service || at.startsWith(`${service}/`) || service.startsWith(`${at}/`)
  );
  if (service === undefined) return at;
  throw new FileError("invalid_request", "mount", path, {
    detail: `it would stand at, above or below ${service}; mount it elsewhere, such as /repo`,
  });
}

async function checkedDirectory(
  path: string,
  mount: DirectoryMount,
  directories: Pick<DirectoryProvider, "check"> | undefined,
): Promise<DirectoryMount> {
  const { error, data } = directoryMountSchema.safeParse(mount);
  if (error) {
    throw new FileError("invalid_request", "mount", path, {
      detail: `a directory is { type: "dir", path, access, hidden? }, access one of ${
        DIRECTORY_ACCESSES.join(", ")
      }`,
    });
  }
  if (directories) return await directories.check(data);
  throw new FileError("not_supported", "mount", path, {
    detail: "this program was started without directories of its host",
  });
}
