/** The container engine of this machine, for tests: whether it is there, and images that are made here, from the machine's own programs and without any registry. */
import { needs } from "../needs.ts";

/** Everything of Debian's busybox: `/bin/sh` and all applets, user `nobody`, and a directory `/work`. */
export const BUSYBOX_IMAGE = "agentd-test/busybox:1";

/** Where Debian's busybox-static puts it. */
const BUSYBOX = "/bin/busybox";

/** Tells an image that another version of this file has made from one that is as it should be. */
export const MADE_BY = "agentd.test.made_by";

/** An engine that takes longer to say its version is as good as none. */
const VERSION_MS = 20_000;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `docker` with these arguments to its end. */
export async function docker(
  args: readonly string[],
  options: { readonly stdin?: Uint8Array; readonly signal?: AbortSignal } = {},
): Promise<Ran> {
  return await ran("docker", args, options);
}

/** As `docker`, and gives what it printed, without the line's end. */
export async function dockerSays(args: readonly string[], stdin?: Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await docker(args, stdin === undefined ? {} : { stdin });
  if (code !== 0) throw new Error(`docker ${args.join(" ")}: ${code}\n${stderr}`);
  return stdout.trimEnd();
}

/** Where containers on the engine's bridge reach this machine. */
export async function gateway(): Promise<string> {
  const format = "{{(index .IPAM.Config 0).Gateway}}";
  return await dockerSays(["network", "inspect", "bridge", "--format", format]);
}

/** Why there are no containers on this machine, for `needs()`; undefined if there are. */
export const MISSING_DOCKER = await missingDocker();

export const testWithDocker = needs(MISSING_DOCKER);

const made = new Map<string, Promise<string>>();

/** The name of the busybox image, once it is there. */
export function busyboxImage(): Promise<string> {
  return image(BUSYBOX_IMAGE, "1", busyboxTree);
}

/**
 * The name of an image that is there as soon as this resolves, whoever else wants it at the same time.
 * @param recipe changes when `fill` does
 * @param fill puts the image's files below a directory
 */
export function image(
  name: string,
  recipe: string,
  fill: (dir: string) => Promise<void>,
): Promise<string> {
  const known = made.get(name);
  if (known !== undefined) return known;
  const making = alone(name, async () => {
    if (await recipeOf(name) !== recipe) await importImage(name, recipe, fill);
    return name;
  });
  made.set(name, making);
  return making;
}

/** Puts what every image here has below `dir`: busybox with all its names, users, and the usual directories. */
export async function busyboxTree(dir: string): Promise<void> {
  const all = ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "work", "usr/bin"];
  for (const one of all) await Deno.mkdir(`${dir}/${one}`, { recursive: true });
  await Deno.copyFile(BUSYBOX, `${dir}/bin/busybox`);
  await Deno.chmod(`${dir}/bin/busybox`, 0o755);
  const names = (await says(`${dir}/bin/busybox`, ["--list"])).split("\n");
  for (const one of names) {
    if (one !== "busybox") await Deno.symlink("busybox", `${dir}/bin/${one}`);
  }
  await Deno.symlink("/bin/env", `${dir}/usr/bin/env`);
  await Deno.chmod(`${dir}/tmp`, 0o1777);
  const users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n";
  await Deno.writeTextFile(`${dir}/etc/passwd`, users);
  await Deno.writeTextFile(`${dir}/etc/group`, "root:x:0:\nnogroup:x:65534:\n");
}

/** What `command` printed, without the line's end. */
export async function says(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await ran(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${code}\n${stderr}`);
  return stdout.trimEnd();
}

async function importImage(
  name: string,
  recipe: string,
  fill: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "agentd-image-" });
  try {
    const root = `${dir}/root`, archive = `${dir}/image.tar`;
    await Deno.mkdir(root);
    await fill(root);
    await says("tar", [
      "-C",
      root,
      "--numeric-owner",
      "--owner=0",
      "--group=0",
      "-cf",
      archive,
      ".",
    ]);
    const changes = [
      `LABEL ${MADE_BY}=${recipe}`,
      'CMD ["/bin/sh"]',
      "WORKDIR /work",
      "ENV PATH=/usr/bin:/bin",
    ];
    await dockerSays(["import", ...changes.flatMap((one) => ["-c", one]), archive, name]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function recipeOf(name: string): Promise<string | undefined> {
  const format = `{{index .Config.Labels "${MADE_BY}"}}`;
  const { code, stdout } = await docker(["image", "inspect", "--format", format, name]);
  return code === 0 ? stdout.trimEnd() : undefined;
}

/** Test files run side by side, each in a process or a thread of its own: one makes the image, and the others wait for it. */
async function alone<T>(name: string, run: () => Promise<T>): Promise<T> {
  const temporary = Deno.env.get("TMPDIR") ?? "/tmp";
  const path = `${temporary}/agentd-test-image-${name.replaceAll(/[^a-z0-9]/g, "-")}.lock`;
  using file = await Deno.open(path, { create: true, write: true });
  await file.lock(true);
  return await run();
}

async function missingDocker(): Promise<string | undefined> {
  try {
    const args = ["version", "--format", "{{.Server.Version}}"];
    const { code, stderr } = await docker(args, { signal: AbortSignal.timeout(VERSION_MS) });
    if (code !== 0) return `no Docker engine answers here: ${stderr.trim().split("\n")[0]}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "there is no docker on this machine";
    throw error;
  }
  return await missingBusybox();
}

/** It goes into an image that has no libraries. */
async function missingBusybox(): Promise<string | undefined> {
  const advice = "install busybox-static";
  try {
    await Deno.stat(BUSYBOX);
  } catch {
    return `there is no ${BUSYBOX}; ${advice}`;
  }
  const { code, stdout, stderr } = await ran("ldd", [BUSYBOX]);
  const isStatic = code !== 0 && /not a dynamic executable/.test(stdout + stderr);
  return isStatic ? undefined : `${BUSYBOX} needs libraries; ${advice}`;
}

async function ran(
  command: string,
  args: readonly string[],
  { stdin, signal }: { readonly stdin?: Uint8Array; readonly signal?: AbortSignal } = {},
): Promise<Ran> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(signal && { signal }),
  }).spawn();
  const output = child.output();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(stdin).then(() => writer.close()).catch(() => {});
  }
  const { code, stdout, stderr } = await output;
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
