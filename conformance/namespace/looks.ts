/** Laws of looking: which mount serves a path, what a listing shows, and that nothing else can be reached. */
import { codeOf } from "../../src/fs/error.ts";
import { RESERVED } from "../../src/fs/namespace.ts";
import { dir, file, tree } from "../../src/fs/tree.ts";
import { entries, readText, writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { faultOf } from "../files/subject.ts";
import type { Law } from "../law.ts";
import { filled, namesIn, type NamespaceSubject } from "./subject.ts";

export const lookLaws: readonly Law<NamespaceSubject>[] = [
  {
    id: "M1",
    name: "the_longest_prefix_serves",
    says: "of the mounts above a path the longest one serves it, whatever the others have there",
    async test({ namespace }) {
      const outer = await filled({ "/x": "outer", "/b/x": "hidden", "/b/c/x": "hidden" });
      const inner = await filled({ "/x": "inner", "/c/x": "hidden" });
      const innermost = await filled({ "/x": "innermost" });
      for (const turn of [0, 1, 2]) {
        const mounts = [
          { path: "/a", service: outer },
          { path: "/a/b", service: inner },
          { path: "/a/b/c", service: innermost },
        ];
        const table = [...mounts.slice(turn), ...mounts.slice(0, turn)];
        const files = namespace(() => table);
        same(await readText(files, "/a/x"), "outer", "/a/x");
        same(await readText(files, "/a/b/x"), "inner", "/a/b/x");
        same(await readText(files, "/a/b/c/x"), "innermost", "/a/b/c/x");
        await writeText(files, "/a/b/c/x", "innermost");
        await files.stat("/a/b/c/x");
      }
      same(await readText(outer, "/b/c/x"), "hidden", "the outer service, after a write");
    },
  },
  {
    id: "M2",
    name: "a_prefix_ends_at_a_segment",
    says: "/wallet serves /wallet and what is below it, and not /walletx or /wal",
    async test({ namespace }) {
      const wallet = await filled({ "/x": "money", "/etx": "no" });
      const files = namespace(() => [{ path: "/wallet", service: wallet }]);
      same(await readText(files, "/wallet/x"), "money", "/wallet/x");
      same((await files.stat("/wallet")).dir, true, "/wallet");
      for (const path of ["/walletx", "/walletx/x", "/wal", "/wal/letx"]) {
        await refuses("not_found", () => files.stat(path), `stat of ${path}`);
        await refuses("not_found", () => files.open(path, "read"), `open of ${path}`);
      }
    },
  },
  {
    id: "M3",
    name: "a_listing_shows_mounts",
    says: "a listing shows the mount points below it together with the service's own entries, " +
      "each once, in pages too; / lists, even if nothing is mounted",
    async test({ namespace }) {
      same(await namesIn(namespace(() => []), "/"), [], "/ of an empty namespace");
      const own = await filled({ "/a": "own", "/m": "hidden", "/z/deep": "own" });
      const one = tree(file({ read: () => "one" }));
      const table = [
        { path: "/", service: own },
        { path: "/m", service: one },
        { path: "/b/c/d", service: one },
        { path: "/z/y", service: one },
      ];
      const files = namespace(() => table);
      same(await namesIn(files, "/"), ["a", "b", "m", "z"], "names in /");
      same((await files.list("/")).map((e) => e.dir), [false, true, false, true], "which are dirs");
      for (const size of [1, 2, 3, 4]) {
        const names = (await Array.fromAsync(entries(files, "/", size))).map((e) => e.name);
        same(names, ["a", "b", "m", "z"], `/ in pages of ${size}`);
      }
      same(await namesIn(files, "/z"), ["deep", "y"], "own entries beside a mount");
      same(await namesIn(files, "/b/"), ["c"], "a directory that is only on the way to a mount");
      const { name, dir, modes } = await files.stat("/b/c");
      same([name, dir, modes], ["c", true, []], "stat of a directory on the way to a mount");
      await refuses("is_directory", () => files.open("/b/c", "read"), "open of it");
      await refuses("not_found", () => files.list("/b/x"), "list beside the way");
      same(await readText(files, "/m"), "one", "a mount over an own entry");
      const bare = namespace(() => [{ path: "/x/y/z", service: one }]);
      for (const [path, below] of [["/", "x"], ["/x", "y"], ["/x/y", "z"]] as const) {
        same((await bare.stat(path)).dir, true, `stat of ${path}, on the way to a mount`);
        same(await namesIn(bare, path), [below], `list of ${path}, on the way to a mount`);
      }
    },
  },
  {
    id: "M4",
    name: "what_is_not_mounted_is_not_there",
    says: "no path, however it is written, reaches a file that no mount shows",
    async test({ namespace }) {
      const secret = await filled({ "/open/x": "fine", "/key": "secret" });
      const shown = namespace(() => [{ path: "/s/open", service: secret }]);
      const nested = namespace(() => [{ path: "/n", service: shown }]);
      for (const path of ["/key", "/s/key", "/s/open/../key", "/s/open/%2e%2e/key", "/n/../key"]) {
        for (const files of [shown, nested]) {
          const code = codeOf(await faultOf(() => readText(files, path)));
          holds(code === "not_found" || code === "invalid_path", `read of ${path}: ${code}`);
        }
      }
      same(await readText(nested, "/n/s/open/open/x"), "fine", "a namespace in a namespace");
    },
  },
  {
    id: "M5",
    name: "a_mount_may_be_one_file",
    says: "a service whose root is a file is a file where it is mounted, under the mount's name",
    async test({ namespace }) {
      const service = tree(file({ read: () => "fine", type: "text/plain" }));
      const files = namespace(() => [{ path: "/a/status", service }]);
      same(await readText(files, "/a/status"), "fine", "its content");
      const { name, dir, modes, type } = await files.stat("/a/status");
      same([name, dir, modes, type], ["status", false, ["read"], "text/plain"], "its stat");
      same(await files.list("/a"), [{ name: "status", dir: false }], "its entry");
      for (const path of ["/a/status/", "/a/status/x"]) {
        await refuses("not_directory", () => files.stat(path), `stat of ${path}`);
        await refuses("not_directory", () => files.list(path), `list of ${path}`);
        await refuses("not_directory", () => files.open(path, "read"), `open of ${path}`);
      }
    },
  },
  {
    id: "M6",
    name: "a_mount_point_stays",
    says: "neither a mount point nor a directory that holds one can be removed through files",
    async test({ namespace }) {
      const own = await filled({ "/d/x": "own" });
      const table = [{ path: "/", service: own }, {
        path: "/d/m/n",
        service: tree(dir({ x: file({ read: () => "x" }) })),
      }];
      const files = namespace(() => table);
      for (const path of ["/", "/d", "/d/m", "/d/m/n"]) {
        holds(await faultOf(() => files.remove(path)), `removal of ${path} is refused`);
      }
      same(await readText(files, "/d/m/n/x"), "x", "what is mounted, after that");
      await files.remove("/d/x");
      same(await namesIn(files, "/d"), ["m"], "what is beside a mount can go");
    },
  },
  {
    id: "M7",
    name: "bad_tables_are_refused",
    says: "malformed paths, two mounts on one path, and the control plane's short names at the " +
      "root are refused",
    async test({ namespace }) {
      const service = await filled({ "/x": "x" });
      const bad: [string, string[]][] = [
        ["invalid_path", ["relative"]],
        ["invalid_path", ["/a//b"]],
        ["invalid_path", ["/a/.."]],
        ["invalid_path", ["/a\u0000"]],
        ["already_exists", ["/a", "/b", "/a/"]],
        ...RESERVED.map((name): [string, string[]] => ["invalid_request", [`/${name}`]]),
      ];
      for (const [code, paths] of bad) {
        const files = namespace(() => paths.map((path) => ({ path, service })));
        const error = await faultOf(() => files.list("/"));
        same(error && codeOf(error), code, `list with mounts on ${paths.join(" ")}`);
      }
      const fine = namespace(() => [{ path: "/a/send", service }, { path: "/sender", service }]);
      same(await readText(fine, "/a/send/x"), "x", "such a name further down");
    },
  },
  {
    id: "M8",
    name: "errors_tell_the_outer_path",
    says: "an error names the path as the namespace's caller named it, never the one within",
    async test({ namespace, subtree }) {
      const inner = tree(dir({
        "inside": dir({
          bad: file({
            read: () => {
              throw new TypeError("/host/path and a secret");
            },
          }),
        }),
      }));
      const outer = namespace(() => [{ path: "/m/n", service: subtree(inner, "/inside") }]);
      for (const path of ["/m/n/bad", "/m/n/none", "/m/n/bad/x", "/m/n/bad/"]) {
        const error = await faultOf(() => outer.open(path, "read")) as Error & { path: string };
        same(error?.path, path, "path in the error");
        const told = `${error.message} ${JSON.stringify(error)}`;
        for (const word of ["inside", "host", "secret"]) {
          holds(!told.includes(word), `the error says nothing of ${word}: ${told}`);
        }
      }
      const files = await filled({ "/inside/deep": "x" });
      const handle = await subtree(files, "/inside").open("/deep", "read");
      await handle.close();
      const late = await faultOf(() => handle.read()) as { path?: string };
      same(late?.path, "/deep", "path in the error of a handle");
    },
  },
  {
    id: "M9",
    name: "a_subtree_is_a_wall",
    says: "a subtree shows what is below its path as if that were all, and nothing else",
    async test({ subtree }) {
      const files = await filled({ "/a/b/x": "below", "/a/bc/x": "beside", "/a/y": "above" });
      const below = subtree(files, "/a/b");
      same(await namesIn(below, "/"), ["x"], "its root");
      const { name, dir } = await below.stat("/");
      same([name, dir], ["", true], "stat of its root");
      same(await readText(below, "/x"), "below", "its file");
      for (const path of ["/../y", "/y", "/c/x", "/a/b/x", "/%2e%2e/y"]) {
        holds(await faultOf(() => readText(below, path)), `read of ${path} is refused`);
      }
      await writeText(below, "/new", "n");
      same(await readText(files, "/a/b/new"), "n", "what was written through it");
      const one = subtree(files, "/a/y");
      same(await readText(one, "/"), "above", "a subtree of one file");
      holds(
        await faultOf(() => Promise.resolve().then(() => subtree(files, "/a/../b"))),
        "bad path",
      );
    },
  },
];
