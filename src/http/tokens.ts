/** /runtime/tokens: scoped tokens are made, listed and revoked by the operator. */
import { z } from "zod";
import { timestamp } from "../core/id.ts";
import { CANS, type Tokens } from "../core/tokens.ts";
import { readJson } from "./form.ts";
import { jsonAnswer, jsonBody, NO_CONTENT, type Route } from "./route.ts";
import { named, TOKEN_MADE, TOKEN_PAGE } from "./schemas.ts";
import { json, noContent, type Visit } from "./visit.ts";

const TAG = "Tokens";
const DEED = "make or revoke tokens";

const TOKEN_REQUEST = named(
  "TokenRequest",
  z.strictObject({
    name: z.string().optional().meta({
      description: "Under which its messages are accepted. Absent: the token's id.",
    }),
    agents: z.union([z.literal("*"), z.array(z.string())]),
    can: z.enum(CANS).meta({ description: "Each includes the one before." }),
    expires_at: z.union([z.string(), z.number()]).optional().meta({
      description: "ISO 8601, or milliseconds since 1970.",
    }),
  }),
);

export function tokenRoutes(tokens: Tokens): Route[] {
  return [
    {
      at: "/runtime/tokens",
      also: "/runtime/tokens/",
      tag: TAG,
      methods: {
        GET: {
          id: "listTokens",
          about: "Lists the scoped tokens, without what they are",
          needs: DEED,
          answers: { 200: jsonAnswer("All of them.", TOKEN_PAGE) },
          serve: () => json({ tokens: tokens.list() }),
        },
        POST: {
          id: "createToken",
          about: "Makes a token for some agents and some deeds",
          needs: DEED,
          body: jsonBody("What it is for.", TOKEN_REQUEST),
          answers: { 201: jsonAnswer("The token, told this once.", TOKEN_MADE) },
          serve: (visit) => create(tokens, visit),
        },
      },
    },
    {
      at: "/runtime/tokens/{id}",
      tag: TAG,
      methods: {
        DELETE: {
          id: "revokeToken",
          about: "Revokes a token; what is open under it ends",
          needs: DEED,
          answers: { 204: NO_CONTENT },
          refusals: ["not_found"],
          async serve({ target: { names } }) {
            await tokens.revoke(names[2]!);
            return noContent();
          },
        },
      },
    },
  ];
}

/** `201 { grant, token }`; the token is told this once. */
async function create(tokens: Tokens, { request, target: { path } }: Visit): Promise<Response> {
  const { name, agents, can, expires_at } = await readJson(request, path, TOKEN_REQUEST.schema);
  const made = await tokens.create({
    agents,
    can,
    ...(name === undefined ? {} : { name }),
    ...(expires_at === undefined ? {} : { expiresAt: timestamp(expires_at) }),
  });
  return json(made, 201);
}
