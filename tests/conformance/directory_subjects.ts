/** A directory of this machine must keep the laws of files: as its worker sees it, and through the worker. */
import type { Feature, FileSubject } from "../../conformance/files.ts";
import type { Subject } from "../../conformance/law.ts";
import type { FileService } from "../../src/fs/file.ts";
import { directoryFiles } from "../../src/providers/directory/files.ts";
import { localDirectories } from "../../src/providers/directory/provider.ts";

const FEATURES: readonly Feature[] = [
  "scratch",
  "append",
  "parts",
  "versions",
  "nested",
  "watch",
  "watch_dir",
];

/** A directory with something in it, opened by `make`. */
function subject(
  name: string,
  make: (root: string) => { files: FileService; close(): Promise<void> | void },
): Subject<FileSubject> {
  return {
    name,
    async open() {
      const root = await Deno.realPath(await Deno.makeTempDir());
      await Deno.mkdir(`${root}/b/d`, { recursive: true });
      for (const path of ["a", "b/c", "b/d/e"]) await Deno.writeTextFile(`${root}/${path}`, path);
      const { files, close } = make(root);
      return {
        subject: { files, scratch: { dir: "/scratch" } },
        async close() {
          await close();
          await Deno.remove(root, { recursive: true });
        },
      };
    },
  };
}

export const directorySubjects: readonly [Subject<FileSubject>, readonly Feature[]][] = [
  [
    subject(
      "directory, from inside",
      (root) => directoryFiles({ root, writable: true, hidden: [] }),
    ),
    FEATURES,
  ],
  [
    subject("directory", (root) => {
      const mount = { type: "dir", path: root, access: "read_write", hidden: [] } as const;
      return localDirectories().open(mount);
    }),
    FEATURES,
  ],
];
