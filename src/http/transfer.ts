/** /runtime/export/{id} and /runtime/import: an agent as one file, out and in. Both are streams: an agent may be larger than memory. */
import { z } from "zod";
import type { Backend } from "../core/backend.ts";
import { agentId } from "../core/id.ts";
import type { Runtime } from "../core/runtime.ts";
import { FileError } from "../fs/error.ts";
import { madeBody } from "./agents.ts";
import { bodyChunks } from "./body.ts";
import { flowing, incoming } from "./flow.ts";
import { PASSPHRASE_HEADER } from "./passphrase.ts";
import { invalid, readJson } from "./form.ts";
import { IMPORT_ID, IMPORT_MODE, paramIn } from "./params.ts";
import { jsonAnswer, jsonBody, type Route } from "./route.ts";
import { AGENT_MADE, named } from "./schemas.ts";
import { json, type Visit } from "./visit.ts";

const TAG = "Agents";
const DEED = "export or import agents";
/** Of one agent's file. */
export const MAX_IMPORT_BYTES = 64 * 1024 ** 3;

const EXPORT_REQUEST = named(
  "ExportRequest",
  z.strictObject({
    passphrase: z.string().min(1).optional().meta({
      description: "With it the agent's private key goes along, encrypted.",
      writeOnly: true,
    }),
  }),
);
const FILE_TYPE = "application/x-ndjson";

export function transferRoutes(runtime: Runtime, timer: Backend["timer"]): Route[] {
  return [
    {
      at: "/runtime/export/{id}",
      tag: TAG,
      methods: {
        POST: {
          id: "exportAgent",
          about: "Gives an agent as one file; it is held meanwhile",
          needs: DEED,
          body: {
            ...jsonBody("None is an export without the key.", EXPORT_REQUEST),
            isOptional: true,
          },
          answers: { 200: { about: "Lines of JSON.", body: { [FILE_TYPE]: "bytes" } } },
          refusals: ["not_found", "conflict"],
          serve: (visit) => exportAgent(runtime, timer, visit),
        },
      },
    },
    {
      at: "/runtime/import",
      tag: TAG,
      methods: {
        POST: {
          id: "importAgent",
          about: "Makes an agent from such a file",
          needs: DEED,
          query: [IMPORT_MODE, IMPORT_ID],
          headers: { [PASSPHRASE_HEADER]: "That of the key, percent-encoded UTF-8." },
          body: { about: "The file.", types: { [FILE_TYPE]: "bytes" } },
          answers: {
            201: {
              ...jsonAnswer("It is there.", AGENT_MADE),
              headers: { location: "Where it is." },
            },
          },
          refusals: ["already_exists", "not_supported", "too_large"],
          serve: (visit) => importAgent(runtime, timer, visit),
        },
      },
    },
  ];
}

/** With `{ passphrase? }` or no body: the lines of the agent's file. */
async function exportAgent(
  runtime: Runtime,
  timer: Backend["timer"],
  { request, target: { names, path }, stopping }: Visit,
): Promise<Response> {
  const id = agentId(names[2]);
  const { passphrase } = await readJson(request, path, EXPORT_REQUEST.schema, {});
  const lines = await runtime.exportAgent(id, passphrase);
  return new Response(await flowing(lines, { timer, stopping }), {
    headers: {
      "content-type": FILE_TYPE,
      "content-disposition": `attachment; filename="${id}.agent"`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

/** Answers as a create does. */
async function importAgent(
  runtime: Runtime,
  timer: Backend["timer"],
  { request, target: { query, path }, stopping }: Visit,
): Promise<Response> {
  const mode = paramIn(query, IMPORT_MODE) ?? "restore";
  const id = paramIn(query, IMPORT_ID);
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
