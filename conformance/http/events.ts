/** Laws of watches over HTTP: server-sent events, resumed by their ids. */
import { holds, same } from "../expect.ts";
import {
  type Answer,
  type Ask,
  ask,
  events,
  good,
  type HttpLaw,
  type HttpSubject,
  put,
  refused,
  replies,
  type Sent,
  withAgent,
} from "./subject.ts";

const SSE = "text/event-stream";

async function watching(subject: HttpSubject, path: string, init?: Ask): Promise<Answer> {
  const answer = await good(await ask(subject, path, init), 200);
  same(answer.headers.get("content-type"), SSE, `the type of ${path}`);
  return answer;
}

const ended = (found: readonly Sent[]) => found.some(({ event }) => event === "tick_end");

export const eventLaws: readonly HttpLaw[] = [
  {
    id: "H33",
    name: "the_trace_streams",
    says: "GET /logs/trace alone streams what happens, live: id is the seq, event the type, and " +
      "the data JSON",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        for (const path of ["/logs/trace", "/stream"]) {
          const answer = await watching(subject, at + path);
          await replies(subject, at, { body: "x" });
          const found = await events(answer, ended);
          const seqs = found.map(({ id }) => Number(id));
          same(seqs, seqs.map((_, i) => seqs[0]! + i), "ids without a hole");
          for (const { id, event, data } of found) {
            same([data!["seq"], data!["type"]], [Number(id), event], "the data's seq and type");
          }
          holds(found.some(({ event }) => event === "message_in"), "what came in is told");
        }
      });
    },
  },
  {
    id: "H34",
    name: "a_watch_resumes",
    says: "Last-Event-ID, or ?after=, goes on behind that seq; ?tail=N begins with the last N",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const trace = `${at}/logs/trace`;
        await replies(subject, at, { body: "x" });
        const found = await events(await watching(subject, `${trace}?after=0`), ended);
        const [first, second] = found.map(({ id }) => Number(id));
        const next = async (query: string, headers: Record<string, string> = {}) =>
          (await events(await watching(subject, trace + query, { headers }), (f) => f.length > 0))
            .map(({ id }) => Number(id))[0];
        same(await next("", { "last-event-id": String(first) }), second, "behind Last-Event-ID");
        same(await next(`?after=${first}`), second, "behind after");
        const both = await next("?after=0", { "last-event-id": String(first) });
        same(both, second, "the header counts before the query");
        const last = Number(found.at(-1)!.id);
        holds((await next("?tail=1"))! >= last, "the last one");
        for (const headers of [{ "last-event-id": "x" }, { "last-event-id": "-1" }]) {
          const answer = await ask(subject, trace, { headers });
          await refused(answer, 400, "invalid_request", "a Last-Event-ID that is no number");
        }
      });
    },
  },
  {
    id: "H35",
    name: "a_watch_is_asked_for",
    says: "?watch=1 or Accept: text/event-stream watches, ?watch=0 never; a stream file that is " +
      "read answers what is kept and ends",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        await replies(subject, at, { body: "x" });
        const accept = { accept: SSE };
        const asked = [[`${at}/outbox?watch=1`, {}], [`${at}/outbox`, accept]] as const;
        for (const [path, headers] of asked) {
          await events(await watching(subject, path, { headers }), () => true);
        }
        for (const path of [`${at}/logs/trace?watch=0`, `${at}/outbox`, `${at}/logs/trajectory`]) {
          const answer = await good(await ask(subject, path), 200);
          holds(answer.headers.get("content-type") !== SSE, `${path} is no watch`);
          const lines = (await answer.text()).split("\n").filter((line) => line !== "");
          holds(lines.every((line) => typeof JSON.parse(line).seq === "number"), "lines of JSON");
          if (path.includes("trace")) holds(lines.length > 0, "the trace has something to tell");
        }
        const none = await ask(subject, `${at}/npub?watch=1`);
        await refused(none, 404, "not_found", "a watch of what is not there");
      });
    },
  },
  {
    id: "H36",
    name: "a_files_changes_are_watched",
    says: "a watch of any other file tells created, modified and deleted",
    needs: [],
    async test(subject) {
      await withAgent(subject, "echo", async ({ at }) => {
        const file = `${at}/files/a`;
        await (await good(await put(subject, file, "1"), 204)).text();
        const answer = await watching(subject, `${file}?watch=1`);
        await (await good(await put(subject, file, "2"), 204)).text();
        await (await good(await ask(subject, file, { method: "DELETE" }), 204)).text();
        await (await good(await put(subject, file, "3"), 204)).text();
        const found = await events(answer, (f) => f.length >= 3);
        same(found.map((e) => e.event), ["modified", "deleted", "created"], "what is told");
        holds(found.every(({ id }) => id === undefined), "they have no numbers");
      });
    },
  },
];
