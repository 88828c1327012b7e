/** `sessions/<id>/files/`: the work directory while the session runs, and its artifacts from then on. */
import type { ContainerFiles } from "../../core/containers.ts";
import type { Job, Jobs } from "../../core/outside.ts";
import type { Redactor } from "../../core/redact.ts";
import type { AgentView } from "../../core/view.ts";
import { byteOrder, segmentFault } from "../../fs/path.ts";
import {
  each,
  file,
  type FileRow,
  type Info,
  type Node,
  type Paging,
  refusal,
} from "../../fs/tree.ts";
import type { Entry } from "../../fs/file.ts";
import { guessedType } from "../content/media_type.ts";
import { JSON_TYPE } from "../common/json.ts";
import { masked } from "./artifacts.ts";
import { mustRun } from "./exec.ts";
import { piped } from "./piped.ts";
import { keptPlace, type Place, placeOf } from "./places.ts";
import { MOUNT, policyOf } from "./policy.ts";
import type { Deps } from "./course.ts";
import { CALLERS, stateOf } from "./shown.ts";
import type { SessionData } from "./terms.ts";

/** Bytes of one of `<file>/chunks/<n>`. */
export const CHUNK_BYTES = 1024 * 1024;

type Names = readonly string[];

export function filesNode(view: AgentView, deps: Deps, session: string): Node {
  const jobs = view.jobs(MOUNT);
  const root: Root = {
    view,
    maxBytes: () => policyOf(view).max_file_size_bytes,
    redactor: deps.secrets.redactor,
    async place() {
      const job = await found(jobs, session);
      const files = liveFiles(deps, job);
      return files ? placeOf(files) : keptPlace(jobs, session);
    },
    async writable() {
      const job = await found(jobs, session);
      mustRun(job);
      const files = liveFiles(deps, job);
      if (!files) throw refusal("provider_unavailable", "its provider is no longer there");
      return files;
    },
  };
  return folder(root, [], { dir: true, size: 0 });
}

interface Root {
  readonly view: AgentView;
  readonly redactor: Redactor;
  maxBytes(): number;
  place(): Promise<Place>;
  writable(): Promise<ContainerFiles>;
}

async function found(jobs: Jobs, session: string): Promise<Job> {
  const job = await jobs.get(session);
  if (!job) throw refusal("not_found");
  return job;
}

/** Undefined where it has ended. @throws FileError `not_ready` where it has not begun */
function liveFiles({ providers }: Deps, job: Job): ContainerFiles | undefined {
  const state = stateOf(job);
  if (state === "provisioning" || state === "cloning") mustRun(job);
  if (state !== "running") return undefined;
  return providers.get((job.data as unknown as SessionData).provider_id)?.files(job.job_id);
}

const WAY = { dir: true, size: 0 } as const;

/** @param info of a directory on the way to another, nothing is asked */
function folder(root: Root, names: Names, info: Info & { readonly dir: true }): Node {
  const at = names.join("/");
  return each({
    async list(page) {
      const entries = await (await root.place()).list(at);
      return paged(entries.filter(({ name }) => segmentFault(name) === undefined), page);
    },
    async get(name, { op, last }) {
      const path = [...names, name];
      if (op === "write" || op === "append") {
        return last ? leaf(root, path) : folder(root, path, WAY);
      }
      if (!last) return beside(root, path);
      // Also what is neither file nor directory, or a link that leads out: nobody looks where it leads.
      if (op === "remove") return leaf(root, path, { size: 0 });
      const place = await root.place();
      const info = await place.stat(path.join("/"));
      if (!info) return undefined;
      return info.dir ? folder(root, path, WAY) : leaf(root, path, info);
    },
  }, {
    about: "files of the work directory; once the session has ended, its artifacts",
    only: { remove: CALLERS },
    stat: () => info.modified === undefined ? {} : { modified: info.modified },
    ...(names.length === 0 ? {} : { remove: () => removed(root, at) }),
  });
}

