/** The lower waist: all that an agent owns is a row. */

/** Keys are printable ASCII and sort by byte on every backend. A value has at most `MAX_VALUE_BYTES`. */
export interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

/** `key` must still hold these bytes, or be absent where `value` is undefined. */
export interface Check {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** All or nothing, in this order. A key that is both removed and put stands afterwards. Removing an absent key is no error. */
export interface Batch {
  readonly check: readonly Check[];
  readonly remove: readonly string[];
  readonly put: readonly Row[];
}

export interface Range {
  readonly prefix: string;
  /** Only keys behind this one (a whole key, not a suffix). */
  readonly after?: string;
  /** At most so many rows; all if absent. */
  readonly limit?: number;
}

/** ONE owner's rows. `get` and `list` see every commit that resolved before they began. */
export interface AgentStorage {
  get(key: string): Promise<Uint8Array | undefined>;
  /** In key order. */
  list(range: Range): Promise<Row[]>;
  /** Resolves once the batch is durable. Rejects with `conflict`, having changed nothing, when a check fails. Batches of one owner take effect in the order of the calls. */
  commit(batch: Batch): Promise<void>;
}

/** A Durable Object refuses 2 MiB; larger values are cut into blob rows. */
export const MAX_VALUE_BYTES = 1024 * 1024;
export const MAX_KEY_BYTES = 2048;
/** Printable ASCII without space; names in keys are percent-encoded. */
export const KEY = /^[!-~]{1,2048}$/;
