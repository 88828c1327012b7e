/** Every caller at every route and every file, by every verb: let in where the rules say so, and nowhere else. */
import { RESERVED } from "../../src/fs/namespace.ts";
import { methodsOf, patternOf, type Route } from "../../src/http/route.ts";
import { deepEqual, equal, match, ok } from "../assert.ts";
import {
  ASKING_MORE,
  fileRule,
  FILES,
  isPage,
  type Right,
  rightsOf,
  type RouteRule,
  ROUTES,
  VERBS,
} from "./access_rules.ts";
import { accessWorld, type Caller, HOOK, OTHER, SECRET, THIS, type World } from "./access_world.ts";

const METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/** One request, and the right that it needs; undefined: nobody has it. */
interface Cell {
  readonly what: string;
  readonly url: string;
  readonly init: RequestInit;
  readonly needs: Right | undefined;
  readonly streams?: boolean;
  readonly also?: readonly number[];
}

/** Why an answer is not what the rules say; undefined if it is. */
function fault(caller: Caller, { what, needs, also, streams }: Cell, answer: Response) {
  const { status } = answer;
  const told = `${caller.name}: ${what}: ${status}`;
  const may = needs !== undefined && rightsOf(caller.standing).has(needs);
  if (may) {
    if (!answer.ok && !also?.includes(status)) return `${told}, and may`;
    const events = answer.headers.get("content-type") === "text/event-stream";
    return events === !!streams ? undefined : `${told}, which is ${events ? "a" : "no"} stream`;
  }
  if (caller.standing === "stranger") {
    return status === 401 ? undefined : `${told}, and is unknown here`;
  }
  // What nobody can do is refused in more than one way.
  if (needs === undefined) return status >= 400 ? undefined : `${told}, which nobody can`;
  return status === 403 ? undefined : `${told}, and may not`;
}

/** All rows of all owners. */
function rowsOf({ backend }: World): Map<string, string> {
  const rows = new Map<string, string>();
  for (const [owner, values] of backend.rows()) {
    for (const [key, value] of values) rows.set(`${owner} ${key}`, value.toBase64());
  }
  return rows;
}

/** Tries what must be refused first, and looks that it left nothing behind; then what must be let in. */
async function tried(world: World, caller: Caller, cells: readonly Cell[]): Promise<string[]> {
  const rights = rightsOf(caller.standing);
  const good = (cell: Cell) => cell.needs !== undefined && rights.has(cell.needs);
  const faults: string[] = [];
  const ask = async (cell: Cell) => {
    const answer = await world.ask(caller, cell.url, cell.init);
    const wrong = fault(caller, cell, answer);
    if (wrong !== undefined) faults.push(wrong);
    if (cell.streams) await answer.body?.cancel();
    else await answer.bytes();
  };
  const before = rowsOf(world);
  for (const cell of cells) if (!good(cell)) await ask(cell);
  const after = rowsOf(world);
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    if (before.get(key) === after.get(key)) continue;
    faults.push(`${caller.name}: what was refused changed ${key}`);
  }
  for (const cell of cells) {
    if (!good(cell)) continue;
    await ask(cell);
    if (cell.init.method !== "GET" && cell.init.method !== "HEAD") await world.furnish();
  }
  return faults;
}

function fileCells(world: World, path: string): Cell[] {
  const rule = fileRule(path)!;
  const url = `/agents/${THIS}${path.split("/").map(encodeURIComponent).join("/")}`;
  return VERBS.map(({ name, method, query, headers, carries, streams, needs }): Cell => ({
    what: `${name} ${path}`,
    url: query === undefined ? url : `${url}?${query}`,
    init: {
      method,
      headers: headers ?? {},
      ...(carries ? { body: world.fill(rule.body ?? "body") } : {}),
    },
    needs: needs(rule, path),
    streams: streams?.(path) ?? false,
    ...(rule.also ? { also: rule.also } : {}),
  }));
}

/** A route's path with this agent in it. */
function urlOf(at: string): string {
  return at.replace("/tokens/{id}", "/tokens/{token}").replace("{id}", THIS)
    .replace("/secrets/{name}", `/secrets/${SECRET}`).replace("{name}", HOOK).replace(
      "{model}",
      `agent:${THIS}`,
    );
}

function routeCell(world: World, at: string, method: string, rule: RouteRule | undefined): Cell {
  const carries = method === "POST" || method === "PUT" || method === "PATCH";
  const sends = carries && rule?.body !== undefined;
  return {
    what: `${method} ${at}`,
    url: world.fill(urlOf(at)),
    init: {
      method,
      ...(sends ? { body: world.fill(rule!.body!), headers: typeOf(rule!.body!) } : {}),
    },
    needs: rule?.right,
    streams: at.endsWith("/stream"),
    ...(rule?.also ? { also: rule.also } : {}),
  };
}

function typeOf(body: string): Record<string, string> {
  return body.startsWith("{") ? { "content-type": "application/json" } : {};
}

/** What is served, without the files below an agent, which have a table of their own. */
const FILES_ROUTE = "/agents/{id}/{path}";

/** By a rule of its own; HEAD goes with GET, where it is taken at all. */
function ruleFor(method: string, route: Route): RouteRule | undefined {
  const isRead = method === "GET" || method === "HEAD";
  if (isPage(route.at)) return isRead ? { right: "anyone" } : undefined;
  const own = ROUTES[`${method} ${route.at}`];
  const isHead = method === "HEAD" && methodsOf(route).includes("HEAD");
  return own ?? (isHead ? ROUTES[`GET ${route.at}`] : undefined);
}

