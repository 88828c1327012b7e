/** Where the files of a session are: in its container while it runs, and kept with its job from then on. */
import type { Artifact, ContainerFiles } from "../../core/containers.ts";
import type { Jobs } from "../../core/outside.ts";
import type { Entry } from "../../fs/file.ts";
import { byteOrder } from "../../fs/path.ts";
import { refusal } from "../../fs/tree.ts";
import { artifactAt, artifactsIn } from "./artifacts.ts";

/** Where files of a session are: each verb looks anew, since it may end at any time. */
export interface Place {
  stat(
    path: string,
  ): Promise<
    { readonly dir: boolean; readonly size: number; readonly modified?: number } | undefined
  >;
  list(path: string): Promise<Entry[]>;
  read(path: string, range: { offset: number; length: number }): AsyncIterable<Uint8Array>;
}

/** The work directory of one that runs. */
export function placeOf(files: ContainerFiles): Place {
  return {
    stat: (path) => path === "" ? Promise.resolve({ dir: true, size: 0 }) : files.stat(path),
    list: async (path) =>
      (await files.list(path)).map(({ name, dir, size, modified }) => ({
        name,
        dir,
        modified,
        ...(dir ? {} : { size }),
      })),
    read: (path, range) => files.read(path, range),
  };
}

/** The artifacts of a session that has ended, as the directories they were in. */
export function keptPlace(jobs: Jobs, session: string): Place {
  const all = () => artifactsIn((name) => jobs.stored(session, name));
  const below = (path: string) => path === "" ? "" : `${path}/`;
  return {
    async stat(path) {
      const artifacts = await all();
      const artifact = artifacts.find((one) => one.path === path);
      if (artifact) return { dir: false, size: artifact.size_bytes };
      const isDir = path === "" || artifacts.some((one) => one.path.startsWith(below(path)));
      return isDir ? { dir: true, size: 0 } : undefined;
    },
    async list(path) {
      const entries = new Map<string, Entry>();
      for (const artifact of await all()) {
        if (artifact.path.startsWith(below(path))) {
          const entry = entryOf(artifact, below(path).length);
          entries.set(entry.name, entry);
        }
      }
      return [...entries.values()].sort((a, b) => byteOrder(a.name, b.name));
    },
    async *read(path, { offset, length }) {
      const n = (await all()).findIndex((one) => one.path === path);
      const stored = n < 0 ? undefined : await artifactAt(jobs, session, n);
      if (!stored) throw refusal("not_found");
      yield* stored.read({ offset, length });
    },
  };
}

function entryOf({ path, size_bytes }: Artifact, from: number): Entry {
  const [name, ...more] = path.slice(from).split("/") as [string, ...string[]];
  return more.length > 0 ? { name, dir: true } : { name, dir: false, size: size_bytes };
}
