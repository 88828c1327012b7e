/** Which process listens on a TCP port, as Linux tells it; where it cannot be read, nobody knows. */

export interface Holder {
  readonly pid: number;
  /** The program's name. */
  readonly name: string;
}

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
/** The state LISTEN in the kernel's tables. */
const LISTEN = "0A";

/** Undefined also where /proc is missing, closed to this user, or not granted to the program. */
export function holderOfPort(port: number): Holder | undefined {
  try {
    const inodes = new Set(TABLES.flatMap((table) => listeners(readOr(table, ""), port)));
    if (inodes.size === 0) return undefined;
    for (const { name: pid } of Deno.readDirSync("/proc")) {
      if (/^\d+$/.test(pid) && holds(pid, inodes)) {
        return { pid: Number(pid), name: readOr(`/proc/${pid}/comm`, "?").trim() };
      }
    }
  } catch {
    // No /proc, or not for us.
  }
}

/** Inodes of the sockets that listen on the port, from the text of a kernel table. */
export function listeners(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").slice(1).flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === LISTEN && local?.endsWith(`:${hex}`) && inode ? [inode] : [];
  });
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOr(`/proc/${pid}/fd/${name}`))?.[1];
      if (inode !== undefined && inodes.has(inode)) return true;
    }
  } catch {
    // Another user's process, or one that has just ended.
  }
  return false;
}

function linkOr(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return otherwise;
  }
}
