/** Laws of access: what a mount allows, and that a change of the table holds at once, for open handles too. */
import { FileError } from "../../src/fs/error.ts";
import type { FileService } from "../../src/fs/file.ts";
import type { Mount } from "../../src/fs/namespace.ts";
import { file, tree } from "../../src/fs/tree.ts";
import { appendText, exists, readText, writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import { faultOf, MODES, utf8 } from "../files/subject.ts";
import type { Law } from "../law.ts";
import { filled, namesIn, type NamespaceSubject, tableOf } from "./subject.ts";

type Allows = NonNullable<Mount["allows"]>;

const readOnly: Allows = (op) => ["read", "watch", "stat", "list"].includes(op);
const disabled: Allows = () => false;

/** What takes an open handle away, and what its holder is told. */
function losses(path: string, service: FileService, other: FileService) {
  return [
    { what: "unmounted", code: "not_found", now: [] },
    { what: "replaced", code: "not_found", now: [{ path, service: other }] },
    {
      what: "covered",
      code: "not_found",
      now: [{ path, service }, { path: `${path}/f`, service: other }],
    },
    { what: "disabled", code: "permission_denied", now: [{ path, service, allows: disabled }] },
  ] as const;
}

export const accessLaws: readonly Law<NamespaceSubject>[] = [
  {
    id: "M10",
    name: "access_is_asked_for_every_verb",
    says:
      "what a mount does not allow is permission_denied, or the error it gives, and nothing has happened",
    async test({ namespace }) {
      const service = await filled({ "/f": "stands" });
      let performed = 0;
      const acts = tree(file({ call: () => `${++performed}` }));
      const files = namespace(() => [
        { path: "/ro", service, allows: readOnly },
        { path: "/off", service, allows: disabled },
        {
          path: "/act",
          service: acts,
          allows: () => new FileError("approval_required", "x", "/y"),
        },
      ]);
      same(await readText(files, "/ro/f"), "stands", "what is allowed");
      await refuses("permission_denied", () => writeText(files, "/ro/f", "x"), "write");
      await refuses(
        "permission_denied",
        () => writeText(files, "/ro/new", "x"),
        "write of a new file",
      );
      await refuses("permission_denied", () => appendText(files, "/ro/f", "x"), "append");
      await refuses("permission_denied", () => files.remove("/ro/f"), "remove");
      for (const mode of MODES) {
        await refuses("permission_denied", () => files.open("/off/f", mode), `${mode}, disabled`);
      }
      await refuses("permission_denied", () => files.stat("/off/f"), "stat, disabled");
      await refuses("permission_denied", () => files.list("/off"), "list, disabled");
      await refuses("permission_denied", () => files.remove("/off/f"), "remove, disabled");
      same(await namesIn(files, "/"), ["act", "off", "ro"], "a listing of all mounts");
      const told = await faultOf(() => files.open("/act", "call")) as FileError;
      same([told.code, told.path], ["approval_required", "/act"], "the mount's own error");
      same([performed, await readText(service, "/f")], [0, "stands"], "what has happened");
    },
  },
  {
    id: "M11",
    name: "access_is_asked_by_inner_path",
    says: "a mount is asked about the path within it, as it will be served",
    async test({ namespace }) {
      const service = await filled({ "/sign": "s", "/secret/key": "k" });
      const allows: Allows = (_, path) => path === "/sign" || path === "/";
      const files = namespace(() => [{ path: "/id", service, allows }]);
      same(await readText(files, "/id/sign"), "s", "the file that is allowed");
      same(await namesIn(files, "/id/"), ["secret", "sign"], "the directory that is allowed");
      for (const path of ["/id/secret/key", "/id/secret", "/id/secret/"]) {
        await refuses("permission_denied", () => files.open(path, "read"), `open of ${path}`);
        await refuses("permission_denied", () => files.stat(path), `stat of ${path}`);
      }
    },
  },
  {
    id: "M12",
    name: "stat_tells_allowed_modes",
    says: "stat tells the modes that the mount allows, and no others",
    async test({ namespace }) {
      const service = await filled({ "/f": "x" });
      const all = (await service.stat("/f")).modes;
      const files = namespace(() => [
        { path: "/rw", service },
        { path: "/ro", service, allows: readOnly },
      ]);
      same((await files.stat("/rw/f")).modes, all, "modes without a limit");
      const some = all.filter((mode) => mode === "read" || mode === "watch");
      same((await files.stat("/ro/f")).modes, some, "modes of a read-only mount");
      same((await files.stat("/ro")).modes, ["watch"], "modes of its directory");
    },
  },
  {
    id: "M13",
    name: "a_change_of_the_table_holds_at_once",
    says:
      "a mount is there from the moment it stands in the table, and gone from the moment it does not",
    async test({ namespace }) {
      const service = await filled({ "/f": "x" });
      const table: Mount[] = [];
      const files = namespace(() => table);
      same(await exists(files, "/a/f"), false, "before the mount");
      table.push({ path: "/a", service });
      same(await readText(files, "/a/f"), "x", "after the mount");
      same(await namesIn(files, "/"), ["a"], "the listing, after the mount");
      table[0] = { path: "/a", service, allows: disabled };
      await refuses("permission_denied", () => readText(files, "/a/f"), "after it was disabled");
      table.pop();
      await refuses("not_found", () => readText(files, "/a/f"), "after it was unmounted");
      same(await namesIn(files, "/"), [], "the listing, after that");
    },
  },
  {
    id: "M14",
    name: "a_pending_write_is_lost_with_its_mount",
    says:
      "a write that is open when its mount goes, changes hands or is denied is discarded, and its writer told",
    async test({ namespace }) {
      for (const loss of [0, 1, 2, 3]) {
        const service = await filled({ "/f": "stands" });
        const other = await filled({ "/f": "other" });
        const { what, code, now } = losses("/a", service, other)[loss]!;
        const table = tableOf({ path: "/a", service });
        const files = namespace(table.mounts);
        const handles = [];
        for (const path of ["/a/f", "/a/f"]) {
          const handle = await files.open(path, "write");
          await handle.write(utf8("lost"));
          handles.push(handle);
        }
        table.set(...now);
        const [closed, written] = handles;
        await refuses(code, () => closed!.close(), `close, ${what}`);
        await refuses(code, () => written!.write(utf8("!")), `write, ${what}`);
        await written!.close().catch(() => {});
        table.set({ path: "/a", service });
        await written!.close().catch(() => {});
        same(await readText(service, "/f"), "stands", `the file, ${what}`);
        same(await readText(other, "/f"), "other", `the other service's file, ${what}`);
      }
    },
  },
  {
    id: "M15",
    name: "an_open_reader_is_lost_with_its_mount",
    says: "a reader or caller that is open when its mount goes or is denied reads nothing more",
    async test({ namespace }) {
      for (const loss of [0, 1, 2, 3]) {
        let performed = 0;
        const service = tree(file({
          async *read() {
            yield utf8("first");
            yield utf8("second");
            await Promise.resolve();
          },
          call: () => `${++performed}`,
        }));
        const other = await filled({ "/f": "other" });
        const { what, code, now } = losses("/a", service, other)[loss]!;
        if (what === "covered") continue;
        const table = tableOf({ path: "/a", service });
        const files = namespace(table.mounts);
        const reader = await files.open("/a", "read");
        const caller = await files.open("/a", "call");
        await caller.write(utf8("x"));
        same(await reader.read(), utf8("first"), "the first chunk");
        table.set(...now);
        await refuses(code, () => reader.read(), `read, ${what}`);
        await refuses(code, () => caller.read(), `call, ${what}`);
        await reader.close();
        await caller.close().catch(() => {});
        same(performed, 0, `calls performed, ${what}`);
      }
    },
  },
  {
    id: "M16",
    name: "a_waiting_watch_ends_with_its_mount",
    says:
      "a read that waits when its mount goes or is denied is told at once, not at the next event",
    async test({ namespace }) {
      for (const loss of [0, 1, 2, 3]) {
        const service = await filled({ "/f": "v1" });
        const { what, code, now } = losses("/a", service, await filled({ "/f": "other" }))[loss]!;
        const table = tableOf({ path: "/a", service });
        const files = namespace(table.mounts, table.changed);
        const watch = await files.open("/a/f", "watch");
        const waiting = watch.read();
        let told = false;
        waiting.catch(() => told = true);
        table.set(...now);
        for (let turn = 0; turn < 20 && !told; turn++) await service.stat("/f");
        holds(told, `a read that waits is told before the next event, ${what}`);
        await writeText(service, "/f", "v2");
        await refuses(code, () => waiting, `a read that waits, ${what}`);
        await refuses(code, () => watch.read(), `a read after that, ${what}`);
        await watch.close();
      }
    },
  },
  {
    id: "M17",
    name: "a_change_elsewhere_disturbs_nobody",
    says: "a handle whose own mount stands goes on, whatever else is mounted, unmounted or denied",
    async test({ namespace }) {
      const service = await filled({ "/f": "v1" });
      const other = await filled({ "/f": "other" });
      const table = tableOf({ path: "/a", service }, { path: "/b", service: other });
      const files = namespace(table.mounts, table.changed);
      const writer = await files.open("/a/f", "write");
      await writer.write(utf8("v2"));
      const watch = await files.open("/a/f", "watch");
      const waiting = watch.read();
      table.set({ path: "/c", service: other }, { path: "/a", service, allows: () => true });
      await writer.close();
      same(await readText(service, "/f"), "v2", "what was written");
      holds(await waiting, "the watch goes on");
      await watch.close();
    },
  },
];
