/** Files of `/compute` broken on purpose: each with the laws that it breaks, and it breaks no others. */
import { MODEL } from "../../../conformance/compute.ts";
import { callJson, writeText } from "../../../src/fs/use.ts";
import { type Broken, forgets, lists, type Spoil } from "./spoil.ts";
import {
  asked,
  at,
  both,
  type Loose,
  refused,
  showsEverything,
  told,
  watched,
  without,
} from "./told.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const NEW = /^\/compute\/new$/;
const POLICY = /^\/compute\/policy$/;
const RESULT = /\/result$/;
const STATUS = /\/status$/;
const STREAM = /\/stream$/;
const CTL = /\/ctl$/;

function cancelsAll(): Spoil {
  const cancelled = new Set<string>();
  const jobOf = (path: string) => path.split("/")[3]!;
  return both(
    at(CTL, "write", (_handle, _files, path) => ({
      write: (data) => {
        if (decoder.decode(data) === "cancel") cancelled.add(jobOf(path));
        return _handle.write(data);
      },
    })),
    told(STATUS, "read", (status) => ({
      ...status,
      status: cancelled.has(status.job_id) ? "cancelled" : status.status,
    })),
  );
}

function mixes(): Spoil {
  let last: Loose;
  return asked(NEW, "call", (request) => {
    if (!JSON.stringify(request).includes("of eight")) return request;
    const input = last ?? request.input;
    last = request.input;
    return { ...request, input };
  });
}

const POLICY_FIELDS = ["prefer", "max_concurrent", "blocked_models", "allowed_models"];

export const brokenCompute: readonly Broken[] = [
  [
    "says that a job runs before it does",
    "C1",
    () => told(NEW, "call", (answer) => ({ ...answer, status: "running" })),
  ],
  ["lists no jobs", "C1 C6", () => lists((found, path) => path === "/compute/jobs" ? [] : found)],
  [
    "does not know who has answered",
    "C2",
    () => told(RESULT, "read", (result) => ({ ...result, model: "somebody" })),
  ],
  [
    "counts parts of a micro-USD",
    "C2 C13",
    () => told(RESULT, "read", (result) => ({ ...result, cost_micro_usd: 0.5 })),
  ],
  [
    "numbers chunks from 0",
    "C3 C4",
    () => watched(STREAM, (event) => ({ ...event, seq: event.seq - 1 })),
  ],
  [
    "loses the first chunk",
    "C3 C4 C5 C15",
    () => watched(STREAM, (event) => event.seq === 1 ? undefined : event),
  ],
  [
    "does not say why an answer ends",
    "C3 C4 C5",
    () => watched(STREAM, without("finish_reason")),
  ],
  ["begins every watch anew", "C4", () => forgets("watch", "after")],
  [
    "streams whether it was asked to or not",
    "C5 C6",
    () => asked(NEW, "call", (request) => ({ ...request, stream: true })),
  ],
  ["forgets keys", "C6 C11", () => asked(NEW, "call", without("idempotency_key"))],
  ["shows everybody's jobs", "C7", showsEverything],
  ["cancels what has ended", "C8", cancelsAll],
  [
    "takes any word for a cancel",
    "C8",
    () => at(CTL, "write", (handle) => ({ write: () => handle.write(encoder.encode("cancel")) })),
  ],
  [
    "runs something after a refusal",
    "C6 C9",
    () =>
      refused(NEW, "call", async (files) => {
        const messages = [{ role: "user", content: "x" }];
        await callJson(files, "/compute/new", {
          model: MODEL,
          kind: "chat",
          input: { messages },
          notify: false,
        }).catch(() => {});
      }),
  ],
  [
    "takes any model for its own",
    "C9",
    () => asked(NEW, "call", (request) => ({ ...request, model: MODEL })),
  ],
  [
    "blocks nothing",
    "C10 C12",
    () => asked(POLICY, "write", without("blocked_models")),
  ],
  [
    "allows everything",
    "C10",
    () => asked(POLICY, "write", without("allowed_models", "allowed_providers")),
  ],
  [
    "demands nothing",
    "C11",
    () => asked(POLICY, "write", without("require_idempotency", "require_max_cost")),
  ],
  [
    "takes a policy as a whole",
    "C12",
    () =>
      asked(
        POLICY,
        "write",
        (change) =>
          Array.isArray(change)
            ? change
            : { ...Object.fromEntries(POLICY_FIELDS.map((name) => [name, null])), ...change },
      ),
  ],
  [
    "takes half of a policy that is wrong",
    "C12",
    () =>
      refused(POLICY, "write", async (files, path, sent) => {
        const { blocked_models } = JSON.parse(sent);
        if (blocked_models) await writeText(files, path, JSON.stringify({ blocked_models }));
      }),
  ],
  [
    "reserves for what is free",
    "C13",
    () => told(STATUS, "read", (status) => ({ ...status, reserved_micro_usd: 1_000 })),
  ],
  [
    "does not tell a price",
    "C14",
    () => told(/\/models$/, "read", (all: Loose[]) => all.map((one) => ({ ...one, price: null }))),
  ],
  ["answers one request with another's words", "C15", mixes],
];
