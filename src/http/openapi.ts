/** The OpenAPI 3.1 document, made of the routes from which the control plane is wired and of the schemas that check what comes in. */
import { z } from "zod";
import { type Code, CODES } from "../fs/error.ts";
import { PROBLEM_TYPE } from "./codes.ts";
import type { Param } from "./params.ts";
import { mayDo } from "./rights.ts";
import { OPENAI_ERROR, speaksOpenAi } from "./openai/errors.ts";
import { type Answer, type Body, METHODS, type Operation, type Route } from "./route.ts";
import { AGENT, LIMITS, type Named, PROBLEM } from "./schemas.ts";

/** Plain JSON: what a document is made of. */
type Part = { readonly [name: string]: unknown };

const PLACES: Readonly<Record<string, string>> = {
  id: "The agent's id, or the token's.",
  model: "The model's name; its slashes may stay as they are.",
  name: "The hook's name: 1 to 48 of a-z, 0-9, `_` and `-`; the secret's: of A-Z, 0-9 and `_`.",
  path:
    "The file's path. Its slashes stay as they are; none at all, or a last one, is a directory.",
};
const TAGS: Readonly<Record<string, string>> = {
  Agents: "Made, listed, looked at, changed, ended; out as a file and in again.",
  Messages: "What is sent to an agent, and what it does.",
  Files: "All that an agent has is a file.",
  Runtime: "The runtime as a whole.",
  OpenAI: "What clients of OpenAI's API ask: agents as models, and models by an agent's budget.",
  Tokens: "What other programs may do with which agents.",
  Hooks: "Who else may send, by a signature in place of a token.",
  Secrets: "What requests may refer to by a name; nobody is told a value.",
  About: "This document, and pages to look at.",
};
const ABOUT =
  "There is no special API: every route is a file operation of an agent, or a short name for one. " +
  "Errors are `application/problem+json` with a code of a closed list.";

/** @param version the program's */
export function openApi(routes: readonly Route[], version: string): Part {
  const schemas = schemasOf(routes);
  return {
    openapi: "3.1.1",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: {
      title: "agentd",
      version,
      description: ABOUT,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: tagsOf(routes),
    paths: Object.fromEntries(routes.map((route) => [route.at, pathOf(route)])),
    components: {
      schemas,
      responses: {
        [IN_PROBLEMS.name]: refusalAnswer(IN_PROBLEMS),
        [IN_OPENAI_WORDS.name]: refusalAnswer(IN_OPENAI_WORDS),
      },
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description:
            "The operator's token, which is in the data directory, or a scoped one. Where none is " +
            "required, callers on the server's own machine may do without.",
        },
      },
    },
  };
}

function tagsOf(routes: readonly Route[]): Part[] {
  const used = new Set(routes.map(({ tag }) => tag));
  return [...used].map((name) => ({ name, description: TAGS[name] ?? name }));
}

function pathOf({ at, tag, methods }: Route): Part {
  const names = Array.from(at.matchAll(/\{([a-z]+)\}/g), ([, name]) => name!);
  const parameters = names.map((name) => ({
    name,
    in: "path",
    required: true,
    description: PLACES[name] ?? name,
    schema: { type: "string" },
  }));
  const operations = METHODS.flatMap((method) => {
    const operation = methods[method];
    return operation ? [[method.toLowerCase(), operationOf(operation, tag, refusalIn(at))]] : [];
  });
  return { ...(parameters.length ? { parameters } : {}), ...Object.fromEntries(operations) };
}

/** How a route tells what goes wrong. */
interface Refusal {
  /** The answer's name among the document's. */
  readonly name: string;
  readonly type: string;
  readonly schema: Named;
}
const IN_PROBLEMS: Refusal = { name: "Problem", type: PROBLEM_TYPE, schema: PROBLEM };
const IN_OPENAI_WORDS: Refusal = {
  name: "OpenAiError",
  type: "application/json",
  schema: OPENAI_ERROR,
};

function refusalIn(at: string): Refusal {
  return speaksOpenAi(at) ? IN_OPENAI_WORDS : IN_PROBLEMS;
}

function refusalAnswer({ type, schema }: Refusal): Part {
  return {
    description: "It was refused, or it failed: " + listed(Object.keys(CODES)) + ".",
    content: { [type]: { schema: reference(schema) } },
  };
}

function operationOf(operation: Operation, tag: string, refusal: Refusal): Part {
  const { id, about, more, needs, query = [], headers = {}, body, answers } = operation;
  const parameters = [
    ...query.map(queryOf),
    ...Object.entries(headers).filter(([name]) => name !== "accept").map(headerOf),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary: about,
    ...(more === undefined ? {} : { description: more }),
    security: securityOf(needs),
    ...(parameters.length ? { parameters } : {}),
    ...(body === undefined ? {} : { requestBody: bodyOf(body) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)]),
      ),
      ...refusalsOf(operation, refusal),
      default: { $ref: `#/components/responses/${refusal.name}` },
    },
  };
}

