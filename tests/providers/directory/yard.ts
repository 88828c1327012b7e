/** A directory of this machine that is mounted, and one beside it that must stay out of reach. */
import type { DirectoryMount } from "../../../src/core/provider.ts";
import type { Entry, FileService } from "../../../src/fs/file.ts";
import { entries } from "../../../src/fs/use.ts";
import { localDirectories } from "../../../src/providers/directory/provider.ts";

/** What stands outside, in every file there; nothing inside is as long. */
export const SECRET = "secret of the outside ".repeat(500);

export interface Yard {
  /** The mounted directory's path on the host. */
  readonly inside: string;
  readonly outside: string;
  readonly files: FileService;
  /** The same directory, mounted otherwise. */
  mount(mount: Partial<DirectoryMount>): FileService;
}

/** A test with two directories of its own, `inside` mounted to be read and written. */
export function inYard(
  name: string,
  run: (yard: Yard) => Promise<void>,
  mount: Partial<DirectoryMount> = {},
): void {
  Deno.test(name, () => withYard(run, mount));
}

export async function withYard(
  run: (yard: Yard) => Promise<void>,
  own: Partial<DirectoryMount> = {},
): Promise<void> {
  const top = await Deno.realPath(await Deno.makeTempDir());
  const [inside, outside] = [`${top}/inside`, `${top}/outside`];
  await Deno.mkdir(`${outside}/sub`, { recursive: true });
  await Deno.mkdir(inside);
  for (const name of ["f", "g", "sub/f"]) await Deno.writeTextFile(`${outside}/${name}`, SECRET);
  const provider = localDirectories();
  const opened: { close(): Promise<void> }[] = [];
  const mount = (more: Partial<DirectoryMount>) => {
    const one = provider.open({ type: "dir", path: inside, access: "read_write", ...more });
    opened.push(one);
    return one.files;
  };
  try {
    await run({ inside, outside, files: mount(own), mount });
  } finally {
    await Promise.all(opened.map((one) => one.close()));
    await Deno.remove(top, { recursive: true });
  }
}

export async function namesIn(files: FileService, path: string): Promise<string[]> {
  return (await Array.fromAsync(entries(files, path))).map(({ name }: Entry) => name);
}

/** Everything outside: its names, and what is in its files, if that is no longer the secret. */
export async function outsideOf({ outside }: Yard): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  async function look(path: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      const at = `${path}/${name}`;
      if (isDirectory) await look(at);
      else {
        const text = await Deno.readTextFile(at);
        found[at.slice(outside.length)] = text === SECRET ? "the secret" : text;
      }
    }
  }
  await look(outside);
  return found;
}

export const UNTOUCHED = { "/f": "the secret", "/g": "the secret", "/sub/f": "the secret" };

/** What runs a command of the host, and must succeed. */
export async function host(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}
