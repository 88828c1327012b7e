/** The document against the routes, against what the control plane answers, and against the standard. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { httpLaws } from "../../conformance/http.ts";
import { trials } from "../../conformance/trial.ts";
import { CODES } from "../../src/fs/error.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { createRouter } from "../../src/http/app.ts";
import { openApi } from "../../src/http/openapi.ts";
import { METHODS, methodsOf, operationOf, patternOf, type Route } from "../../src/http/route.ts";
import { type Named, PROBLEM } from "../../src/http/schemas.ts";
import assert from "../assert.ts";
import type { HttpSpoil } from "../conformance/broken/http.ts";
import { inProcess } from "../conformance/http_subjects.ts";
import { digest } from "../../src/core/code.ts";
import { memoryFiles } from "../../src/fs/memory.ts";
import { LOCAL, runtimeOf, TOKEN } from "./served.ts";

const { routes, paths, serve } = createRouter({
  runtime: runtimeOf(memoryFiles({ now: () => 0 })),
  auth: { tokenDigest: digest(TOKEN) },
  clock: manualClock(),
  version: "1.2.3",
});
// deno-lint-ignore no-explicit-any -- a document is looked at from outside
const told: any = openApi(routes, "1.2.3");

Deno.test("the document is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(told));
  assert.ok(valid, JSON.stringify(errors, null, 1));
  assert.equal(validator.version, "3.1");
  const broken = structuredClone(told);
  broken.paths["/agents"].get.responses["200"] = { nothing: true };
  assert.equal((await new Validator().validate(broken)).valid, false, "the validator bites");
});

Deno.test("it is served as it is, to anyone", async () => {
  const answer = await serve(new Request("http://localhost/openapi.json"));
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.deepEqual(await answer.json(), JSON.parse(JSON.stringify(told)));
  const etag = answer.headers.get("etag")!;
  const again = new Request("http://localhost/openapi.json", {
    headers: { "if-none-match": etag },
  });
  assert.equal((await serve(again)).status, 304);
});

Deno.test("every route of the application is told, and no other", () => {
  assert.deepEqual(Object.keys(told.paths).sort(), routes.map(({ at }) => at).sort());
  const wired = routes.flatMap(({ at, also }) => also ? [patternOf(at), also] : [patternOf(at)]);
  assert.deepEqual([...paths].sort(), wired.sort());
  for (const route of routes) {
    const methods = METHODS.filter((method) => told.paths[route.at][method.toLowerCase()]);
    assert.deepEqual(methods, METHODS.filter((method) => route.methods[method]), route.at);
  }
});

/** A path that the route takes. */
function pathOf({ at }: Route): string {
  return at.replace("{path}", "files/a").replace(/\{[a-z]+\}/g, "abc");
}

Deno.test("a method that is not told is not taken, and one that is told is", async () => {
  for (const route of routes) {
    for (const method of [...METHODS, "OPTIONS", "TRACE", "PURGE"]) {
      if (method === "TRACE") continue;
      const request = new Request(`http://localhost${pathOf(route)}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      const answer = await serve(request, LOCAL);
      const isTold = methodsOf(route).includes(method as typeof METHODS[number]);
      assert.equal(answer.status !== 405, isTold, `${method} ${route.at}: ${answer.status}`);
      if (!isTold) assert.equal(answer.headers.get("allow"), methodsOf(route).join(", "));
      await answer.body?.cancel();
    }
  }
});

Deno.test("who may is told: nobody is asked, a token or none, or a token", async () => {
  for (const route of routes) {
    for (const method of methodsOf(route)) {
      const operation = operationOf(route, method)!;
      const { security } = told.paths[route.at][method.toLowerCase()] ??
        told.paths[route.at].get;
      const status = async (peer?: typeof LOCAL) => {
        const request = new Request(`http://localhost${pathOf(route)}`, { method });
        const answer = await serve(request, peer);
        await answer.body?.cancel();
        return answer.status;
      };
      const what = `${method} ${route.at}`;
      const [far, local] = [await status(), await status(LOCAL)];
      if (operation.id === "deliverToHook") continue;
      if (security.length === 0) assert.ok(far < 400, what);
      else assert.equal(far, 401, what);
      if (security.length === 1) assert.equal(local, 403, what);
      else assert.notEqual(local, 403, what);
    }
  }
});

