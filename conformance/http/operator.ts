/** Laws of what is the operator's alone: scoped tokens and how far they go, agents that leave and come as files, changes of what an agent may. */
import { holds, same } from "../expect.ts";
import {
  type Ask,
  ask,
  events,
  good,
  type HttpLaw,
  type HttpSubject,
  json,
  post,
  put,
  refused,
  replies,
  type Sent,
  withAgent,
} from "./subject.ts";

const TOKENS = "/runtime/tokens";
const JSON_TYPE = { "content-type": "application/json" };

interface Granted {
  readonly id: string;
  /** Asks with the token. */
  readonly as: HttpSubject;
}

async function granted(subject: HttpSubject, body: unknown): Promise<Granted> {
  const init = { headers: JSON_TYPE, body: JSON.stringify(body) };
  const answer = await json(await good(await post(subject, TOKENS, init), 201));
  const { id } = answer["grant"] as { id: string };
  return { id, as: { ...subject, token: String(answer["token"]) } };
}

async function revoke(subject: HttpSubject, id: string): Promise<void> {
  await (await good(await ask(subject, `${TOKENS}/${id}`, { method: "DELETE" }), 204)).text();
}

async function idsOf(subject: HttpSubject): Promise<string[]> {
  const { agents } = await json(await good(await ask(subject, "/agents?limit=1000"), 200));
  return (agents as { id: string }[]).map(({ id }) => id);
}

/** What may be tried with a token, from the least to the most. */
function tries(
  at: string,
  id: string,
): Record<"read" | "send" | "operate" | "never", [string, Ask][]> {
  return {
    read: [[`${at}/status`, {}], [at, {}], [`${at}/files/`, {}], ["/agents", {}]],
    send: [[`${at}/send`, { method: "POST", body: "x" }]],
    operate: [
      [`${at}/files/a`, { method: "PUT", body: "x" }],
      [`${at}/tick`, { method: "POST" }],
      [`${at}/inbox/overflow`, { method: "PUT", body: '{"max_depth":9}' }],
    ],
    never: [
      ["/runtime/status", {}],
      ["/runtime/backup", { method: "POST" }],
      [at, { method: "DELETE" }],
      ["/agents", { method: "POST", headers: JSON_TYPE, body: `{"id":"${id}x","agent":"echo"}` }],
      ["/runtime/pause", { method: "POST" }],
      [TOKENS, {}],
      [TOKENS, { method: "POST", headers: JSON_TYPE, body: '{"agents":"*","can":"operate"}' }],
      [`/runtime/export/${id}`, { method: "POST" }],
      ["/runtime/import", { method: "POST", body: "x" }],
    ],
  };
}

