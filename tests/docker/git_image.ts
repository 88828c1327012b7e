/** An image with git in it, made of this machine's own git and the libraries that it needs. */
import { busyboxTree, image, says } from "./engine.ts";

export const GIT_IMAGE = "agentd-test/git:1";

const GIT = "/usr/bin/git";
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** Why there can be no such image, for `needs()`; undefined if there can. */
export const MISSING_GIT = await missingGit();

/** The name of the image, once it is there. */
export function gitImage(): Promise<string> {
  return image(GIT_IMAGE, "1", gitTree);
}

async function gitTree(dir: string): Promise<void> {
  await busyboxTree(dir);
  const parts = await says(GIT, ["--exec-path"]);
  await put(dir, GIT);
  await put(dir, `${parts}/git-remote-http`);
  await Deno.symlink("git-remote-http", `${dir}${parts}/git-remote-https`);
  await Deno.symlink(GIT, `${dir}${parts}/git`);
  for (const library of await librariesOf(GIT, `${parts}/git-remote-http`)) await put(dir, library);
  if (await isThere(CERTIFICATES)) await put(dir, CERTIFICATES);
}

/** Copies a file of this machine to its own path below `dir`: the file itself, where a link leads. */
export async function put(dir: string, path: string, to: string = path): Promise<void> {
  await Deno.mkdir(`${dir}${to.slice(0, to.lastIndexOf("/"))}`, { recursive: true });
  await Deno.copyFile(path, `${dir}${to}`);
}

/** What these programs are linked with. */
export async function librariesOf(...programs: readonly string[]): Promise<string[]> {
  const said = await says("ldd", programs);
  const paths = said.split("\n").flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return [...new Set(paths)];
}

async function missingGit(): Promise<string | undefined> {
  if (!await isThere(GIT)) return `there is no ${GIT}; install git`;
  const parts = await says(GIT, ["--exec-path"]);
  const needed = [`${parts}/git-http-backend`, `${parts}/git-remote-http`];
  for (const path of needed) if (!await isThere(path)) return `there is no ${path}; install git`;
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
