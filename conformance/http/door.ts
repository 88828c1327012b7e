/** Laws of who may come in: a page in the user's browser must not be able to drive their agents. */
import { holds, same } from "../expect.ts";
import {
  ask,
  create,
  good,
  type HttpLaw,
  type HttpSubject,
  json,
  refused,
  statusOf,
  withAgent,
} from "./subject.ts";

const ROUTES = ["/healthz", "/runtime/status", "/agents", "/agents/abc/status", "/none"];
/** More wrong tokens than any server should look at in a minute. */
const MANY = 200;

/** Does this server let somebody in who has no token? */
async function letsLocalIn(subject: HttpSubject): Promise<boolean> {
  const answer = await subject.fetch("/runtime/status");
  await answer.text();
  return answer.status !== 401;
}

/** Wrong tokens of other tries on the same server may have been too many. */
async function refusedToken(subject: HttpSubject, headers: Record<string, string>, what: string) {
  const answer = await subject.fetch("/agents", { headers });
  if (answer.status === 429) {
    await refused(answer, 429, "rate_limited", what);
    return holds(answer.headers.get("retry-after"), "a limit says when to try again");
  }
  await refused(answer, 401, "auth_required", what);
  const scheme = answer.headers.get("www-authenticate") ?? "";
  holds(scheme.startsWith("Bearer"), `${what}: WWW-Authenticate is ${scheme}`);
}

