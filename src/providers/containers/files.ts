/** Files in a container's work directory. One short script of the container's own shell does each operation; paths are its arguments, name by name, and never part of its text. */
import type { ContainerFileInfo, ContainerFiles } from "../../core/containers.ts";
import { type Code, FileError } from "../../fs/error.ts";
import { byteOrder } from "../../fs/path.ts";
import type { DockerCli, Ended } from "./cli.ts";
import { engineFailure } from "./failure.ts";
import { LIST, READ, REFUSALS, REMOVE, STAT, TRAILER_BYTES, WALK, WRITE } from "./file_scripts.ts";
import { entries, type Entry } from "./file_listing.ts";

/** Of one directory's names with what is told of each. */
const MAX_LISTING_BYTES = 32 * 1024 * 1024;
const MAX_NAME_BYTES = 255;
/** Of what is handed to the engine's client at once. */
const PIECE_BYTES = 256 * 1024;
/** An engine that does not stat a file within this does not answer. */
const SHORT_MS = 120_000;

/**
 * `files` of a provider in one container. Names that are no UTF-8 and what is neither file nor directory (sockets, devices, FIFOs, links that lead nowhere or out) are
 * left out of listings, and such a thing is never read; a link to a file inside is that file. Times are whole seconds.
 */
export function filesIn(cli: DockerCli, container: string): ContainerFiles {
  const start = (script: string, args: readonly string[]) =>
    cli.open(["exec", "-i", container, "sh", "-c", script, "sh", ...args]);
  const ask = (script: string, args: readonly string[]) =>
    cli.run(["exec", container, "sh", "-c", script, "sh", ...args], { withinMs: SHORT_MS });

  /** Each record of a listing, as it comes. */
  async function* listing(
    op: string,
    path: string,
    script: string,
    args: readonly string[],
  ): AsyncGenerator<Entry> {
    const process = start(script, args);
    try {
      await process.stdin.close().catch(() => {});
      yield* entries(process.stdout);
      mustBeFine(op, path, await process.ended);
    } finally {
      process.kill();
      await process.ended;
    }
  }

  return {
    async stat(path) {
      const ended = await ask(STAT, namesOf("stat", path));
      if (REFUSALS[ended.code] === "not_found") return undefined;
      mustBeFine("stat", path, ended);
      return infoOf(path.slice(path.lastIndexOf("/") + 1), ended.stdout.trim());
    },

    async list(path) {
      const found: ContainerFileInfo[] = [];
      let bytes = 0;
      for await (const { name, told, size } of listing("list", path, LIST, namesOf("list", path))) {
        bytes += size;
        if (bytes > MAX_LISTING_BYTES) {
          const detail = `its listing is longer than ${MAX_LISTING_BYTES} bytes`;
          throw new FileError("too_large", "list", path, { detail });
        }
        const info = name === undefined ? undefined : infoOf(name, told);
        if (info) found.push(info);
      }
      return found.sort((a, b) => byteOrder(a.name, b.name));
    },

    async *read(path, { offset, length }) {
      if (length <= 0) return;
      const args = [String(offset), String(Math.min(length, Number.MAX_SAFE_INTEGER - offset))];
      const process = start(READ, [...args, ...namesOf("read", path)]);
      try {
        await process.stdin.close().catch(() => {});
        yield* process.stdout;
        mustBeFine("read", path, await process.ended);
      } finally {
        process.kill();
        await process.ended;
      }
    },

    async write(path, data, { offset } = {}) {
      const names = namesOf("write", path);
      if (names.length === 0) throw isDirectory("write", path);
      // Without its last bytes a file was cut off on the way, and does not replace anything.
      const trailer = crypto.randomUUID().replaceAll("-", "").slice(0, TRAILER_BYTES);
      const args = offset === undefined ? ["whole", trailer] : ["into", String(offset)];
      const process = start(WRITE, [...args, ...names]);
      try {
        const read = process.stdout.pipeTo(new WritableStream()).catch(() => {});
        const writer = process.stdin.getWriter();
        const isTaken = async (bytes: Uint8Array) => {
          for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
            // Who does not read on has ended, and says why by its exit code.
            const write = writer.write(bytes.subarray(at, at + PIECE_BYTES));
            if (!await write.then(() => true, () => false)) return false;
          }
          return true;
        };
        let goesOn = true;
        for await (const bytes of data instanceof Uint8Array ? [data] : data) {
          goesOn = await isTaken(bytes);
          if (!goesOn) break;
        }
        if (goesOn && offset === undefined) await isTaken(new TextEncoder().encode(trailer));
        await writer.close().catch(() => {});
        await read;
        mustBeFine("write", path, await process.ended);
      } finally {
        process.kill();
        await process.ended;
      }
    },

    async remove(path) {
      const names = namesOf("remove", path);
      if (names.length === 0) {
        const detail = "it is the work directory itself";
        throw new FileError("permission_denied", "remove", path, { detail });
      }
      mustBeFine("remove", path, await ask(REMOVE, names));
    },

    async walk(limit) {
      let found: { path: string; size: number }[] = [];
      const first = () =>
        found.sort((a, b) => byteOrder(a.path, b.path)).slice(0, Math.max(0, limit));
      for await (const { name, told } of listing("walk", "", WALK, [])) {
        const size = Number(told);
        if (name === undefined || !Number.isSafeInteger(size)) continue;
        found.push({ path: name, size });
        // However many there are, not many more than are wanted are kept.
        if (found.length > 2 * limit + 1_000) found = first();
      }
      return first();
    },
  };
}

