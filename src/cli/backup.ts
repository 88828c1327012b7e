/** `agentd backup`: a copy of the running server's database, whole and of one moment. */
import { resolve } from "node:path";
import { type Action, answer, arg, option } from "./call.ts";
import { EXIT, trouble } from "./exit.ts";
import { size } from "./print.ts";
import { mayWrite, writeWhole } from "./whole_file.ts";

/** What every SQLite database begins with. */
const MAGIC = "SQLite format 3\0";

export const backup: Action = async (call) => {
  const path = arg(call, "file");
  const to = { path, force: option(call, "force") === true };
  mayWrite(call, to);
  let seen = 0;
  const done = call.terminal.progress(() => `copying the database, ${size(seen)}`);
  let bytes: number;
  try {
    const copy = await call.server().backup(call.signal);
    const chunks = whole(copy.chunks, copy.bytes, (n) => seen = n);
    bytes = await writeWhole(call, to, chunks);
  } finally {
    done();
  }
  answer(call, { file: resolve(call.cwd, path), bytes, with_keys: false }, () => [
    `backed up to ${path}   ${call.terminal.paint("dim", size(bytes))}`,
    "Agents' keys, hooks' secrets and secrets are not in it: of the data directory, also keep the files keys, " +
    "hook_secrets, secrets and runtime_key, as far as they are there.",
    call.terminal.paint(
      "dim",
      `To go back: put it into an empty directory as agentd.db, and those files beside it; then ` +
        `${call.program.replace("agentctl", "agentd")} serve --home that directory`,
    ),
  ]);
};

/** @throws an error for a copy that broke off, or is none */
async function* whole(
  chunks: AsyncIterable<Uint8Array>,
  bytes: number | undefined,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let taken = 0;
  for await (const chunk of chunks) {
    if (taken === 0 && !new TextDecoder().decode(chunk.subarray(0, 16)).startsWith(MAGIC)) {
      throw trouble(EXIT.failed, "The server did not answer with a database");
    }
    taken += chunk.length;
    count(taken);
    yield chunk;
  }
  if (taken > 0 && (bytes === undefined || bytes === taken)) return;
  throw trouble(EXIT.failed, "The copy broke off", "Nothing was kept of it; try again.");
}
