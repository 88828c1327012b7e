/** What turns one JSON value into another, as a JSON Patch (RFC 6902), in time that grows with the size of the two and with nothing else. */
import { createPatch, type Operation } from "rfc6902";

/** A list that has moved on, as a window over what is newest does, may have lost so many from its beginning. */
const MAX_MOVED = 64;

/** Lists are compared here: the library looks for the shortest way from one to the other, which takes the product of their lengths, and a stack as deep as both. */
export function patchOf(before: unknown, after: unknown): Operation[] {
  return createPatch(
    before,
    after,
    (a, b, at) => Array.isArray(a) && Array.isArray(b) ? listPatch(a, b, at.toString()) : undefined,
  );
}

type List = readonly unknown[];

/** A list of which little is left is told anew. */
function listPatch(before: List, after: List, at: string): Operation[] {
  const inPlace = changed(before, after, at);
  // Of items that are alike it looks as though they had moved on, also where nothing has.
  const shifted = inPlace.length > 1 ? moved(before, after, at) : undefined;
  const operations = shifted && shifted.length < inPlace.length ? shifted : inPlace;
  const isShorter = JSON.stringify(operations).length < JSON.stringify(after).length;
  return isShorter || operations.length === 0
    ? operations
    : [{ op: "replace", path: at, value: after }];
}

/** Some are gone from the beginning, and others have come to the end. */
function moved(before: List, after: List, at: string): Operation[] | undefined {
  for (let gone = 1; gone <= MAX_MOVED && gone < before.length; gone++) {
    const kept = before.length - gone;
    if (kept > after.length || !isSame(before[gone], after[0])) continue;
    if (!before.every((item, i) => i < gone || isSame(item, after[i - gone]))) continue;
    return [...removed(at, 0, gone), ...added(at, kept, after.slice(kept))];
  }
}

/** What is alike at both ends stays; between them each takes the place of the one that stood there. */
function changed(before: List, after: List, at: string): Operation[] {
  const shorter = Math.min(before.length, after.length);
  let begin = 0;
  while (begin < shorter && isSame(before[begin], after[begin])) begin++;
  let end = 0;
  while (end < shorter - begin && isSame(before.at(-1 - end), after.at(-1 - end))) end++;
  const places = shorter - end;
  const operations: Operation[] = [];
  for (let i = begin; i < places; i++) {
    for (const operation of patchOf(before[i], after[i])) {
      operations.push({ ...operation, path: `${at}/${i}${operation.path}` });
    }
  }
  return [
    ...operations,
    ...removed(at, places, before.length - end - places),
    ...added(at, places, after.slice(places, after.length - end)),
  ];
}

function removed(at: string, index: number, count: number): Operation[] {
  return Array.from({ length: count }, () => ({ op: "remove", path: `${at}/${index}` }));
}

function added(at: string, index: number, values: List): Operation[] {
  return values.map((value, i) => ({ op: "add", path: `${at}/${index + i}`, value }));
}

/** Of two that have their fields in another order this may say no. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  return typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b);
}
