/** The rules of who may import whom. Each gives the faults it finds, as sentences that name the file and the rule. */
import { rightsOf, roomOf, SOLE_IMPORTERS, within } from "./rooms.ts";
import type { Graph } from "./tree.ts";

const OUTSIDE = /^(?:npm|jsr|https?|data|blob):/;

/** Imports run downward only, and siblings never import each other. */
export function upward(graph: Graph): string[] {
  const faults: string[] = [];
  for (const [file, imports] of graph) {
    const room = roomOf(file), rights = rightsOf(file);
    if (room === undefined || rights === undefined) continue;
    for (const to of imports) {
      if (OUTSIDE.test(to) || to.startsWith("node:") || within(to, room)) continue;
      if (rights.on.some((below) => within(to, below))) continue;
      faults.push(
        `${file} imports ${to}: imports run downward only, and ${room} stands on ` +
          (rights.on.join(", ") || "nothing"),
      );
    }
  }
  return faults;
}

/** A room imports the outside packages of its row; `node:` only where the row's world is Deno's. */
export function foreign(graph: Graph): string[] {
  const faults: string[] = [];
  for (const [file, imports] of graph) {
    const rights = rightsOf(file);
    if (rights === undefined) continue;
    for (const to of imports.filter((to) => OUTSIDE.test(to) || to.startsWith("node:"))) {
      const fine = to.startsWith("node:")
        ? rights.world === "deno"
        : rights.packages.includes(to.replace(/^npm:/, ""));
      if (fine) continue;
      faults.push(
        `${file} imports ${to}: ${roomOf(file)} may import ` +
          (rights.packages.join(", ") || "no package") +
          (rights.world === "deno" ? " and node:" : ", and no node:") +
          " (the table is tests/house/rooms.ts)",
      );
    }
  }
  return faults;
}

/** Some packages have one door into the house. */
export function sideDoors(graph: Graph): string[] {
  const faults: string[] = [];
  for (const [file, imports] of graph) {
    for (const to of imports) {
      const name = to.replace(/^npm:/, "").replace(/^node:assert\/.*/, "node:assert");
      const doors = SOLE_IMPORTERS[name];
      if (doors === undefined || doors.some((place) => within(file, place))) continue;
      if (within(file, "tests") && name !== "node:assert") continue;
      faults.push(`${file} imports ${to}: only ${doors.join(", ") || "tests"} may`);
    }
  }
  return faults;
}

/** No file reaches itself, by imports of types neither. */
export function cycles(graph: Graph): string[] {
  const done = new Set<string>(), faults: string[] = [];
  function walk(file: string, trail: readonly string[]): void {
    if (trail.includes(file)) {
      const circle = [...trail.slice(trail.indexOf(file)), file].join(" → ");
      faults.push(`${file} imports itself: no cycles, of types neither (${circle})`);
      return;
    }
    if (done.has(file)) return;
    for (const to of graph.get(file) ?? []) walk(to, [...trail, file]);
    done.add(file);
  }
  for (const file of graph.keys()) walk(file, []);
  return faults;
}

/** A file, and everything that it needs. */
export function closure(graph: Graph, file: string): Set<string> {
  const all = new Set([file]);
  for (const one of all) for (const to of graph.get(one) ?? []) all.add(to);
  return all;
}

/**
 * No file that nothing imports. A test keeps only other test files alive: what nothing but its own test uses is dead.
 * @param doors files and folders that are entered from outside
 */
export function orphans(graph: Graph, doors: readonly string[]): string[] {
  const isTest = (file: string) => file.endsWith("_test.ts") || within(file, "tests");
  const imported = new Set<string>();
  for (const [file, imports] of graph) {
    for (const to of imports) if (!isTest(file) || isTest(to)) imported.add(to);
  }
  return [...graph.keys()]
    .filter((file) => !imported.has(file) && !file.endsWith("_test.ts"))
    .filter((file) => !doors.some((door) => within(file, door)))
    .map((file) => `${file} is imported by no file, or by tests alone: use it or remove it`);
}
