/** What is sent to an agent: a body of any kind as an envelope for `/inbox`, whose answer waits for the replies if it is asked to. */
import { digest } from "../core/code.ts";
import type { Backend } from "../core/backend.ts";
import { type Body, bodyOf, isObject } from "../core/body.ts";
import { envelopeSchema, type Json, type Metadata } from "../core/envelope.ts";
import { agentId, type EnvelopeId, envelopeId, foreignEnvelopeId } from "../core/id.ts";
import type { Runtime } from "../core/runtime.ts";
import { inTrace } from "../core/tracer.ts";
import type { Receipt } from "../core/view.ts";
import { FileError, hasCode } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import { readBody } from "./body.ts";
import { joined } from "./bytes.ts";
import { paramIn, WAIT } from "./params.ts";
import { begun } from "./read.ts";
import { jsonAnswer, type Operation } from "./route.ts";
import { JSON_VALUE, named, RECEIPT, WAITED } from "./schemas.ts";
import { json, jsonBytes, type Visit } from "./visit.ts";

/** Longer waits end here, with a `202`. Seconds. */
export const MAX_WAIT_S = 3_600;
const INBOX = "/inbox";
const ENVELOPE = named("Envelope", envelopeSchema);

/** POST /agents/{id}/send */
export function sendOperation(
  { runtime, timer }: { readonly runtime: Runtime; readonly timer: Backend["timer"] },
  filesOf: (visit: Visit) => Promise<FileService>,
): Operation {
  return {
    id: "sendToAgent",
    about: "Sends a message",
    more: "An object with `payload` is an envelope; other JSON, text or bytes are a payload. " +
      "What `curl -d` sends as a form is JSON if it parses to an object or array, else text.",
    needs: "use files",
    query: [WAIT],
    headers: {
      "idempotency-key": "The envelope's id: sent twice, it takes effect once.",
      traceparent:
        "W3C Trace Context: the message, and the tick that it causes, belong to the trace.",
    },
    body: {
      about: "The message; none is an empty text.",
      types: { "application/json": [ENVELOPE, JSON_VALUE], "text/plain": "bytes", "*/*": "bytes" },
      isOptional: true,
    },
    answers: {
      202: jsonAnswer("It is durable.", RECEIPT),
      200: jsonAnswer("`wait`: it was ticked, and these are its replies.", WAITED),
    },
    refusals: ["not_found", "conflict", "inbox_full", "too_large"],
    async serve(visit) {
      const waitMs = waitOf(visit);
      const files = await filesOf(visit);
      const envelope = traced(await envelopeOf(visit.request, visit.target.path), visit);
      const receipt = await call(files, INBOX, JSON.stringify(envelope), "application/json");
      if (waitMs === undefined) return jsonBytes(receipt, 202);
      return await waited(runtime, timer, visit.target.names[1]!, receipt, waitMs, visit);
    },
  };
}

/** A message belongs to the trace of the request that brings it. What is no metadata is left for the gate to refuse. */
export function traced(body: Body, { trace }: Visit): Body {
  const metadata = body["metadata"] ?? {};
  if (!trace || !isObject(metadata) || !isObject(metadata["extra"] ?? {})) return body;
  return { ...body, metadata: inTrace(metadata as Metadata, trace) as unknown as Json };
}

/** Writes a request and reads the answer on one handle. */
export async function call(
  files: FileService,
  path: string,
  request: string,
  type: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const handle = await files.open(path, "call", { type, ...(signal ? { signal } : {}) });
  await handle.write(encoder.encode(request));
  const { chunks, ended } = await begun(handle);
  if (ended) return joined(chunks);
  await handle.close();
  throw new FileError("internal", "call", path, { detail: "the answer is too long" });
}

/** `?wait=1.5` in milliseconds. @throws FileError `invalid_request` */
function waitOf({ target: { query } }: Visit): number | undefined {
  const seconds = paramIn(query, WAIT);
  return seconds === undefined ? undefined : Math.min(seconds, MAX_WAIT_S) * 1000;
}

/** `200 { tick, replies }`, or the receipt with `202` when the time is over or there is nothing to wait for. */
async function waited(
  runtime: Runtime,
  timer: Backend["timer"],
  id: string,
  bytes: Uint8Array,
  waitMs: number,
  { request, stopping }: Visit,
): Promise<Response> {
  const receipt = JSON.parse(decoder.decode(bytes)) as Receipt;
  if (receipt.disposition !== "queued") return jsonBytes(bytes, 202);
  const over = new AbortController();
  const stop = () => over.abort(OVER);
  const cancel = timer(waitMs, stop);
  const ends = [request.signal, stopping];
  try {
    for (const end of ends) {
      if (end.aborted) stop();
      else end.addEventListener("abort", stop);
    }
    const done = await runtime.wait(agentId(id), receipt.envelope_id, over.signal);
    return done ? json(done) : jsonBytes(bytes, 202);
  } catch (error) {
    // Its replies are no longer kept; that it was accepted stands.
    if (receipt.duplicate && hasCode(error, "not_found")) return jsonBytes(bytes, 202);
    throw error;
  } finally {
    cancel();
    for (const end of ends) end.removeEventListener("abort", stop);
  }
}

/** Without a reason of its own each abort would make an exception, stack and all. */
const OVER = Symbol("over");

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The request's body as an envelope.
 * @throws FileError `invalid_request`, `too_large`
 */
export async function envelopeOf(request: Request, path: string): Promise<Body> {
  const bytes = await readBody(request, path);
  const key = request.headers.get("idempotency-key");
  const body = bodyOf(bytes, request.headers.get("content-type"));
  if (key === null) return body;
  const id = idOfKey(key);
  if (body["id"] !== undefined && body["id"] !== id) {
    throw invalid("Idempotency-Key and the envelope's id are not the same; send one of them");
  }
  return { ...body, id };
}

/**
 * An envelope id as it is; any other key by its SHA-256.
 * @throws FileError `invalid_request` for an id that belongs to the runtime
 */
export function idOfKey(key: string): EnvelopeId {
  if (key === "") throw invalid("Idempotency-Key is empty");
  try {
    envelopeId(key);
  } catch {
    // A header's characters are its bytes.
    return envelopeId(`key_${digest(Uint8Array.from(key, (c) => c.charCodeAt(0)))}`);
  }
  return foreignEnvelopeId(key);
}

function invalid(detail: string): FileError {
  return new FileError("invalid_request", "send", INBOX, { detail });
}
