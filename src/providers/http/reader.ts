/** Bytes of a connection, read piece by piece: a line, so many bytes, or what comes next. */

/** Bytes that are asked of the connection at a time. */
const PIECE = 16 * 1024;

export interface Reader {
  /** A line without its end, as one character a byte. Undefined: it ended, or the line is longer than `max`. */
  line(max: number): Promise<string | undefined>;
  /** At most `max` bytes; undefined at the end. */
  some(max: number): Promise<Uint8Array | undefined>;
}

export function readerOf(conn: { read(into: Uint8Array): Promise<number | null> }): Reader {
  let held: Uint8Array = new Uint8Array(0);
  async function more(): Promise<boolean> {
    const piece = new Uint8Array(PIECE);
    const count = await conn.read(piece);
    if (count === null || count === 0) return false;
    const next = new Uint8Array(held.length + count);
    next.set(held);
    next.set(piece.subarray(0, count), held.length);
    held = next;
    return true;
  }
  return {
    async line(max) {
      let from = 0;
      while (true) {
        const end = held.indexOf(0x0a, from);
        if (end >= 0 && end <= max) {
          const line = held.subarray(0, held[end - 1] === 0x0d ? end - 1 : end);
          held = held.subarray(end + 1);
          return String.fromCharCode(...line);
        }
        if (held.length > max) return undefined;
        from = held.length;
        if (!await more()) return undefined;
      }
    },
    async some(max) {
      if (held.length === 0 && !await more()) return undefined;
      const piece = held.slice(0, max);
      held = held.subarray(piece.length);
      return piece;
    },
  };
}
