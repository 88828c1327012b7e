/** The two functions that a database must have to carry a backend. */

export type SqlValue = string | number | Uint8Array | null;

/** What the SQL needs of a database that has the tables of `sql_schema.ts`. Both functions are synchronous and throw `FileError`. */
export interface SqlPort {
  /** Runs one statement; rows as arrays in the order of its columns, blobs as arrays that nobody else holds. */
  exec(sql: string, params: readonly SqlValue[]): SqlValue[][];
  /** All that `run` executes takes effect and is durable when this returns, or none of it when it throws. */
  transaction<T>(run: () => T): T;
}