/** An empty requirement says that nobody asks. */
function securityOf(needs: Operation["needs"]): Part[] {
  if (needs === "anyone") return [];
  return mayDo(needs, "local") ? [{ token: [] }, {}] : [{ token: [] }];
}

function queryOf({ name, schema, about }: Param<unknown>): Part {
  return { name, in: "query", description: about, schema: inlined(schema) };
}

function headerOf([name, description]: [string, string]): Part {
  return { name, in: "header", description, schema: { type: "string" } };
}

function bodyOf({ about, types, isOptional }: Body): Part {
  return { description: about, required: !isOptional, content: contentOf(types) };
}

function answerOf({ about, body, headers = {} }: Answer): Part {
  const told = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: "string" } },
  ]);
  return {
    description: about,
    ...(told.length ? { headers: Object.fromEntries(told) } : {}),
    ...(body === undefined ? {} : { content: contentOf(body) }),
  };
}

function contentOf(types: Body["types"]): Part {
  return Object.fromEntries(
    Object.entries(types).map(([type, of]) => {
      if (of === "bytes") return [type, {}];
      if (!Array.isArray(of)) return [type, { schema: reference(of as Named) }];
      return [type, { schema: { anyOf: of.map(reference) } }];
    }),
  );
}

/** By status, with the codes that it may carry. */
function refusalsOf({ refusals = [], answers }: Operation, { type, schema }: Refusal): Part {
  const byStatus = new Map<number, Code[]>();
  for (const code of refusals) {
    const status = CODES[code];
    byStatus.set(status, [...byStatus.get(status) ?? [], code]);
  }
  return Object.fromEntries(
    [...byStatus].filter(([status]) => !(status in answers)).map(([status, codes]) => [status, {
      description: listed(codes),
      content: { [type]: { schema: reference(schema) } },
    }]),
  );
}

function listed(codes: readonly string[]): string {
  return codes.map((code) => `\`${code}\``).join(", ");
}

const AT = "#/components/schemas/";

function reference({ name }: Named): Part {
  return { $ref: AT + name };
}

/** All schemas that a route names, by name. */
function schemasOf(routes: readonly Route[]): Part {
  const found = new Map<string, Named>();
  for (const named of [PROBLEM, OPENAI_ERROR, AGENT, LIMITS, ...routes.flatMap(namedIn)]) {
    const before = found.get(named.name);
    if (before && before.schema !== named.schema) throw new Error(`two schemas are ${named.name}`);
    found.set(named.name, named);
  }
  const registry = z.registry<{ id: string }>();
  for (const { name, schema } of found.values()) registry.add(schema, { id: name });
  const { schemas } = z.toJSONSchema(registry, { ...AS, uri: (id) => AT + id });
  return Object.fromEntries(
    [...found.keys()].sort().map((name) => [name, tidied(schemas[name] as Part)]),
  );
}

function namedIn({ methods }: Route): Named[] {
  return Object.values(methods).flatMap(({ body, answers }) =>
    [body?.types, ...Object.values(answers).map((answer) => answer.body)]
      .flatMap((types) => Object.values(types ?? {}))
      .flatMap((of) => of === "bytes" ? [] : Array.isArray(of) ? of : [of as Named])
  );
}

/** What may be sent, before the schema has filled in what was left out; what no schema can say is any value. */
const AS = { target: "draft-2020-12", io: "input", unrepresentable: "any" } as const;

function inlined(schema: z.ZodType): Part {
  return tidied(z.toJSONSchema(schema, AS) as Part);
}

/** Without what a part of a document has no use for; any JSON at all is told as such. */
function tidied(schema: Part): Part {
  return JSON.parse(JSON.stringify(schema), (name, value) => {
    if (name === "$schema" || name === "$id" || name === "~standard") return undefined;
    if (typeof value !== "object" || value === null) return value;
    return isAnyJson(value) ? {} : plain(value);
  });
}

/** Without bounds that every integer has, and without the pattern of what `format` tells. */
function plain(part: Record<string, unknown>): unknown {
  if (Array.isArray(part)) return part;
  const { maximum, minimum, pattern, ...rest } = part;
  return {
    ...rest,
    ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
    ...(pattern === undefined || rest["format"] === "date-time" ? {} : { pattern }),
  };
}

/** zod tells any JSON as a type that is made of itself. */
function isAnyJson({ $ref, anyOf }: { $ref?: unknown; anyOf?: unknown }): boolean {
  if (typeof $ref === "string" && $ref.startsWith(`${AT}__shared#`)) return true;
  return Array.isArray(anyOf) && anyOf.length === 6 &&
    JSON.stringify(anyOf.slice(0, 4)) ===
      '[{"type":"string"},{"type":"number"},{"type":"boolean"},{"type":"null"}]';
}