/** @throws FileError `invalid_path` */
function namesOf(op: string, path: string): string[] {
  const names = path === "" ? [] : path.split("/");
  for (const name of names) {
    const fault = faultOf(name);
    if (fault !== undefined) {
      throw new FileError("invalid_path", op, path.slice(0, 200), { detail: fault });
    }
  }
  return names;
}

function faultOf(name: string): string | undefined {
  if (name === "" || name === "." || name === "..") {
    return 'a path is of names with "/" between, none of them empty, "." or ".."';
  }
  if (name.includes("\0") || !name.isWellFormed()) return "a name is Unicode text without NUL";
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    return `a name has at most ${MAX_NAME_BYTES} bytes`;
  }
}

/** `MODE SIZE SECONDS`, the mode in hexadecimal; undefined for what is neither file nor directory. */
function infoOf(name: string, told: string): ContainerFileInfo | undefined {
  const [, mode, size, seconds] = /^([0-9a-f]{1,8}) (\d{1,16}) (-?\d{1,13})$/.exec(told) ?? [];
  if (mode === undefined) return undefined;
  const kind = parseInt(mode, 16) & 0o170000;
  if (kind !== 0o100000 && kind !== 0o040000) return undefined;
  const dir = kind === 0o040000;
  return { name, dir, size: dir ? 0 : Number(size), modified: Number(seconds) * 1000 };
}

const DETAILS: Partial<Record<Code, string>> = {
  permission_denied:
    "it leads out of the work directory, is neither file nor directory, or its permissions say no",
  quota_exceeded: "the session's disk is full; ask for more by limits.max_disk_mb",
  not_supported: "its image lacks one of find, stat, readlink, head, tail, dd, mv, rm, mkdir, grep",
  out_of_memory: "the session's memory is full; its files count towards it",
};

/** @throws what the exit code of a script means, or what the engine's client says */
function mustBeFine(op: string, path: string, ended: Ended): void {
  if (ended.code === 0) return;
  const code = REFUSALS[ended.code];
  if (code !== undefined) {
    const detail = DETAILS[code];
    throw new FileError(code, op, path, detail === undefined ? {} : { detail });
  }
  if (ended.code === 126 || ended.code === 127) {
    const detail = "the session has as many processes as it may, or its image has no shell";
    throw new FileError("quota_exceeded", op, path, { detail });
  }
  const failure = engineFailure(op, path, ended);
  if (failure.code === "interrupted") {
    throw new FileError("not_ready", op, path, { detail: "the session has ended" });
  }
  if (ended.stderr === "") {
    const detail = `it ended with ${ended.code} inside the session`;
    throw new FileError("io", op, path, { detail });
  }
  throw failure;
}

function isDirectory(op: string, path: string): FileError {
  return new FileError("is_directory", op, path);
}
