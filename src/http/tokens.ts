/** /runtime/tokens: scoped tokens are made, listed and revoked by the operator. */
import { z } from "zod";
import { timestamp } from "../core/id.ts";
import { CANS, type Tokens } from "../core/tokens.ts";
import { FileError } from "../fs/error.ts";
import { wrongMethod } from "./codes.ts";
import { readJson } from "./form.ts";
import { demand } from "./rights.ts";
import { json, noContent, type Visit } from "./visit.ts";

const createBody = z.strictObject({
  name: z.string().optional(),
  agents: z.union([z.literal("*"), z.array(z.string())]),
  can: z.enum(CANS),
  /** ISO 8601, or milliseconds since 1970. */
  expires_at: z.union([z.string(), z.number()]).optional(),
});

/** @throws FileError */
export async function serveTokens(tokens: Tokens, visit: Visit): Promise<Response> {
  const { request: { method }, target: { names, path }, principal } = visit;
  demand(principal, "make or revoke tokens", path);
  const [, , id, more] = names;
  if (more !== undefined) throw new FileError("not_found", "open", path);
  if (id !== undefined) {
    if (method !== "DELETE") return wrongMethod(method, ["DELETE"], path);
    await tokens.revoke(id);
    return noContent();
  }
  if (method === "GET" || method === "HEAD") return json({ tokens: tokens.list() });
  if (method === "POST") return await create(tokens, visit);
  return wrongMethod(method, ["GET", "HEAD", "POST"], path);
}

/** `201 { grant, token }`; the token is told this once. */
async function create(tokens: Tokens, { request, target: { path } }: Visit): Promise<Response> {
  const { name, agents, can, expires_at } = await readJson(request, path, createBody);
  const made = await tokens.create({
    agents,
    can,
    ...(name === undefined ? {} : { name }),
    ...(expires_at === undefined ? {} : { expiresAt: timestamp(expires_at) }),
  });
  return json(made, 201);
}
