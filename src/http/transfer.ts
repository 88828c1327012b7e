/** /runtime/export/{id} and /runtime/import: an agent as one file, out and in. Both are streams: an agent may be larger than memory. */
import { z } from "zod";
import type { Backend } from "../core/backend.ts";
import { agentId } from "../core/id.ts";
import type { Runtime } from "../core/runtime.ts";
import { FileError } from "../fs/error.ts";
import { madeBody } from "./agents.ts";
import { bodyChunks } from "./body.ts";
import { wrongMethod } from "./codes.ts";
import { flowing, incoming } from "./flow.ts";
import { PASSPHRASE_HEADER } from "./passphrase.ts";
import { invalid, readJson } from "./form.ts";
import { demand } from "./rights.ts";
import { json, type Visit } from "./visit.ts";

const DEED = "export or import agents";
/** Of one agent's file. */
export const MAX_IMPORT_BYTES = 64 * 1024 ** 3;

const exportBody = z.strictObject({ passphrase: z.string().min(1).optional() });

/** POST, with `{ passphrase? }` or no body: the lines of the agent's file. @throws FileError */
export async function exportAgent(
  runtime: Runtime,
  timer: Backend["timer"],
  { request, target: { names, path }, principal, stopping }: Visit,
): Promise<Response> {
  demand(principal, DEED, path);
  if (names.length !== 3) throw new FileError("not_found", "open", path);
  if (request.method !== "POST") return wrongMethod(request.method, ["POST"], path);
  const id = agentId(names[2]);
  const { passphrase } = await readJson(request, path, exportBody, {});
  const lines = await runtime.exportAgent(id, passphrase);
  return new Response(await flowing(lines, { timer, stopping }), {
    headers: {
      "content-type": "application/x-ndjson",
      "content-disposition": `attachment; filename="${id}.agent"`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

/** POST of such a file, `?mode=restore|clone&id=`: answers as a create does. @throws FileError */
export async function importAgent(
  runtime: Runtime,
  timer: Backend["timer"],
  { request, target: { query, path }, principal, stopping }: Visit,
): Promise<Response> {
  demand(principal, DEED, path);
  if (request.method !== "POST") return wrongMethod(request.method, ["POST"], path);
  const mode = query?.get("mode") ?? "restore";
  if (mode !== "restore" && mode !== "clone") throw invalid(path, "mode is restore or clone");
  const id = query?.get("id");
  const passphrase = passphraseOf(request.headers, path);
  const late = (detail: string) => new FileError("interrupted", "import", path, { detail });
  const body = bodyChunks(request, path, MAX_IMPORT_BYTES);
  const info = await runtime.importAgent(incoming(body, { timer, stopping }, late), {
    mode,
    ...(id === undefined ? {} : { id: agentId(id) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  return json(madeBody(info), 201, { location: `/agents/${info.id}` });
}

function passphraseOf(headers: Headers, path: string): string | undefined {
  const text = headers.get(PASSPHRASE_HEADER);
  if (text === null) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(path, `${PASSPHRASE_HEADER} is percent-encoded UTF-8`);
  }
}
