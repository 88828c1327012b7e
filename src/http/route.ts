/** A route as it is declared: its path, and for each method what it is for, takes and answers, and what serves it. The application is wired from these, and the document made from them. */
import type { Code } from "../fs/error.ts";
import type { Param } from "./params.ts";
import type { Deed } from "./rights.ts";
import type { Named } from "./schemas.ts";
import type { Visit } from "./visit.ts";

export const METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"] as const;
export type Method = typeof METHODS[number];

export interface Answer {
  readonly about: string;
  /** By media type; several are each possible, and `bytes` is what has no schema. None: no body. */
  readonly body?: Readonly<Record<string, Named | readonly Named[] | "bytes">>;
  /** Headers that tell something, and what. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Body {
  readonly about: string;
  readonly types: Readonly<Record<string, Named | readonly Named[] | "bytes">>;
  readonly isOptional?: boolean;
}

export interface Operation {
  /** Its name in the document. */
  readonly id: string;
  /** What it does, in a few words. */
  readonly about: string;
  readonly more?: string;
  /** Demanded of the caller before it is served. `anyone`: nobody is asked who they are. */
  readonly needs: Deed | "anyone";
  readonly query?: readonly Param<unknown>[];
  /** Headers that it heeds, and how. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes of refusals that are its own; those that any request may meet are not named. */
  readonly refusals?: readonly Code[];
  /** Its answer does not end by itself, so there is no HEAD of it. */
  readonly isEndless?: boolean;
  serve(visit: Visit): Promise<Response> | Response;
}

export interface Route {
  /** `/agents/{id}/send`. A last `{path}` is all that is left, slashes included, and may be empty. */
  readonly at: string;
  /** The same with another spelling. */
  readonly also?: string;
  /** Its last names are no path of a file: they may have slashes, escaped ones too. */
  readonly hasFreeNames?: boolean;
  /** The heading under which the document tells it. */
  readonly tag: string;
  /** `HEAD` goes with `GET` where it is not named. */
  readonly methods: Readonly<Partial<Record<Method, Operation>>>;
}

/** Methods that a route takes, in the order of `METHODS`. */
export function methodsOf(route: Route): Method[] {
  return METHODS.filter((method) => operationOf(route, method) !== undefined);
}

export function operationOf({ methods }: Route, method: string): Operation | undefined {
  if (!METHODS.includes(method as Method)) return undefined;
  const operation = methods[method as Method];
  if (operation || method !== "HEAD" || methods.GET?.isEndless) return operation;
  return methods.GET;
}

/** The route's pattern in the router's words. */
export function patternOf(at: string): string {
  return at.replace(/\{path\}$/, "*").replace(/\{([a-z]+)\}/g, ":$1");
}

/** An answer of JSON. */
export function jsonAnswer(about: string, schema: Named): Answer {
  return { about, body: { "application/json": schema } };
}

/** A body of JSON. */
export function jsonBody(about: string, schema: Named): Body {
  return { about, types: { "application/json": schema } };
}

export const NO_CONTENT: Answer = { about: "Done." };
