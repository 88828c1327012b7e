/** Namespaces broken on purpose: each with the laws that it breaks, and it breaks no others. */
import type { NamespaceSubject } from "../../../conformance/namespace.ts";
import { FileError } from "../../../src/fs/error.ts";
import type { FileService } from "../../../src/fs/file.ts";
import { type Changed, type Mount, namespace, subtree } from "../../../src/fs/namespace.ts";
import { errors, lists, paths, type Spoil, stats } from "./spoil.ts";

type Mounts = () => readonly Mount[];
type Make = (mounts: Mounts, changed?: Changed) => FileService;

/** Another table than the one that was given. */
function tables(spoil: (mounts: readonly Mount[]) => readonly Mount[]): Make {
  return (mounts, changed) => namespace(() => spoil(mounts()), changed);
}

/** What the namespace answers, spoilt. */
function answers(spoil: (mounts: Mounts) => Spoil): Make {
  return (mounts, changed) => spoil(mounts)(namespace(mounts, changed));
}

/** The mount whose path a path begins with, letter by letter. */
function beginning(mounts: readonly Mount[], path: string): Mount | undefined {
  return mounts.find((mount) => path.startsWith(mount.path) && path !== mount.path);
}

/** Who is denied is told of it at open alone. */
const asksAtOpen: Make = (mounts) => {
  const now = () => {
    const table = [...mounts()];
    return namespace(() => table);
  };
  return {
    open: (path, mode, options) => now().open(path, mode, options),
    stat: (path) => now().stat(path),
    list: (path, page) => now().list(path, page),
    remove: (path, options) => now().remove(path, options),
  };
};

/** Only some modes are asked about again. */
function asksAtOpenTo(...modes: string[]): Make {
  return (mounts, changed) => {
    const [strict, lax] = [namespace(mounts, changed), asksAtOpen(mounts)];
    return {
      ...strict,
      open: (path, mode, options) =>
        (modes.includes(mode) ? lax : strict).open(path, mode, options),
    };
  };
}

/** Every change ends every handle. */
const endsEverybody: Make = (mounts, changed) => {
  const files = namespace(mounts, changed);
  return {
    ...files,
    open(path, mode, options = {}) {
      const end = new AbortController();
      options.signal?.addEventListener("abort", () => end.abort());
      changed?.(() => end.abort());
      return files.open(path, mode, { ...options, signal: end.signal });
    },
  };
};

const ours: NamespaceSubject = { namespace, subtree };
const making = (namespace: Make): NamespaceSubject => ({ ...ours, namespace });

/** Joins paths without a thought. */
function joins(separator: string): NamespaceSubject["subtree"] {
  return (service, base) => {
    const files = subtree(service, "/");
    return paths((path) => path === "/" ? base : base + separator + path.slice(1))(files);
  };
}

