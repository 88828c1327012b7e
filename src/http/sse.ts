/** Reads server-sent events as they are written by anybody: the parsing rules of the HTML standard, as far as they carry data. */

export interface SseBlock {
  /** The `id:` of this very event; undefined if it has none. */
  readonly id: string | undefined;
  readonly event: string;
  /** Empty: it carries nothing but an id, which says where the stream stands. */
  readonly data: string;
}

/** Characters of one event; a server that never ends one is not waited for. */
const MAX_BLOCK_CHARS = 64 * 1024 * 1024;

/** The events of a stream, and a word for every comment, which is a sign of life. An event that is cut off at the end is none. */
export async function* sseBlocks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): AsyncGenerator<SseBlock | "comment"> {
  let block = empty();
  let size = 0;
  for await (const line of lines(reader)) {
    size += line.length;
    if (size > MAX_BLOCK_CHARS) throw new Error("an event has no end");
    if (line === "") {
      if (block.data.length || block.id !== undefined) {
        yield { ...block, data: block.data.join("\n") };
      }
      block = empty();
      size = 0;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) {
      yield "comment";
      continue;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") block.data.push(value);
    else if (field === "event") block.event = value;
    else if (field === "id" && !value.includes("\0")) block.id = value;
  }
}

function empty(): { id: string | undefined; event: string; data: string[] } {
  return { id: undefined, event: "message", data: [] };
}

/** Lines that end with LF, CRLF or CR. */
async function* lines(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string> {
  // Without the option, Deno 2.9 takes a mark out of the middle of a text when a part begins with it.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let isBegun = false;
  let rest = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    if (!isBegun && rest !== "") {
      rest = rest.replace(/^\ufeff/, "");
      isBegun = true;
    }
    let start = 0;
    const ends = /\r\n|\n|\r(?!$)/g;
    for (let end = ends.exec(rest); end; end = ends.exec(rest)) {
      yield rest.slice(start, end.index);
      start = ends.lastIndex;
    }
    rest = rest.slice(start);
  }
}
