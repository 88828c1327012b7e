/** Laws of agents over HTTP: how they are named, made, listed, driven and ended. */
import { holds, same } from "../expect.ts";
import {
  ask,
  create,
  good,
  type HttpLaw,
  json,
  post,
  refused,
  replies,
  statusOf,
  withAgent,
} from "./subject.ts";

export const agentLaws: readonly HttpLaw[] = [
  {
    id: "H8",
    name: "paths_are_taken_apart_once",
    says: "each segment of the raw path is decoded once; what decodes to no name, or does not " +
      "decode, is invalid_path",
    needs: [],
    async test(subject) {
      const bad = ["a%2fb", "a%2Fb", "a%00b", "a%0ab", "%", "%zz", "%ff", "a//b", "/a"];
      for (const path of bad.map((name) => `/agents/abc/files/${name}`)) {
        await refused(await ask(subject, path), 400, "invalid_path", path);
      }
      await withAgent(subject, "echo", async ({ at }) => {
        const named = `${at}/files/%2565%20%C3%A9`;
        await (await good(await ask(subject, named, { method: "PUT", body: "x" }), 204)).text();
        const { entries } = await json(await ask(subject, `${at}/files/`));
        same((entries as { name: string }[]).map((e) => e.name), ["%65 é"], "the file's name");
      });
    },
  },
  {
    id: "H9",
    name: "what_is_not_there_is_not_found",
    says: "an agent or a route that is not there is not_found; an id that can be none is " +
      "invalid_request",
    needs: [],
    async test(subject) {
      const absent = `/agents/law-${subject.newId()}`;
      for (const path of [absent, `${absent}/`, `${absent}/status`, `${absent}/stream`, "/none"]) {
        await refused(await ask(subject, path), 404, "not_found", path);
      }
      for (const word of ["send", "tick", "wake"]) {
        await refused(await post(subject, `${absent}/${word}`), 404, "not_found", word);
      }
      for (const id of ["UPPER", "-a", "constructor%20", "a".repeat(64)]) {
        await refused(await ask(subject, `/agents/${id}`), 400, "invalid_request", id);
      }
    },
  },
  {
    id: "H10",
    name: "errors_are_problems",
    says: "an error is problem+json with type, title, status, code, detail and the path, and has " +
      "no stack",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const body = await refused(await ask(subject, `${at}/files/none`), 404, "not_found", "GET");
        for (const name of ["type", "title", "detail"]) {
          holds(typeof body[name] === "string" && body[name], `it has a ${name}`);
        }
        same([body["status"], body["path"]], [404, "/files/none"], "status and path");
        same(body["instance"], `${at}/files/none`, "the instance");
        holds(!/stack|\.ts:|at file/.test(JSON.stringify(body)), "it has no stack");
      });
    },
  },
  {
    id: "H11",
    name: "methods_are_told",
    says: "a method that a resource does not take is 405, and Allow names those it takes",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const allowed: [method: string, path: string, allow: string][] = [
          ["PATCH", `${at}/files/a`, "GET, HEAD, PUT, POST, DELETE"],
          ["OPTIONS", `${at}/status`, "GET, HEAD, PUT, POST, DELETE"],
          ["PUT", at, "GET, HEAD, PATCH, DELETE"],
          ["DELETE", "/agents", "GET, HEAD, POST"],
          ["GET", `${at}/send`, "POST"],
          ["GET", `${at}/tick`, "POST"],
          ["POST", `${at}/stream`, "GET"],
          ["POST", "/runtime/status", "GET, HEAD"],
          ["GET", "/runtime/pause", "POST"],
        ];
        for (const [method, path, allow] of allowed) {
          const answer = await ask(subject, path, { method });
          await answer.text();
          same([answer.status, answer.headers.get("allow")], [405, allow], `${method} ${path}`);
        }
      });
    },
  },
  {
    id: "H12",
    name: "create_answers_who_it_is",
    says: "a create answers 201 with id, pubkey, npub, status and urls; the same again 200, " +
      "another under that id 409",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ id, at }) => {
        const again = await json(await good(await create(subject, { id, agent: "echo" }), 200));
        same([again["id"], again["status"]], [id, "active"], "id and status");
        holds(/^[0-9a-f]{64}$/.test(String(again["pubkey"])), "it has a public key");
        holds(String(again["npub"]).startsWith("npub1"), "it has an npub");
        const urls = again["urls"] as Record<string, string>;
        same(urls["self"], at, "its url");
        await (await good(await ask(subject, urls["status"]!), 200)).text();
        const other = await create(subject, { id, agent: "counter" });
        await refused(other, 409, "already_exists", "another under that id");
      });
    },
  },
  {
    id: "H13",
    name: "a_bad_create_makes_nothing",
    says: "a create that says nothing sensible is refused by the field at fault, and makes nothing",
    needs: [],
    async test(subject) {
      const id = `law-${subject.newId()}`;
      const bad: [body: unknown, word: string][] = [
        [{ id }, "agent"],
        [{ id, agent: 7 }, "agent"],
        [{ id, agent: "echo", nonsense: 1 }, "nonsense"],
        [{ id, agent: "echo", goals: "x" }, "goals"],
        [{ id: "No Id", agent: "echo" }, "agent id"],
        [[], "object"],
      ];
      for (const [body, word] of bad) {
        const what = JSON.stringify(body);
        const { detail } = await refused(await create(subject, body), 400, "invalid_request", what);
        holds(String(detail).includes(word), `${what}: "${detail}" names ${word}`);
      }
      const none = await create(subject, { id, agent: `none-${subject.newId()}` });
      await refused(none, 404, "not_found", "an agent that is not built in");
      const broken = await post(subject, "/agents", { body: "{" });
      await refused(broken, 400, "invalid_request", "no JSON");
      await refused(await ask(subject, `/agents/${id}`), 404, "not_found", "what was refused");
    },
  },
  {
    id: "H14",
    name: "agents_are_listed_in_pages",
    says: "GET /agents lists in order of id, by state, page by page; GET /agents/{id} tells one, " +
      "and with a last slash lists its files",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async (one) => {
        await withAgent(subject, "echo", async (two) => {
          const ids: string[] = [];
          for (let after = "";;) {
            const { agents, next } = await json(
              await good(await ask(subject, `/agents?limit=1&after=${after}`), 200),
            );
            ids.push(...(agents as { id: string }[]).map((agent) => agent.id));
            if (next === undefined) break;
            same(next, ids.at(-1), "next is the last of its page");
            after = String(next);
          }
          same(ids, [...ids].sort(), "the order");
          holds(ids.includes(one.id) && ids.includes(two.id), "both are listed");
          await (await good(await post(subject, `${one.at}/pause`))).text();
          const { agents } = await json(await ask(subject, "/agents?state=paused&limit=1000"));
          const paused = (agents as { id: string; state: string }[]).map((agent) => agent.id);
          same([paused.includes(one.id), paused.includes(two.id)], [true, false], "by state");
          const info = await json(await good(await ask(subject, one.at), 200));
          same([info["id"], info["state"]], [one.id, "paused"], "the agent's info");
          const { path, entries } = await json(await good(await ask(subject, `${one.at}/`), 200));
          const names = (entries as { name: string }[]).map((entry) => entry.name);
          same(path, "/", "the path of the root");
          holds(["files", "inbox", "status"].every((n) => names.includes(n)), names.join(" "));
        });
      });
      const nonsense = await ask(subject, "/agents?state=asleep");
      await refused(nonsense, 400, "invalid_request", "a state that is none");
    },
  },
  {
    id: "H15",
    name: "a_deleted_agent_is_gone",
    says: "DELETE answers 204, and nothing of the agent is found afterwards; its id is free",
    needs: ["token"],
    async test(subject) {
      await withAgent(subject, "counter", async ({ id, at }) => {
        same(await replies(subject, at, { body: "one" }), [text("1")], "the first reply");
        await (await good(await ask(subject, at, { method: "DELETE" }), 204)).text();
        await refused(await ask(subject, `${at}/status`), 404, "not_found", "its status");
        await refused(await ask(subject, at, { method: "DELETE" }), 404, "not_found", "again");
        await (await good(await create(subject, { id, agent: "counter" }), 201)).text();
        same(await replies(subject, at, { body: "one" }), [text("1")], "the next life's first");
      });
    },
  },
  {
    id: "H16",
    name: "control_words_drive_its_life",
    says: "tick answers its TickResult; hibernate, wake, pause and resume do as they say; a " +
      "paused agent is not_ready to tick",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const tick = await json(await good(await post(subject, `${at}/tick`), 200));
        same(tick["success"], true, "the tick's success");
        for (const name of ["tick_id", "envelope_id", "duration_ms", "usage"]) {
          holds(tick[name] !== undefined, `a TickResult has ${name}`);
        }
        const states = [["hibernate", "dormant"], ["wake", "active"], ["pause", "paused"]];
        for (const [word, state] of states) {
          await (await good(await post(subject, `${at}/${word}`))).text();
          same((await statusOf(subject, at))["state"], state, `the state after ${word}`);
        }
        await refused(await post(subject, `${at}/tick`), 409, "not_ready", "a tick while paused");
        await (await good(await post(subject, `${at}/resume`))).text();
        await (await good(await post(subject, `${at}/tick`), 200)).text();
      });
    },
  },
  {
    id: "H17",
    name: "the_runtime_is_told_and_paused",
    says: "/runtime/status counts; /runtime/pause holds every agent until /runtime/resume",
    needs: ["token"],
    async test(subject) {
      const status = async () =>
        await json(await good(await ask(subject, "/runtime/status"), 200)) as {
          paused: boolean;
          agents: number;
          ticks: number;
        };
      await withAgent(subject, "echo", async ({ at }) => {
        const before = await status();
        holds(before.agents >= 1, "it counts agents");
        await (await good(await post(subject, "/runtime/pause"))).text();
        try {
          same((await status()).paused, true, "paused");
          const held = await post(subject, `${at}/send?wait=0.05`, { body: "x" });
          await (await good(held, 202)).text();
          same((await statusOf(subject, at))["queue_depth"], 1, "what waits");
        } finally {
          await (await good(await post(subject, "/runtime/resume"))).text();
        }
        same(await replies(subject, at, { body: "y" }), [text("y")], "a reply after the pause");
        holds((await status()).ticks >= before.ticks + 2, "it counts ticks");
      });
    },
  },
];

function text(value: string) {
  return { kind: "text", text: value };
}