export const doorLaws: readonly HttpLaw[] = [
  {
    id: "H1",
    name: "host_must_be_a_name_of_the_server",
    says: "a request for another name is refused on every route, and told which flag adds the name",
    needs: [],
    async test(subject) {
      for (const path of ROUTES) {
        const answer = await ask(subject, path, { headers: { host: "rebound.example" } });
        const body = await refused(answer, 403, "permission_denied", path);
        holds(
          String(body["detail"]).includes("add --allow-host rebound.example"),
          `it says what to add: ${body["detail"]}`,
        );
      }
    },
  },
  {
    id: "H2",
    name: "other_sites_pages_are_refused",
    says: "what a browser marks as another site's is refused, token or not; no CORS header is sent",
    needs: [],
    async test(subject) {
      const marks = [
        { origin: "https://evil.example" },
        { origin: "null" },
        { origin: "http://localhost:1" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
      ];
      for (const headers of marks) {
        for (const path of ROUTES) {
          for (const method of ["GET", "POST"]) {
            const answer = await ask(subject, path, { method, headers });
            await refused(answer, 403, "permission_denied", `${method} ${path}`);
            same(answer.headers.get("access-control-allow-origin"), null, "a CORS header");
          }
        }
      }
      for (const site of ["same-origin", "none"]) {
        const answer = await ask(subject, "/runtime/status", {
          headers: { "sec-fetch-site": site },
        });
        await (await good(answer, 200)).text();
      }
    },
  },
  {
    id: "H3",
    name: "a_wrong_token_is_refused",
    says: "a token that is not right is auth_required, on loopback too, and is no weaker caller's",
    needs: [],
    async test(subject) {
      await refusedToken(subject, { authorization: "Bearer wrong" }, "a wrong token");
      await refusedToken(subject, { authorization: "Basic d3Jvbmc=" }, "another scheme");
    },
  },
  {
    id: "H4",
    name: "forwarded_requests_need_the_token",
    says: "what came through a proxy needs the token for everything but /healthz",
    needs: [],
    async test(subject) {
      for (const name of ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-x"]) {
        const headers = { [name]: "for=192.0.2.1" };
        for (const path of ["/runtime/status", "/agents", "/agents/abc/status", "/none"]) {
          await refused(await subject.fetch(path, { headers }), 401, "auth_required", path);
        }
        await (await good(await subject.fetch("/healthz", { headers }), 200)).text();
        if (subject.token === undefined) continue;
        await (await good(await ask(subject, "/agents", { headers }), 200)).text();
      }
    },
  },
  {
    id: "H5",
    name: "local_may_not_do_what_is_the_operators",
    says: "without a token nobody deletes, deploys code, sets limits or mounts, pauses all, " +
      "changes a policy, or signs",
    needs: ["token"],
    async test(subject) {
      const local = await letsLocalIn(subject);
      const [status, code] = local ? [403, "permission_denied"] : [401, "auth_required"];
      const tried = async (path: string, method: string, body?: unknown) => {
        const answer = await subject.fetch(path, {
          method,
          headers: { "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        await refused(answer, Number(status), String(code), `${method} ${path}`);
      };
      await withAgent(subject, "echo", async ({ at }) => {
        const id = `law-${subject.newId()}`;
        await tried("/agents", "POST", { id, agent: { code: "export default {}" } });
        await tried("/agents", "POST", { id, agent: "echo", limits: { idle_ms: 1 } });
        await tried("/agents", "POST", { id, agent: "echo", mounts: { "/kv": "disabled" } });
        await refused(await ask(subject, `/agents/${id}`), 404, "not_found", "what was refused");
        await tried(at, "DELETE");
        await tried(at, "PATCH", { limits: { idle_ms: 1 } });
        await tried("/runtime/pause", "POST");
        await tried("/runtime/resume", "POST");
        await tried(`${at}/inbox/overflow`, "PUT", { max_depth: 1 });
        await tried(`${at}/mounts`, "PUT", []);
        await tried(`${at}/identity/sign`, "POST", { kind: 1, content: "" });
        same((await statusOf(subject, at))["state"], "active", "the agent, afterwards");
        const { paused } = await json(await ask(subject, "/runtime/status"));
        same(paused, false, "the runtime is paused");
      });
    },
  },
  {
    id: "H6",
    name: "local_may_use_agents",
    says: "without a token, a caller on this machine may create built-in agents, read, send, " +
      "tick, and write files; or nothing at all, where the token is required",
    needs: [],
    async test(subject) {
      if (!await letsLocalIn(subject)) return;
      const { token: _, ...without } = subject;
      const id = `law-${subject.newId()}`;
      await (await good(await create(without, { id, agent: "echo" }), 201)).text();
      const at = `/agents/${id}`;
      const asked: [path: string, method: string][] = [
        ["", "GET"],
        ["/status", "GET"],
        ["/send", "POST"],
        ["/tick", "POST"],
        ["/files/a", "PUT"],
        ["/files/a", "DELETE"],
        ["/hibernate", "POST"],
        ["/wake", "POST"],
      ];
      for (const [path, method] of asked) {
        await (await good(await without.fetch(at + path, { method }))).text();
      }
      if (subject.token !== undefined) await (await ask(subject, at, { method: "DELETE" })).text();
    },
  },
  {
    id: "H7",
    name: "healthz_is_everybodys",
    says: "/healthz answers whoever asks, and tells nothing but that it is well",
    needs: [],
    async test(subject) {
      const answer = await good(await subject.fetch("/healthz"), 200);
      same(await json(answer), { status: "ok" }, "the answer");
    },
  },
];

/** Told last: it leaves the caller's address with too many wrong tokens for a while. */
export const lastLaws: readonly HttpLaw[] = [
  {
    id: "H41",
    name: "wrong_tokens_are_limited",
    says: "too many wrong tokens are rate_limited, and the right one is let in all the same",
    needs: ["token"],
    async test(subject) {
      const headers = { authorization: "Bearer wrong" };
      let last = 0;
      for (let n = 0; n < MANY && last !== 429; n++) {
        const answer = await subject.fetch("/agents", { headers });
        await answer.text();
        last = answer.status;
      }
      const answer = await subject.fetch("/agents", { headers });
      const wait = Number(answer.headers.get("retry-after"));
      await refused(answer, 429, "rate_limited", "one more");
      holds(Number.isInteger(wait) && wait > 0, `Retry-After is ${wait}`);
      await (await good(await ask(subject, "/agents"), 200)).text();
    },
  },
];