/** What a path goes through: a directory, or a file whose `meta` or `chunks` is meant. */
function beside(root: Root, names: Names): Node {
  const node = folder(root, names, WAY) as Extract<Node, { dir: true }>;
  return {
    ...node,
    async get(name, use) {
      if (name !== "meta" && name !== "chunks") return await node.get(name, use);
      const info = await (await root.place()).stat(names.join("/"));
      if (!info || info.dir) return await node.get(name, use);
      return name === "meta" ? meta(names, info) : chunks(root, names, info.size);
    },
  };
}

function meta(names: Names, info: Info & { readonly size: number }): Node {
  const { size, modified = null } = info;
  const type = guessedType(names.at(-1)!) ?? null;
  const chunks = Math.ceil(size / CHUNK_BYTES);
  const told = {
    path: names.join("/"),
    size_bytes: size,
    modified,
    type,
    chunks,
    chunk_bytes: CHUNK_BYTES,
  };
  return file({
    type: JSON_TYPE,
    about: "its size and its chunks",
    read: () => JSON.stringify(told),
  });
}

function chunks(root: Root, names: Names, size: number): Node {
  const count = Math.ceil(size / CHUNK_BYTES);
  const sizeOf = (n: number) => Math.min(CHUNK_BYTES, size - n * CHUNK_BYTES);
  const all = Array.from(
    { length: count },
    (_, n): Entry => ({ name: `${n}`, dir: false, size: sizeOf(n) }),
  )
    .sort((a, b) => byteOrder(a.name, b.name));
  return each({
    list: (page) => paged(all, page),
    get(name) {
      const n = Number(name);
      if (!/^(0|[1-9]\d{0,8})$/.test(name) || n >= count) return undefined;
      const range = { offset: n * CHUNK_BYTES, length: sizeOf(n) };
      return file({
        stat: () => ({ size: sizeOf(n) }),
        read: async () => shown(root, await root.place(), names.join("/"), range),
      });
    },
  }, { about: `parts of ${CHUNK_BYTES} bytes, from 0` });
}

function paged(entries: readonly Entry[], { after, limit }: Paging): Entry[] {
  return entries
    .filter(({ name }) => after === undefined || byteOrder(name, after) > 0)
    .slice(0, limit);
}

/** @param known undefined: it may not exist yet */
function leaf(root: Root, names: Names, known?: Info & { readonly size?: number }): Node {
  const at = names.join("/");
  const row: FileRow = {
    ranges: true,
    parts: true,
    only: { write: CALLERS, append: CALLERS, remove: CALLERS },
    async stat() {
      const info = known ?? await (await root.place()).stat(at);
      if (!info || (info as { dir?: boolean }).dir) return undefined;
      const { size, modified } = info;
      return { size, modified, type: guessedType(names.at(-1)!) };
    },
    async read({ offset = 0, length = Infinity }) {
      const place = await root.place();
      const info = await place.stat(at);
      if (!info) throw refusal("not_found");
      if (info.dir) throw refusal("is_directory", "list it");
      if (offset > info.size) {
        throw refusal("range_not_satisfiable", `offset ${offset} is beyond the end, ${info.size}`, {
          offset,
          size: info.size,
        });
      }
      return shown(root, place, at, { offset, length: Math.min(length, info.size - offset) });
    },
    writer: async (mode, { offset }) => {
      const files = await root.writable();
      const from = mode === "append" ? (await files.stat(at))?.size ?? 0 : offset;
      return piped(files, at, from, root.maxBytes());
    },
    remove: () => removed(root, at),
  };
  return { dir: false, row };
}

/** A secret that the program wrote is hidden, with as many bytes as it has: what is around must be known to find it. */
async function* shown(
  { redactor }: Root,
  place: Place,
  path: string,
  { offset, length }: { readonly offset: number; readonly length: number },
): AsyncGenerator<Uint8Array> {
  if (length === 0) return;
  const { reach } = redactor;
  const from = Math.max(0, offset - reach);
  const end = offset + length;
  let at = from;
  for await (
    const bytes of masked(redactor, place.read(path, { offset: from, length: end + reach - from }))
  ) {
    const part = bytes.subarray(Math.max(0, offset - at), Math.max(0, end - at));
    at += bytes.length;
    if (part.length > 0) yield part;
    if (at >= end) return;
  }
}

async function removed(root: Root, path: string): Promise<void> {
  await (await root.writable()).remove(path);
}