Deno.test("names are unique, codes are the closed list, and no part is left over from zod", () => {
  const ids = routes.flatMap(({ methods }) => Object.values(methods).map(({ id }) => id));
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(told.components.schemas.Problem.properties.code.enum, Object.keys(CODES));
  const text = JSON.stringify(told);
  for (const rest of ["__shared", '$schema"', "$id", "~standard"]) {
    assert.ok(!text.includes(rest), rest);
  }
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(told.components.schemas[name!], name);
  }
});

/** Finds what the document does not say of what is asked and answered. */
function compared(faults: string[]): HttpSpoil {
  return (fetch) => async (path, ask = {}) => {
    const answer = await fetch(path, ask) as Response;
    const method = ask.method ?? "GET";
    const fault = await faultOf(method, path, answer.clone());
    if (fault) faults.push(`${method} ${path}: ${fault}`);
    return answer;
  };
}

async function faultOf(
  method: string,
  target: string,
  answer: Response,
): Promise<string | undefined> {
  const type = answer.headers.get("content-type")?.split(";")[0];
  try {
    if (answer.status >= 400) return await problemFault(type, answer);
    const url = new URL(target, "http://localhost");
    const route = routes.find(({ at, also }) =>
      patternFits(at, url.pathname) || also === url.pathname
    );
    const operation = route && operationOf(route, method);
    if (!operation) return `${answer.status} without an operation`;
    const own = operation.answers[answer.status];
    if (!own) return `${answer.status} is not told`;
    const names = (operation.query ?? []).map(({ name }) => name);
    const unknown = [...url.searchParams.keys()].find((name) => !names.includes(name));
    if (unknown !== undefined) return `the parameter ${unknown} is not told`;
    if (own.headers?.["location"] && !answer.headers.get("location")) return "location is missing";
    if (method === "HEAD" || answer.status === 204 || answer.status === 304) return undefined;
    const schema = own.body?.[type!] ?? own.body?.["*/*"];
    if (schema === undefined) return `${type} is not told`;
    return schema === "bytes" ? undefined : await bodyFault([schema].flat(), answer);
  } finally {
    // A copy's end is waited for by nobody: watches go on.
    if (!answer.bodyUsed) answer.body?.cancel().catch(() => {});
  }
}

function patternFits(at: string, path: string): boolean {
  const source = at.replace("/{path}", "(?:/.*)").replace(/\{[a-z]+\}/g, "[^/]+");
  return new RegExp(`^${source}$`).test(path);
}

async function problemFault(
  type: string | undefined,
  answer: Response,
): Promise<string | undefined> {
  if (answer.body === null) return undefined;
  if (type !== "application/problem+json") return `${answer.status} as ${type}`;
  return await bodyFault([PROBLEM], answer);
}

async function bodyFault(
  schemas: readonly Named[],
  answer: Response,
): Promise<string | undefined> {
  const value = await answer.json();
  const results = schemas.map(({ schema }) => schema.safeParse(value));
  const fit = results.find(({ success }) => success);
  if (!fit) return `${schemas.map(({ name }) => name)}: ${results[0]!.error!.message}`;
  try {
    assert.deepEqual(fit.data, value);
  } catch (error) {
    return `a field is not told: ${(error as Error).message}`;
  }
}

Deno.test("what is asked and answered under every law of HTTP is what the document tells", async () => {
  const faults: string[] = [];
  for (const trial of trials(httpLaws, [inProcess("http app", compared(faults))])) {
    const { fault } = await trial.run();
    assert.equal(fault, undefined, `${trial.id}: ${fault}`);
  }
  assert.deepEqual([...new Set(faults)], []);
});
