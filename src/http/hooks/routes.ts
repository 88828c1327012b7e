/** /hooks: who else may send to an agent, by a signature in place of a token. */
import { z } from "zod";
import type { Backend } from "../../core/backend.ts";
import type { Runtime } from "../../core/runtime.ts";
import { FileError } from "../../fs/error.ts";
import { readJson } from "../form.ts";
import { jsonAnswer, jsonBody, NO_CONTENT, type Route } from "../route.ts";
import { named } from "../schemas.ts";
import { json, noContent, type Visit } from "../visit.ts";
import { createDeliver } from "./deliver.ts";
import { hookSchema, shownHook } from "./hook.ts";
import { SCHEMES } from "./schemes.ts";
import type { HookStore } from "./store.ts";

const TAG = "Hooks";
const DEED = "see or change hooks";

const HOOK_INPUT = named("HookInput", hookSchema);
const shown = z.looseObject({
  name: z.string(),
  agent: z.string(),
  scheme: z.enum(SCHEMES),
  secret: z.union([
    z.literal("kept"),
    z.object({ env: z.string() }),
    z.object({ file: z.string() }),
  ]).meta({ description: "Where it is: in the server's own file, a variable or another file." }),
  created_at: z.iso.datetime().optional().meta({
    description: "Absent where it stands in the server's settings.",
  }),
  url: z.string(),
});
const HOOK = named("Hook", shown);
const HOOK_PAGE = named("HookPage", z.object({ hooks: z.array(shown) }));
const HOOK_RECEIPT = named(
  "HookReceipt",
  z.object({
    envelope_id: z.string(),
    disposition: z.enum(["queued", "dead_letter"]),
    duplicate: z.boolean(),
  }),
);

/** @param store undefined where the server keeps no hooks */
export function hookRoutes(
  runtime: Runtime,
  store: HookStore | undefined,
  clock: Pick<Backend, "now" | "timer">,
): Route[] {
  const deliver = createDeliver(runtime, store, clock);
  return [
    {
      at: "/hooks",
      also: "/hooks/",
      tag: TAG,
      methods: {
        GET: {
          id: "listHooks",
          about: "Lists the hooks, without their secrets",
          needs: DEED,
          answers: { 200: jsonAnswer("All of them.", HOOK_PAGE) },
          serve: () => json({ hooks: (store?.list() ?? []).map(shownHook) }),
        },
      },
    },
    {
      at: "/hooks/{name}",
      tag: TAG,
      methods: {
        PUT: {
          id: "putHook",
          about: "Makes a hook, or puts another in its place",
          needs: DEED,
          body: jsonBody("Whose messages it lets in, and for which agent.", HOOK_INPUT),
          answers: {
            201: jsonAnswer("It is there.", HOOK),
            200: jsonAnswer("It is in the place of the one before.", HOOK),
          },
          refusals: ["conflict", "not_supported"],
          serve: (visit) => put(kept(store, visit), visit),
        },
        DELETE: {
          id: "deleteHook",
          about: "Removes a hook and its secret",
          needs: DEED,
          answers: { 204: NO_CONTENT },
          refusals: ["not_found", "conflict", "not_supported"],
          async serve(visit) {
            await kept(store, visit).remove(nameIn(visit));
            return noContent();
          },
        },
        POST: {
          id: "deliverToHook",
          about: "Takes a message that is signed with the hook's secret",
          more: "No token is asked for. A wrong signature and an unknown hook are answered alike.",
          needs: "anyone",
          headers: {
            "x-hub-signature-256": "GitHub: `sha256=` and the HMAC of the body.",
            "x-github-delivery": "GitHub: names the delivery; a repeat takes effect once.",
            "x-github-event": "GitHub: told in `metadata.extra.event`.",
          },
          body: {
            about: "The message, at most 5 MiB.",
            types: { "application/json": "bytes", "*/*": "bytes" },
            isOptional: true,
          },
          answers: { 202: jsonAnswer("It is durable.", HOOK_RECEIPT) },
          refusals: [
            "auth_required",
            "rate_limited",
            "not_found",
            "conflict",
            "inbox_full",
            "too_large",
            "timeout",
          ],
          serve: (visit) => deliver(nameIn(visit), visit),
        },
      },
    },
  ];
}

function nameIn({ target: { names } }: Visit): string {
  return names[1]!;
}

async function put(store: HookStore, visit: Visit): Promise<Response> {
  const input = await readJson(visit.request, visit.target.path, HOOK_INPUT.schema);
  const { hook, created } = await store.put(nameIn(visit), input);
  return json(shownHook(hook), created ? 201 : 200);
}

function kept(store: HookStore | undefined, { target: { path } }: Visit): HookStore {
  if (store) return store;
  throw new FileError("not_supported", "put hook", path, { detail: "this server keeps no hooks" });
}
