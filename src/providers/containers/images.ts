/** The images that the engine has: a list that is known without asking, and the one look that a start takes. */
import { z } from "zod";
import { FileError } from "../../fs/error.ts";
import { fullImage, type ImageInfo } from "../../core/containers.ts";
import type { DockerCli } from "./cli.ts";
import type { FoundImage } from "./container.ts";
import { engineFailure } from "./failure.ts";
import { saidIn } from "./said.ts";
import { plain } from "./words.ts";

/** Of a list; who has more sees the newest. */
const MAX_IMAGES = 2_000;
/** Inspected at a time, so that no list of arguments grows too long. */
const AT_ONCE = 200;
const MAX_VOLUMES = 32;
const LOOK_MS = 30_000;
const MAX_LINE_CHARS = 1_000;

/** `NAME[:TAG]` as people write it, with a registry's host or without. An identifier's beginning is a name too, so it must also be found among the names. */
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const REFERENCE = new RegExp(
  `^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/)?${COMPONENT}(?:/${COMPONENT})*` +
    "(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$",
);

const names = z.array(z.string()).nullish();

/** What is read of an image's description. */
const description = z.object({
  Id: z.string().optional(),
  RepoTags: names,
  RepoDigests: names,
  Size: z.number().optional(),
  Created: z.string().optional(),
  Config: z.object({ Volumes: z.record(z.string(), z.unknown()).nullish(), Env: names }).nullish(),
});
type Described = z.output<typeof description>;

export function isReference(image: string): boolean {
  return image.length <= 256 && REFERENCE.test(image);
}

/** @throws FileError `invalid_request` */
function mustBeReference(image: string): void {
  if (isReference(image)) return;
  const detail = "that is no name of an image: NAME:TAG, such as python:3.13-slim";
  throw new FileError("invalid_request", "name", image.slice(0, 140), { detail });
}

/** All that have a name, in the order of names. @throws FileError `provider_unavailable` */
export async function listImages(cli: DockerCli): Promise<ImageInfo[]> {
  const args = ["image", "ls", "--quiet", "--no-trunc", "--filter", "dangling=false"];
  const said = await cli.ask(args, "images", { withinMs: LOOK_MS });
  const ids = [...new Set(said.split("\n").filter((id) => id !== ""))].slice(0, MAX_IMAGES);
  const all: Described[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    all.push(...await described(cli, ids.slice(at, at + AT_ONCE)));
  }
  return all.flatMap(infosOf).sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** One goes away between the list and the look now and then: those that are left are told all the same. */
async function described(cli: DockerCli, ids: readonly string[]): Promise<Described[]> {
  const format = ["--format", "{{json .}}"];
  const options = { withinMs: LOOK_MS };
  const ended = await cli.run(["image", "inspect", ...format, ...ids], options);
  if (ended.code !== 0 && !/No such image/i.test(ended.stderr)) {
    throw engineFailure("list", "images", ended);
  }
  return ended.stdout.split("\n").filter((line) => line !== "")
    .map((line) => saidIn(description, line, "images"));
}

function infosOf({ Id, RepoTags, Size, Created }: Described): ImageInfo[] {
  const id = plain(Id ?? "", 100);
  const at = Date.parse(Created ?? "");
  return (RepoTags ?? []).filter(isReference).map((name) => ({
    name,
    id,
    size_bytes: Number.isSafeInteger(Size) ? Math.max(0, Size!) : 0,
    // The year 1 is how the engine says that it does not know.
    created_at: at > 0 ? new Date(at).toISOString() : null,
  }));
}

/**
 * The image of that name, as it is now.
 * @throws FileError `invalid_request`; `not_found`, also for what only begins like an image's digest; `provider_unavailable`
 */
export async function findImage(
  cli: DockerCli,
  image: string,
  signal?: AbortSignal,
): Promise<FoundImage> {
  mustBeReference(image);
  const args = ["image", "inspect", "--format", "{{json .}}", image];
  const said = await cli.ask(args, image, {
    withinMs: LOOK_MS,
    ...(signal && { signal }),
  });
  const { Id, RepoTags, RepoDigests, Config } = saidIn(description, said, image);
  const names: readonly string[] = [...(RepoTags ?? []), ...(RepoDigests ?? [])];
  if (Id === undefined || !names.includes(fullImage(image))) {
    const detail = "the engine has no image of exactly this name; see its list of images";
    throw new FileError("not_found", "find", image, { detail });
  }
  return {
    name: image,
    id: Id,
    volumes: volumesOf(image, Object.keys(Config?.Volumes ?? {})),
    env: Config?.Env ?? [],
  };
}

/** They become mounts like the others, and so must be paths that a mount's flag can say. */
function volumesOf(image: string, paths: readonly string[]): string[] {
  const plainPath = /^(?:\/(?!\.{1,2}(?:\/|$))[^\0:,\/]+)+$/;
  const found = paths.map((path) => path.replace(/\/+$/, ""));
  if (found.length > MAX_VOLUMES || !found.every((path) => plainPath.test(path))) {
    const detail = "it wants volumes that cannot be kept within limits; take another image";
    throw new FileError("invalid_request", "use", image, { detail });
  }
  return found;
}

/**
 * Fetches an image.
 * @param tell each line of the engine, one after the other
 * @throws the signal's reason; FileError `not_found`, `invalid_request`, `io` (no way to the registry), `quota_exceeded`, `provider_unavailable`
 */
export async function pullImage(
  cli: DockerCli,
  image: string,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  mustBeReference(image);
  signal.throwIfAborted();
  const process = cli.open(["pull", image]);
  const abort = () => process.kill();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await process.stdin.close().catch(() => {});
    await eachLine(process.stdout, tell);
    const ended = await process.ended;
    signal.throwIfAborted();
    if (ended.code !== 0) throw engineFailure("pull", image, ended);
  } finally {
    signal.removeEventListener("abort", abort);
    process.kill();
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  tell: (line: string) => void,
): Promise<void> {
  let open = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const all = (open + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r/);
    open = all.pop()!.slice(0, MAX_LINE_CHARS);
    for (const line of all) if (line.trim() !== "") tell(plain(line, MAX_LINE_CHARS));
  }
  if (open.trim() !== "") tell(plain(open, MAX_LINE_CHARS));
}
