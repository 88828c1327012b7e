/** Images whose `sh` is this machine's dash or bash, with GNU's programs beside it: what most images of others are like. */
import { image, says } from "./engine.ts";
import { librariesOf, put } from "./git_image.ts";

export const SHELLS = ["dash", "bash"] as const;
export type Shell = typeof SHELLS[number];

const TOOLS =
  "cat chmod dd df env false find grep head id ln ls mkdir mkfifo mv printf readlink rm rmdir seq setsid sha256sum sleep stat tail tee touch tr true wc"
    .split(" ");

/** Why there can be no such images, for `needs()`; undefined if there can. */
export const MISSING_SHELLS = await missingShells();

/** The name of the image, once it is there. */
export function shellImage(shell: Shell): Promise<string> {
  return image(`agentd-test/${shell}:1`, "2", (dir) => shellTree(dir, shell));
}

/** Puts what such an image has below `dir`. */
export async function shellTree(dir: string, shell: Shell): Promise<void> {
  const all = ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "work", "usr/bin"];
  for (const one of all) await Deno.mkdir(`${dir}/${one}`, { recursive: true });
  const programs = TOOLS.map((tool) => `/usr/bin/${tool}`), sh = `/usr/bin/${shell}`;
  for (const path of programs) await put(dir, path);
  await put(dir, sh, "/bin/sh");
  for (const library of await librariesOf(sh, ...programs)) await put(dir, library);
  const users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n";
  await Deno.writeTextFile(`${dir}/etc/passwd`, users);
  await Deno.chmod(`${dir}/tmp`, 0o1777);
}

async function missingShells(): Promise<string | undefined> {
  for (const program of [...SHELLS, ...TOOLS]) {
    try {
      await Deno.stat(`/usr/bin/${program}`);
    } catch {
      return `there is no /usr/bin/${program}; a Debian with its usual programs has it`;
    }
  }
  const said = await says("stat", ["--version"]).catch(() => "");
  return said.includes("GNU") ? undefined : "the programs of this machine are not GNU's";
}
