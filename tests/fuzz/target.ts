/** What is fuzzed: something that parses, inputs for it, and what must hold of whatever it is given. */
import type { Chance } from "../sim/chance.ts";

/** An input, of plain parts, so that it can be shown and made shorter without being understood. */
export type Sample =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Sample[]
  | { readonly [name: string]: Sample };

/** A file of `tests/fuzz/targets/` exports one, as `target`; its name is the file's. */
export interface Target<I extends Sample = Sample> {
  /** What must hold, in a sentence. */
  readonly about: string;
  /** The next input, all of it drawn from `chance`. */
  make(chance: Chance): I;
  /** A world for a block of inputs, which come one after the other. */
  begin(): Trial<I> | Promise<Trial<I>>;
  /** Inputs in the ordinary run of the tests, where they are few because each is dear. */
  readonly sample?: number;
}

export interface Trial<I extends Sample = Sample> {
  /** Throws when something that must hold does not. */
  try(input: I): void | Promise<void>;
  end?(): Promise<void>;
}