/** Its name, the ids of the laws that it breaks, the subject. */
export const brokenNamespaces: readonly [string, string, NamespaceSubject][] = [
  [
    "prefers the shortest prefix",
    "M1 M7 M14 M16",
    making(
      tables((mounts) =>
        mounts.filter(({ path }) =>
          !mounts.some((m) => path !== m.path && path.startsWith(`${m.path}/`))
        )
      ),
    ),
  ],
  [
    "begins anywhere",
    "M2",
    making(answers((mounts) =>
      paths((path) => {
        const mount = beginning(mounts(), path);
        if (!mount || path[mount.path.length] === "/" || mount.path === "/") return path;
        return `${mount.path}/${path.slice(mount.path.length)}`;
      })
    )),
  ],
  [
    "lists no mounts",
    "M3 M5 M6 M10 M13",
    making(
      answers((mounts) =>
        lists((entries, dir) =>
          entries.filter(({ name }) =>
            !mounts().some(({ path }) =>
              `${path}/`.startsWith(`${dir === "/" ? "" : dir}/${name}/`)
            )
          )
        )
      ),
    ),
  ],
  [
    "lists mounts alone",
    "M3",
    making(
      answers((mounts) =>
        lists((entries, dir) =>
          mounts().some(({ path }) =>
              path !== "/" && `${path}/`.startsWith(dir === "/" ? dir : `${dir}/`)
            )
            ? entries.filter(({ name }) =>
              mounts().some(({ path }) =>
                `${path}/`.startsWith(`${dir === "/" ? "" : dir}/${name}/`)
              )
            )
            : entries
        )
      ),
    ),
  ],
  [
    "lists a mount twice",
    "M3 M6",
    making(
      answers(() => lists((entries) => entries.flatMap((e) => e.name === "m" ? [e, e] : [e]))),
    ),
  ],
  [
    "knows no way to a mount",
    "M3",
    making(answers((mounts) => (files) => ({
      ...files,
      stat(path) {
        const served = mounts().some((m) => m.path === "/" || `${path}/`.startsWith(`${m.path}/`));
        return served || path === "/"
          ? files.stat(path)
          : Promise.reject(new FileError("not_found", "stat", path));
      },
    }))),
  ],
  [
    "falls back to the first mount",
    "M4 M10 M13",
    making((mounts, changed) =>
      namespace(() => {
        const first = mounts()[0];
        const free = first && !mounts().some(({ path }) => path === "/");
        return free ? [...mounts(), { path: "/", service: first.service }] : mounts();
      }, changed)
    ),
  ],
  [
    "mounts directories alone",
    "M5",
    making(
      answers((mounts) =>
        stats((stat, path) =>
          mounts().some((mount) => mount.path === path.replace(/\/$/, ""))
            ? { ...stat, dir: true }
            : stat
        )
      ),
    ),
  ],
  [
    "forgets a last slash",
    "M5 M8",
    making(answers(() => paths((path) => path.replace(/(?<=[^/])\/$/, "")))),
  ],
  [
    "pretends to remove",
    "M6",
    making(answers(() => (files) => ({
      ...files,
      remove: (path, options) =>
        files.remove(path, options).catch((error) => {
          if (error.code !== "conflict") throw error;
        }),
    }))),
  ],
  [
    "leaves bad mounts out",
    "M3 M6 M7",
    making(tables((mounts) =>
      mounts.filter(({ path }) => {
        try {
          namespace(() => [{ path, service: namespace(() => []) }]);
          return /^(\/[a-z]+)+$/.test(path) &&
            !/^\/(send|tick|hibernate|wake|pause|resume|stream)$/.test(path);
        } catch {
          return false;
        }
      })
    )),
  ],
  [
    "takes any name",
    "M7",
    making((mounts, changed) =>
      namespace(
        () =>
          mounts().map((m) =>
            /^\/(send|tick|hibernate|wake|pause|resume|stream)$/.test(m.path)
              ? { ...m, path: `${m.path}_` }
              : m
          ),
        changed,
      )
    ),
  ],
  [
    "tells inner paths",
    "M8",
    making(
      answers(() =>
        errors((error) =>
          new FileError(error.code, error.op, error.path.replace(/^\/m\/n/, "/inside"))
        )
      ),
    ),
  ],
  [
    "tells causes",
    "M8",
    making(
      answers(() =>
        errors((error) =>
          error.cause
            ? new FileError(error.code, error.op, error.path, { detail: String(error.cause) })
            : error
        )
      ),
    ),
  ],
  ["joins without a slash", "M8 M9", { ...ours, subtree: joins("") }],
  ["joins unseen", "M8 M9", { ...ours, subtree: joins("/") }],
  [
    "lets remove pass",
    "M10",
    making(tables((mounts) =>
      mounts.map((m) => ({
        ...m,
        allows: (op, path) => op === "remove" || (m.allows?.(op, path) ?? true),
      }))
    )),
  ],
  [
    "lets everything pass",
    "M10 M11 M12 M13 M14 M15 M16",
    making(tables((mounts) => mounts.map(({ path, service }) => ({ path, service })))),
  ],
  [
    "takes an error for a yes",
    "M10",
    making(tables((mounts) =>
      mounts.map((m) => ({
        ...m,
        allows: (op, path) => (m.allows?.(op, path) ?? true) !== false,
      }))
    )),
  ],
  [
    "asks about the outer path",
    "M11",
    making(tables((mounts) =>
      mounts.map((m) => ({
        ...m,
        allows: (op, path) => m.allows?.(op, path === "/" ? m.path : m.path + path) ?? true,
      }))
    )),
  ],
  [
    "tells every mode",
    "M12",
    making(answers((mounts) => (files) => ({
      ...files,
      async stat(path) {
        const all = await namespace(() => mounts().map(({ path, service }) => ({ path, service })))
          .stat(path);
        return { ...await files.stat(path), modes: all.modes };
      },
    }))),
  ],
  [
    "looks at the table once",
    "M13 M14 M15 M16",
    making((mounts, changed) => {
      const table = [...mounts()];
      return namespace(() => table, changed);
    }),
  ],
  ["asks at open alone", "M14 M15 M16", making(asksAtOpen)],
  ["lets writers finish", "M14", making(asksAtOpenTo("write"))],
  ["lets readers finish", "M15", making(asksAtOpenTo("read"))],
  ["lets callers finish", "M15", making(asksAtOpenTo("call"))],
  ["lets watchers wait", "M16", making((mounts) => namespace(mounts))],
  ["ends everybody", "M17", making(endsEverybody)],
];
