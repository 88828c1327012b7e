/** Owners' names as small integers, so that a row's key is short. */
import type { Owner } from "../core/backend.ts";
import type { SqlPort } from "./sql_port.ts";

/** Names known by heart; more are asked for again. */
const MAX_KNOWN = 20_000;

const GET = "SELECT id FROM owners WHERE name = ?";
const ADD = "INSERT INTO owners (name) VALUES (?) RETURNING id";

export interface OwnerIds {
  /** undefined for an owner that never had a row. */
  get(owner: Owner): number | undefined;
  /** Gives a new owner its number; only inside a transaction. */
  intern(owner: Owner): number;
  forget(owner: Owner): void;
  /** After a transaction failed: numbers given in it were never given. */
  clear(): void;
}

export function ownerIds(port: Pick<SqlPort, "exec">): OwnerIds {
  const known = new Map<Owner, number>();
  function learn(owner: Owner, id: number): number {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(owner, id);
    return id;
  }
  function get(owner: Owner): number | undefined {
    const id = known.get(owner);
    if (id !== undefined) return id;
    const row = port.exec(GET, [owner])[0];
    return row && learn(owner, row[0] as number);
  }
  return {
    get,
    intern: (owner) => get(owner) ?? learn(owner, port.exec(ADD, [owner])[0]![0] as number),
    forget: (owner) => {
      known.delete(owner);
    },
    clear: () => known.clear(),
  };
}
