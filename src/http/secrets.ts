/** /secrets: names, and what they are bound to; the operator sets values, and nobody is told one. */
import { z } from "zod";
import type { Secrets } from "../core/secrets.ts";
import { agentId } from "../core/id.ts";
import { FileError } from "../fs/error.ts";
import { readJson } from "./form.ts";
import { jsonAnswer, jsonBody, NO_CONTENT, type Route } from "./route.ts";
import { named } from "./schemas.ts";
import { json, noContent, type Visit } from "./visit.ts";

const TAG = "Secrets";
const DEED = "see or change secrets";

const bound = {
  mounts: z.array(z.string()).meta({ description: "Which may use it: `/http`, `/compute` …" }),
  hosts: z.array(z.string()).meta({
    description: "To which `/http` may send it: `api.example.com`, `*.example.com`, with a port.",
  }),
  agents: z.array(z.string()).meta({ description: "All agents if absent." }),
};
const SECRET_INPUT = named(
  "SecretInput",
  z.strictObject({
    value: z.string().optional().meta({
      description: "At least 6 characters. Absent: it stays as it is.",
    }),
    mounts: bound.mounts.optional(),
    hosts: bound.hosts.optional(),
    agents: bound.agents.optional(),
  }),
);
const shown = z.object({
  name: z.string(),
  mounts: bound.mounts,
  hosts: bound.hosts,
  agents: bound.agents.optional(),
  created_at: z.iso.datetime(),
});
const SECRET = named("Secret", shown);
const SECRET_PAGE = named("SecretPage", z.object({ secrets: z.array(shown) }));

/** @param secrets undefined where the server keeps none */
export function secretRoutes(secrets: Secrets | undefined): Route[] {
  return [
    {
      at: "/secrets",
      also: "/secrets/",
      tag: TAG,
      methods: {
        GET: {
          id: "listSecrets",
          about: "Lists the secrets, without their values",
          needs: DEED,
          answers: { 200: jsonAnswer("All of them.", SECRET_PAGE) },
          serve: () => json({ secrets: secrets?.list() ?? [] }),
        },
      },
    },
    {
      at: "/secrets/{name}",
      tag: TAG,
      methods: {
        PUT: {
          id: "putSecret",
          about: "Sets a secret, or changes what it is bound to",
          more: "What is left out stays as it was. No answer tells a value.",
          needs: DEED,
          body: jsonBody("Its value and who may use it.", SECRET_INPUT),
          answers: {
            201: jsonAnswer("It is there.", SECRET),
            200: jsonAnswer("It is changed.", SECRET),
          },
          refusals: ["quota_exceeded", "not_supported"],
          serve: (visit) => put(kept(secrets, visit), visit),
        },
        DELETE: {
          id: "deleteSecret",
          about: "Removes a secret",
          needs: DEED,
          answers: { 204: NO_CONTENT },
          refusals: ["not_found", "not_supported"],
          async serve(visit) {
            await kept(secrets, visit).remove(nameIn(visit));
            return noContent();
          },
        },
      },
    },
  ];
}

function nameIn({ target: { names } }: Visit): string {
  return names[1]!;
}

async function put(secrets: Secrets, visit: Visit): Promise<Response> {
  const { agents, ...change } = await bodyOf(visit);
  const { info, created } = await secrets.set(nameIn(visit), {
    ...defined(change),
    ...(agents === undefined ? {} : { agents: agents.map(agentId) }),
  });
  return json(info, created ? 201 : 200);
}

/** What is wrong with JSON that does not parse is not told: it would be told with a part of it. */
async function bodyOf({ request, target: { path } }: Visit) {
  try {
    return await readJson(request, path, SECRET_INPUT.schema);
  } catch (error) {
    if (error instanceof FileError && error.detail?.startsWith("the body is not JSON")) {
      throw new FileError("invalid_request", "put secret", path, {
        detail: 'the body is not JSON; a secret is { "value", "mounts", "hosts" }',
      });
    }
    throw error;
  }
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function kept(secrets: Secrets | undefined, { target: { path } }: Visit): Secrets {
  if (secrets) return secrets;
  const detail = "this server keeps no secrets";
  throw new FileError("not_supported", "put secret", path, { detail });
}