export const operatorLaws: readonly HttpLaw[] = [
  {
    id: "H37",
    name: "a_scoped_token_goes_so_far",
    says: "a token reads, or sends too, or operates too, with the agents it names, and nothing " +
      "beyond their files",
    needs: ["token"],
    async test(subject) {
      await withAgent(subject, "echo", async ({ id, at }) => {
        await withAgent(subject, "echo", async (other) => {
          const all = tries(at, id);
          for (const can of ["read", "send", "operate"] as const) {
            const token = await granted(subject, { agents: [id], can });
            const mine = { read: 1, send: 2, operate: 3 }[can];
            const sorts = [all.read, all.send, all.operate, all.never];
            for (
              const [n, [path, init]] of sorts.flatMap((s, n) => s.map((t) => [n, t] as const))
            ) {
              const what = `${can}: ${init.method ?? "GET"} ${path}`;
              const answer = await ask(token.as, path, init);
              if (n < mine) await (await good(answer)).text();
              else await refused(answer, 403, "permission_denied", what);
            }
            same(await idsOf(token.as), [id], "the agents that it sees");
            for (const path of [other.at, `${other.at}/status`, `${other.at}/files/`]) {
              await refused(await ask(token.as, path), 403, "permission_denied", path);
            }
            await revoke(subject, token.id);
          }
        });
      });
    },
  },
  {
    id: "H38",
    name: "a_token_that_is_over_is_none",
    says: "a revoked token is auth_required at once, and ends what it watches; a listing tells " +
      "no token; what grants nothing, or is over before it begins, is refused",
    needs: ["token"],
    async test(subject) {
      const token = await granted(subject, { name: "law", agents: "*", can: "read" });
      await (await good(await ask(token.as, "/runtime/status"), 200)).text();
      const listed = await (await good(await ask(subject, TOKENS), 200)).text();
      holds(listed.includes(token.id), "it is listed");
      holds(!listed.includes(token.as.token!), "its secret is not");
      await withAgent(subject, "echo", async ({ at }) => {
        const watched = await good(await ask(token.as, `${at}/logs/trace`), 200);
        await revoke(subject, token.id);
        await replies(subject, at, { body: "x" });
        const isOver = ({ event }: Sent) => event === "failed" || event === "tick_end";
        const last = (await events(watched, (found) => found.some(isOver))).at(-1);
        same([last?.event, last?.data?.["code"]], ["failed", "auth_required"], "the last event");
      });
      const over = await ask(token.as, "/runtime/status");
      // Other tries may have sent too many wrong tokens from here.
      if (over.status === 429) await refused(over, 429, "rate_limited", "a revoked token");
      else await refused(over, 401, "auth_required", "a revoked token");
      const again = await ask(subject, `${TOKENS}/${token.id}`, { method: "DELETE" });
      await refused(again, 404, "not_found", "revoked twice");
      const past = { agents: "*", can: "read", expires_at: "2001-01-01T00:00:00Z" };
      const none = { agents: [], can: "read" };
      for (const body of [{ agents: "*" }, { agents: "*", can: "all" }, none, past]) {
        const init = { headers: JSON_TYPE, body: JSON.stringify(body) };
        const answer = await post(subject, TOKENS, init);
        await refused(answer, 400, "invalid_request", JSON.stringify(body));
      }
    },
  },
  {
    id: "H39",
    name: "an_agent_travels_as_a_file",
    says: "what is exported comes back with its memory: restored as itself where it is gone, or " +
      "cloned under another id and key; local callers do neither",
    needs: ["token"],
    async test(subject) {
      await withAgent(subject, "counter", async ({ id, at }) => {
        await replies(subject, at, { body: "one" });
        await (await good(await put(subject, `${at}/files/a`, "kept"), 204)).text();
        const exported = await post(subject, `/runtime/export/${id}`, {
          headers: JSON_TYPE,
          body: JSON.stringify({ passphrase: "a pass phrase" }),
        });
        const file = await (await good(exported, 200)).text();
        const { pubkey } = await json(await ask(subject, at));
        const taken = await bring(subject, file, "mode=restore");
        await refused(taken, 409, "already_exists", "a restore over what is there");

        const clone = `law-${subject.newId()}`;
        const cloned = await json(
          await good(await bring(subject, file, `mode=clone&id=${clone}`), 201),
        );
        same(cloned["id"], clone, "the clone's id");
        holds(cloned["pubkey"] !== pubkey, "the clone has a key of its own");
        await remembers(subject, `/agents/${clone}`);
        await (await ask(subject, `/agents/${clone}`, { method: "DELETE" })).text();

        await (await good(await ask(subject, at, { method: "DELETE" }), 204)).text();
        const wrong = await bring(subject, file, "mode=restore", "another phrase");
        await refused(wrong, 400, "invalid_request", "another passphrase");
        const restored = await bring(subject, file, "mode=restore", "a pass phrase");
        const back = await json(await good(restored, 201));
        same([back["id"], back["pubkey"]], [id, pubkey], "the restored agent");
        await remembers(subject, at);
      });
      const damaged = await bring(subject, "no such file\n", "mode=restore");
      await refused(damaged, 400, "invalid_request", "what is no agent's file");
      const none = await post(subject, `/runtime/export/law-${subject.newId()}`);
      await refused(none, 404, "not_found", "an export of nobody");
      for (const path of ["/runtime/import?mode=clone", "/runtime/export/abc"]) {
        const answer = await subject.fetch(path, { method: "POST" });
        const { code } = await json(answer);
        holds(code === "permission_denied" || code === "auth_required", `${path}: ${code}`);
      }
    },
  },
  {
    id: "H40",
    name: "the_operator_changes_an_agent",
    says: "PATCH changes name, config, limits and mounts, each as far as it is said, and answers " +
      "the agent as it then is",
    needs: ["token"],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const change = (body: unknown) =>
          ask(subject, at, { method: "PATCH", headers: JSON_TYPE, body: JSON.stringify(body) });
        await (await good(await change({ config: { a: 1 } }), 200)).text();
        const limits = { idle_ms: 12_345 };
        const told = await json(await good(await change({ name: "two", limits }), 200));
        const now = await json(await good(await ask(subject, at), 200));
        same(told, now, "what it answers");
        same([now["name"], now["config"]], ["two", { a: 1 }], "name and config");
        same((now["limits"] as { idle_ms: number }).idle_ms, 12_345, "a limit");
        await (await good(await change({ mounts: { "/kv": null } }), 200)).text();
        const { mounts } = await json(await ask(subject, at));
        const paths = (mounts as { path: string }[]).map(({ path }) => path);
        same([paths.includes("/kv"), paths.includes("/files")], [false, true], "mounts");
        for (
          const body of [{ nonsense: 1 }, { limits: { idle_ms: -1 } }, { mounts: { "/kv": 1 } }]
        ) {
          await refused(await change(body), 400, "invalid_request", JSON.stringify(body));
        }
      });
    },
  },
];

async function bring(subject: HttpSubject, file: string, query: string, passphrase?: string) {
  const secret = { "agentd-passphrase": encodeURIComponent(passphrase ?? "") };
  const headers = passphrase === undefined ? {} : secret;
  return await post(subject, `/runtime/import?${query}`, { headers, body: file });
}

async function remembers(subject: HttpSubject, at: string): Promise<void> {
  same(await replies(subject, at, { body: "two" }), [{ kind: "text", text: "2" }], "its count");
  const file = await good(await ask(subject, `${at}/files/a`), 200);
  same(await file.text(), "kept", "its file");
}
