/** Files of a session that outlast it: found by patterns, hashed on their way, and kept with its job. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Artifact, ContainerFiles } from "../../core/containers.ts";
import type { JobRun, Jobs, Stored } from "../../core/outside.ts";
import type { Redactor } from "../../core/redact.ts";
import { decodeText, encodeJson } from "../../core/code.ts";
import { segmentFault } from "../../fs/path.ts";
import { refusal } from "../../fs/tree.ts";
import { pathMatches } from "../common/glob.ts";

const MAX_ARTIFACTS = 1_000;
/** All of one session's together. */
const MAX_ARTIFACTS_BYTES = 256 * 1024 * 1024;
/** To open a file in a container takes longer than to read most of them. */
const AT_ONCE = 4;
/** Files that are looked at. */
const MAX_WALK = 20_000;
const INDEX = "artifacts";
const nameOf = (n: number) => `artifact.${n}`;

/**
 * Keeps every file that one of the patterns means. Secrets in it are hidden, with as many bytes as they have; the hash is of what is kept.
 * @throws FileError `too_large`, `quota_exceeded`, and what the files reject with
 */
export async function kept(
  run: Pick<JobRun, "store">,
  files: ContainerFiles,
  patterns: readonly string[],
  { redactor, maxBytes }: { readonly redactor: Redactor; readonly maxBytes: number },
): Promise<Artifact[]> {
  const found = (await files.walk(MAX_WALK))
    .filter(({ path }) => path.split("/").every((name) => segmentFault(name) === undefined))
    .filter(({ path }) => patterns.some((pattern) => pathMatches(pattern, path)));
  if (found.length > MAX_ARTIFACTS) {
    throw refusal("quota_exceeded", `artifacts: ${found.length} files, at most ${MAX_ARTIFACTS}`);
  }
  const artifacts: Artifact[] = [];
  let total = 0;
  async function keep(n: number, path: string): Promise<void> {
    const hash = sha256.create();
    let size = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (
        const bytes of masked(redactor, files.read(path, { offset: 0, length: maxBytes + 1 }))
      ) {
        size += bytes.length;
        total += bytes.length;
        if (size > maxBytes) throw tooLarge(path, maxBytes);
        if (total > MAX_ARTIFACTS_BYTES) throw tooMuch();
        hash.update(bytes);
        yield bytes;
      }
    };
    await run.store(nameOf(n), counted());
    artifacts[n] = { path, size_bytes: size, sha256: bytesToHex(hash.digest()) };
  }
  await severally(found, (n, { path }) => keep(n, path));
  await run.store(INDEX, once(encodeJson(artifacts)));
  return artifacts;
}

/** Some at a time, in order. Rejects with the first failure, when none of them runs any more. */
async function severally<T>(
  items: readonly T[],
  run: (n: number, item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.entries();
  const failures: unknown[] = [];
  async function worker(): Promise<void> {
    for (const [n, item] of waiting) {
      if (failures.length > 0) return;
      await run(n, item).catch((error) => failures.push(error));
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failures.length > 0) throw failures[0];
}

/** What a session has kept, in byte order of their paths; `stored` finds it under its name. */
export async function artifactsIn(
  find: (name: string) => Promise<Stored | undefined>,
): Promise<Artifact[]> {
  const stored = await find(INDEX);
  if (!stored) return [];
  let text = "";
  for await (const bytes of stored.read()) text += decodeText(bytes);
  return JSON.parse(text) as Artifact[];
}

export function artifactAt(jobs: Jobs, session: string, n: number): Promise<Stored | undefined> {
  return jobs.stored(session, nameOf(n));
}

/** The same bytes, with `*` for every byte of a secret. */
export async function* masked(
  redactor: Redactor,
  data: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const stream = redactor.stream({ masked: true });
  for await (const bytes of data) {
    const shown = stream.push(bytes);
    if (shown.length > 0) yield shown;
  }
  const rest = stream.end();
  if (rest.length > 0) yield rest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function tooLarge(path: string, maxBytes: number) {
  const why = `artifacts: ${JSON.stringify(path)} has more than max_file_size_bytes, ${maxBytes}`;
  return refusal("too_large", why, { max_file_size_bytes: maxBytes });
}

function tooMuch() {
  return refusal("quota_exceeded", `artifacts: more than ${MAX_ARTIFACTS_BYTES} bytes in all`);
}