Deno.test("no route and no file is without a rule, and no rule is without what it is about", async () => {
  const world = await accessWorld();
  const { routes } = world.router;
  const served: string[] = [];
  for (const route of routes.filter(({ at }) => at !== FILES_ROUTE)) {
    for (const method of methodsOf(route)) {
      const name = `${method} ${route.at}`;
      ok(ruleFor(method, route), `${name} has no rule`);
      served.push(name);
    }
  }
  deepEqual(Object.keys(ROUTES).filter((name) => !served.includes(name)), [], "rules of no route");
  const paths = await world.paths();
  deepEqual(paths.filter((path) => !fileRule(path)), [], "files without a rule");
  const used = new Set(paths.map((path) => fileRule(path)));
  deepEqual(FILES.filter(([, rule]) => !used.has(rule)).map(([at]) => at), [], "rules of no file");
  for (const name of RESERVED) ok(routes.some(({ at }) => at === `/agents/{id}/${name}`), name);
});

Deno.test("the router takes no path beside its routes", async () => {
  const { router } = await accessWorld();
  const patterns = router.routes.flatMap(({ at, also }) => [
    patternOf(at),
    ...(also === undefined ? [] : [also]),
  ]);
  deepEqual([...router.paths].sort(), patterns.sort());
});

Deno.test("every caller, every file, every verb", async () => {
  const world = await accessWorld();
  const faults: string[] = [];
  let cells = 0;
  for (const caller of world.callers) {
    for (const path of await world.paths()) {
      const row = fileCells(world, path);
      cells += row.length;
      faults.push(...await tried(world, caller, row));
    }
  }
  deepEqual(faults, []);
  ok(cells > 15_000, `${cells} cells`);
});

Deno.test("every caller, every route, every method", async () => {
  const world = await accessWorld();
  const faults: string[] = [];
  for (const caller of world.callers) {
    for (const route of world.router.routes) {
      if (route.at === FILES_ROUTE) continue;
      const row = METHODS.map((method) =>
        routeCell(world, route.at, method, ruleFor(method, route))
      );
      faults.push(...await tried(world, caller, row));
    }
    for (const [name, { at, ...rule }] of Object.entries(ASKING_MORE)) {
      const [method, path] = at.split(" ") as [string, string];
      const cell = { ...routeCell(world, path, method, rule), what: name };
      faults.push(...await tried(world, caller, [cell]));
    }
  }
  deepEqual(faults, []);
});

Deno.test("what is no route is told to nobody who is not known", async () => {
  const world = await accessWorld();
  const paths = [
    "/nothing",
    "/dashboard/nothing",
    "/runtime",
    "/runtime/",
    "/agents/x/y",
    "/tokens",
    "/%2e%2e/x",
  ];
  for (const caller of world.callers) {
    for (const path of paths) {
      const answer = await world.ask(caller, path, {});
      await answer.bytes();
      if (caller.standing === "stranger") equal(answer.status, 401, `${caller.name} ${path}`);
      else ok(answer.status >= 400, `${caller.name} ${path}`);
    }
  }
});

Deno.test("a page is the same for everybody, and so tells nothing of anybody", async () => {
  const world = await accessWorld();
  for (const { at } of world.router.routes.filter(({ at }) => isPage(at))) {
    const seen = new Set<string>();
    for (const caller of world.callers) {
      seen.add(await (await world.ask(caller, at, {})).text());
    }
    equal(seen.size, 1, at);
    for (const id of [THIS, OTHER]) ok(!new RegExp(`"${id}"`).test([...seen][0]!), at);
  }
});

Deno.test("a listing tells a caller of its own agents alone", async () => {
  const world = await accessWorld();
  for (const caller of world.callers) {
    if (caller.standing === "stranger") continue;
    for (const query of ["", "?limit=1", "?state=dormant", `?after=${THIS}`]) {
      const answer = await world.ask(caller, `/agents${query}`, {});
      const { agents } = await answer.json() as { agents: { id: string }[] };
      const told = agents.map(({ id }) => id);
      if (query === "") deepEqual(told, caller.sees, caller.name);
      ok(told.every((id) => caller.sees.includes(id)), `${caller.name} ${query}`);
    }
  }
});

Deno.test("a token tells nothing of other agents, not even whether they are there", async () => {
  const world = await accessWorld();
  const token = world.callers.find(({ name }) => name === "token operate other")!;
  const answers = await Promise.all([THIS, "nobody"].map(async (id) => {
    const asked = [`/agents/${id}`, `/agents/${id}/status`, `/agents/${id}/no/such/file`];
    return await Promise.all(asked.map(async (url) => {
      const answer = await world.ask(token, url, {});
      return [answer.status, (await answer.text()).replaceAll(id, "ID")];
    }));
  }));
  deepEqual(answers[0], answers[1]);
  deepEqual(answers[0]!.map(([status]) => status), [403, 403, 403]);
  const own = await world.ask(token, `/agents/${OTHER}/status`, {});
  equal(own.status, 200);
  await own.bytes();
});

Deno.test("a message says by whose token it came", async () => {
  const world = await accessWorld();
  const sender = world.callers.find(({ name }) => name === "token send other")!;
  const sent = await world.ask(sender, `/agents/${OTHER}/send?wait=5`, {
    method: "POST",
    body: "hello",
  });
  equal(sent.status, 200);
  await sent.bytes();
  const trace = await world.ask(sender, `/agents/${OTHER}/logs/trace?watch=0`, {});
  match(await trace.text(), /"type":"message_in",.*"from":"http:send-other"/);
});
