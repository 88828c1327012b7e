/** Paths that a document names, and which of them are not there. */

const TOPS = ["src", "tests", "conformance", "docs", ".ci", ".github"];
const PATH = new RegExp(
  String.raw`(?<![\w./@~-])(?:${TOPS.map((top) => top.replace(".", "\\.")).join("|")})/[\w./-]*`,
  "g",
);
/** A file of the top level, in a code span. */
const TOP_FILE = /`(main\.ts|deno\.json|deno\.lock|LICENSE|README\.md)`/g;
const LINK = /\]\((?![a-z]+:|#|\/)([^)#\s]+)[^)]*\)/g;
/** In the map of `src/`, code spans count from there. */
const SPAN = /`([a-z][\w-]*(?:\/[\w.-]+)*(?:\.ts|\/))`/g;

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/") + 1);
}

function resolve(from: string, path: string): string {
  return decodeURIComponent(new URL(path, `file:///${folderOf(from)}`).pathname.slice(1));
}

/** Every path from the top that a document names. */
export function pathsIn(doc: string, source: string): string[] {
  const named = [
    // A sentence ends with a dot, a pattern goes on with a star: what stands before them is the path.
    ...Array.from(source.matchAll(PATH), ([path]) => path.replace(/[.-]+$/, "")),
    ...Array.from(source.matchAll(TOP_FILE), ([, path]) => path!),
    ...Array.from(source.matchAll(LINK), ([, path]) => resolve(doc, path!)),
  ];
  if (doc === "src/README.md") {
    const spans = Array.from(source.matchAll(SPAN), ([, path]) => path!);
    named.push(
      ...spans
        .filter((path) => path !== "main.ts" && !TOPS.some((top) => path.startsWith(`${top}/`)))
        .map((path) => `src/${path}`),
    );
  }
  return [...new Set(named)];
}

/**
 * What a document names and the tree does not have, as sentences.
 * @param all every file, by its path from the top
 */
export function missing(doc: string, source: string, all: readonly string[]): string[] {
  return pathsIn(doc, source)
    .filter((path) => {
      const bare = path.replace(/\/+$/, "");
      if (bare === "") return false;
      return !all.some((file) => file.startsWith(`${bare}/`) || (file === bare && path === bare));
    })
    .map((path) => `${doc} names ${path}: every path that a document names must be there`);
}
