/** The data directory: where it is, and the few small files in it that the command line itself reads and writes. */
import { dirname, join, relative, resolve } from "node:path";
import { EXIT, trouble, usage } from "./exit.ts";

/** Only the owner may look. */
const FILE_MODE = 0o600;
const TOKEN_BYTES = 32;
const TOKEN_PREFIX = "agentd_";

export interface Home {
  /** Absolute. */
  readonly dir: string;
  /** As a person would write it: `./.agentd`. */
  readonly shown: string;
  /** What named it: `--home`, `AGENTD_HOME`, `./.agentd`, `XDG_DATA_HOME`, `HOME`. */
  readonly from: string;
}

export interface HomeAsked {
  /** `--home` */
  readonly flag: string | undefined;
  readonly env: (name: string) => string | undefined;
  readonly cwd: string;
  /** `./.agentd` even when it is not there yet. */
  readonly here?: boolean;
}

/** Finds the data directory's name; makes nothing. @throws usage error when nothing names one */
export function findHome(asked: HomeAsked): Home {
  const { flag, env, cwd } = asked;
  const at = (path: string, from: string): Home => {
    const dir = resolve(cwd, path);
    return { dir, shown: shownPath(dir, cwd, env("HOME")), from };
  };
  if (flag !== undefined) {
    if (flag === "") throw usage("--home names no directory");
    return at(flag, "--home");
  }
  if (env("AGENTD_HOME")) return at(env("AGENTD_HOME")!, "AGENTD_HOME");
  if (asked.here || isDirectory(join(cwd, ".agentd"))) return at(".agentd", "./.agentd");
  if (env("XDG_DATA_HOME")) return at(join(env("XDG_DATA_HOME")!, "agentd"), "XDG_DATA_HOME");
  if (env("HOME")) return at(join(env("HOME")!, ".local", "share", "agentd"), "HOME");
  throw usage("Nothing says where the data directory is", "Say --home DIR, or set AGENTD_HOME.");
}

function shownPath(dir: string, cwd: string, userHome: string | undefined): string {
  const near = relative(cwd, dir);
  if (near === "") return ".";
  if (!near.startsWith("..")) return `./${near}`;
  if (userHome && dir.startsWith(userHome + "/")) return `~${dir.slice(userHome.length)}`;
  return dir;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** The operator's token, made when there is none yet. */
export function ownToken(home: Home): string {
  const had = readToken(home);
  if (had !== undefined) return had;
  const token = TOKEN_PREFIX +
    crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
  writePrivate(home, "token", token + "\n");
  return token;
}

/** The operator's token, if the data directory has one that this user may read. */
export function readToken(home: Home): string | undefined {
  const text = readSmall(home, "token")?.trim();
  return text === "" ? undefined : text;
}

/** A file of the data directory as a person would write it. */
export function shownIn(home: Home, name: string): string {
  return `${home.shown}/${name}`;
}

/** A small text file of the data directory; undefined if there is none. @throws an error that names the file */
export function readSmall(home: Home, name: string): string | undefined {
  try {
    return Deno.readTextFileSync(join(home.dir, name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw cannot("read", shownIn(home, name), error);
  }
}

/** Writes a file that only its owner can read: whole or not at all, and never readable by others in between. */
export function writePrivate(home: Home, name: string, text: string): void {
  const path = join(home.dir, name);
  const draft = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  try {
    {
      using file = Deno.openSync(draft, { write: true, createNew: true, mode: FILE_MODE });
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    }
    Deno.renameSync(draft, path);
  } catch (error) {
    removeQuietly(draft);
    throw cannot("write", shownIn(home, name), error);
  }
}

/** Removes a file, which may be gone already. */
export function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // What is not there needs no removing; what cannot be removed does no harm and is replaced at the next start.
  }
}

/** A file operation's error as a line that says what was tried, on what, and what to do. */
export function cannot(what: string, path: string, error: unknown): Error {
  if (error instanceof Deno.errors.PermissionDenied) {
    return trouble(
      EXIT.failed,
      `Cannot ${what} ${path}: this user may not`,
      "Say --home DIR for a directory of your own.",
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return trouble(
      EXIT.failed,
      `Cannot ${what} ${path}: the program was started without the permission`,
      `Start it with --allow-read and --allow-write for ${dirname(path)}.`,
    );
  }
  const why = (error as Error).message?.replace(/:? \(?os error \d+\)?/, "") ?? String(error);
  const readOnly = /read-only file system/i.test(why);
  return trouble(
    EXIT.failed,
    `Cannot ${what} ${path}: ${why.charAt(0).toLowerCase()}${why.slice(1)}`,
    readOnly ? "Say --home DIR for a directory that can be written." : undefined,
  );
}
