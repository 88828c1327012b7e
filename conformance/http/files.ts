/** Laws of files over HTTP: every route is a file operation. */
import { holds, same } from "../expect.ts";
import {
  type Ask,
  ask,
  good,
  type HttpLaw,
  type HttpSubject,
  json,
  post,
  put,
  refused,
  withAgent,
} from "./subject.ts";

const DIGITS = "0123456789";

/** A law of one file in an agent's own directory. */
function ofFile(
  use: (file: string, subject: HttpSubject, at: string) => Promise<void>,
): HttpLaw["test"] {
  return (subject) =>
    withAgent(subject, "echo", async ({ at }) => {
      await (await good(await put(subject, `${at}/files/f.txt`, DIGITS), 204)).text();
      await use(`${at}/files/f.txt`, subject, at);
    });
}

async function textOf(subject: HttpSubject, path: string, init?: Ask): Promise<string> {
  return await (await good(await ask(subject, path, init))).text();
}

export const fileLaws: readonly HttpLaw[] = [
  {
    id: "H26",
    name: "a_file_is_written_read_and_removed",
    says: "PUT writes, ?append=1 appends, ?offset= replaces a part, GET reads, DELETE removes; " +
      "what changes is answered 204",
    needs: [],
    test: ofFile(async (file, subject) => {
      const change = async (query: string, body: string) => {
        same(await textOf(subject, file + query, { method: "PUT", body }), "", "a 204's body");
        return await textOf(subject, file);
      };
      same(await change("?append=1", "x"), `${DIGITS}x`, "appended");
      same(await change("?offset=1", "AB"), "0AB3456789x", "a part replaced");
      same(await change("", "short"), "short", "truncated");
      await (await good(await ask(subject, file, { method: "DELETE" }), 204)).text();
      await refused(await ask(subject, file), 404, "not_found", "GET of what was removed");
      const again = await ask(subject, file, { method: "DELETE" });
      await refused(again, 404, "not_found", "DELETE of what was removed");
    }),
  },
  {
    id: "H27",
    name: "head_is_a_stat",
    says: "HEAD tells length, type, Last-Modified and ETag as GET does, without the body",
    needs: [],
    test: ofFile(async (file, subject) => {
      const get = await good(await ask(subject, file), 200);
      await get.text();
      const head = await good(await ask(subject, file, { method: "HEAD" }), 200);
      same(await head.text(), "", "the body");
      same(head.headers.get("content-length"), "10", "the length");
      for (const name of ["content-type", "last-modified", "etag"]) {
        const told = head.headers.get(name);
        holds(told, `it has ${name}`);
        same(get.headers.get(name), told, `${name} of GET and HEAD`);
      }
      const absent = await ask(subject, `${file}x`, { method: "HEAD" });
      await absent.text();
      same(absent.status, 404, "HEAD of what is not there");
    }),
  },
  {
    id: "H28",
    name: "a_range_is_a_part",
    says: "Range gives 206 with Content-Range, or 416 beyond the end; ?offset=&len= give the " +
      "same bytes",
    needs: [],
    test: ofFile(async (file, subject) => {
      const ranges: [range: string, body: string, told: string][] = [
        ["bytes=2-4", "234", "bytes 2-4/10"],
        ["bytes=7-", "789", "bytes 7-9/10"],
        ["bytes=-2", "89", "bytes 8-9/10"],
        ["bytes=8-99", "89", "bytes 8-9/10"],
      ];
      for (const [range, body, told] of ranges) {
        const part = await good(await ask(subject, file, { headers: { range } }), 206);
        same([await part.text(), part.headers.get("content-range")], [body, told], range);
      }
      for (const range of ["bytes=10-", "bytes=99-100"]) {
        const beyond = await ask(subject, file, { headers: { range } });
        same(beyond.headers.get("content-range"), "bytes */10", `Content-Range of ${range}`);
        await refused(beyond, 416, "range_not_satisfiable", range);
      }
      same(await textOf(subject, `${file}?offset=2&len=3`), "234", "offset and len");
      same(await textOf(subject, `${file}?offset=8`), "89", "offset");
      const beyond = await ask(subject, `${file}?offset=11`);
      await refused(beyond, 416, "range_not_satisfiable", "an offset beyond the end");
    }),
  },
  {
    id: "H29",
    name: "versions_guard_changes",
    says: "If-Match and If-None-Match are kept by reads (304, 412) and checked in the commit of " +
      "writes and removals",
    needs: [],
    test: ofFile(async (file, subject) => {
      const etagNow = async () => {
        const answer = await ask(subject, file);
        await answer.text();
        return answer.headers.get("etag")!;
      };
      const old = await etagNow();
      await (await good(await put(subject, file, "new", { "if-match": old }), 204)).text();
      const now = await etagNow();
      holds(now !== old, "another content, another version");
      const status = async (method: string, headers: Record<string, string>) => {
        const body = method === "PUT" ? { body: "x" } : {};
        const answer = await ask(subject, file, { method, headers, ...body });
        await answer.text();
        return answer.status;
      };
      same(await status("GET", { "if-none-match": now }), 304, "what the caller has");
      same(await status("GET", { "if-none-match": old }), 200, "what it has not");
      same(await status("GET", { "if-match": old }), 412, "a read of an old version");
      same(await status("PUT", { "if-match": old }), 412, "a write over another version");
      same(await status("PUT", { "if-none-match": "*" }), 412, "a write that must be a first one");
      same(await status("DELETE", { "if-match": old }), 412, "a removal of another version");
      same(await textOf(subject, file), "new", "the content after what was refused");
      same(await status("DELETE", { "if-match": now }), 204, "a removal");
      same(await status("PUT", { "if-match": "*" }), 412, "a write over what must be there");
      same(await status("PUT", { "if-none-match": "*" }), 204, "a first write");
    }),
  },
  {
    id: "H30",
    name: "directories_are_listed_in_pages",
    says:
      "a directory is JSON with path and entries, with or without the last slash; ?limit= and " +
      "?after= give pages, next the way to the following one",
    needs: [],
    test: ofFile(async (_, subject, at) => {
      for (const name of ["a", "b/c", "d"]) {
        await (await good(await put(subject, `${at}/files/${name}`, "x"), 204)).text();
      }
      const list = async (query: string) =>
        await json(await good(await ask(subject, `${at}/files${query}`), 200)) as {
          path: string;
          entries: { name: string; dir: boolean; size?: number }[];
          next?: string;
        };
      const { path, entries, next } = await list("");
      same([path, next], ["/files", undefined], "path and next");
      same(entries.map((e) => [e.name, e.dir]), [["a", false], ["b", true], ["d", false], [
        "f.txt",
        false,
      ]], "entries");
      same(entries.at(-1)!.size, 10, "a file's size");
      same((await list("/")).entries, entries, "the same with the last slash");
      const first = await list("?limit=3");
      same([first.entries.length, first.next], [3, "d"], "the first page");
      const rest = await list(`?limit=3&after=${first.next}`);
      same([rest.entries.map((e) => e.name), rest.next], [["f.txt"], undefined], "the rest");
      const none = await ask(subject, `${at}/files?limit=0`);
      await refused(none, 400, "invalid_request", "a page of nothing");
      await refused(await ask(subject, `${at}/files/a/`), 409, "not_directory", "a file's slash");
    }),
  },
  {
    id: "H31",
    name: "post_is_call_append_or_write",
    says: "POST calls what can be called and answers what it gives back, else appends, else writes",
    needs: [],
    test: ofFile(async (file, subject, at) => {
      const called = await json(await good(await post(subject, `${at}/inbox`, { body: "x" }), 200));
      same(called["disposition"], "queued", "the answer of a call");
      await (await good(await post(subject, file, { body: "x" }), 204)).text();
      same(await textOf(subject, file), `${DIGITS}x`, "appended");
      const read = await post(subject, `${at}/status`, { body: "x" });
      await refused(read, 501, "not_supported", "POST to what is only read");
    }),
  },
  {
    id: "H32",
    name: "an_agents_files_are_no_pages",
    says: "JSON files are application/json; a file that an agent wrote is served so that no " +
      "browser runs it",
    needs: [],
    test: ofFile(async (_, subject, at) => {
      const typed = async (path: string) => {
        const answer = await good(await ask(subject, at + path), 200);
        await answer.text();
        return answer;
      };
      same((await typed("/status")).headers.get("content-type"), "application/json", "/status");
      const page = `${at}/files/page.html`;
      const html = { "content-type": "text/html" };
      await (await good(await put(subject, page, "<script>1</script>", html), 204)).text();
      const { headers } = await typed("/files/page.html");
      holds(headers.get("content-type")?.startsWith("text/html"), "it keeps its type");
      same(headers.get("x-content-type-options"), "nosniff", "no guessing of types");
      const policy = headers.get("content-security-policy") ?? "";
      holds(/^sandbox(?:;|$)/.test(policy), `the policy is "${policy}"`);
    }),
  },
];
