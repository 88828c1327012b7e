/** `providers/<id>/`: who can be asked: a file for each thing that is known of it. */
import { byteOrder, segmentFault } from "../../fs/path.ts";
import { dir, each, file, type Node } from "../../fs/tree.ts";
import { JSON_TYPE } from "./json.ts";

/** Those who are there now. */
export interface Sellers<P> {
  list(): readonly P[];
  get(id: string): P | undefined;
}

/** @param about what is in a seller's directory */
export function sellersDir<P extends { readonly id: string }>(
  sellers: Sellers<P>,
  files: (seller: P) => Readonly<Record<string, Node>>,
  about: string,
): Node {
  return each({
    list: ({ after, limit }) =>
      sellers.list()
        .map(({ id }) => id)
        .filter((id) => segmentFault(id) === undefined)
        .filter((id) => after === undefined || byteOrder(id, after) > 0)
        .sort(byteOrder)
        .slice(0, limit)
        .map((name) => ({ name, dir: true })),
    get(name) {
      const found = sellers.get(name);
      return found && dir(files(found));
    },
  }, { about });
}

/** A file that tells what is known at the moment. */
export function told(about: string, value: () => unknown): Node {
  return file({ type: JSON_TYPE, about, read: () => JSON.stringify(value()) });
}
