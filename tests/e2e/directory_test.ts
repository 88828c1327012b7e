/** A directory of the machine in an agent's files, by the real program: from its source, or out of a binary that has the worker within it. */
import { deepEqual, equal, match } from "../assert.ts";
import { inPlace } from "./server.ts";

Deno.test("an operator mounts a directory, local callers read it, and the program's own is refused", async () => {
  await inPlace(async ({ dir, serve }) => {
    const repo = `${dir}/repo`;
    await Deno.mkdir(repo);
    await Deno.writeTextFile(`${repo}/f`, "of the machine");
    await Deno.writeTextFile(`${repo}/.env`, "password");
    const { url } = await serve();
    const token = (await Deno.readTextFile(`${dir}/.agentd/token`)).trim();
    const operator = { authorization: `Bearer ${token}` };
    const ask = (path: string, init: RequestInit = {}, who: Record<string, string> = operator) =>
      fetch(`${url}${path}`, { ...init, headers: { ...who, "content-type": "application/json" } });
    const create = (id: string, path: string, who?: Record<string, string>) =>
      ask("/agents", {
        method: "POST",
        body: JSON.stringify({
          id,
          agent: "echo",
          mounts: { "/repo": { type: "dir", path, access: "read_write" } },
        }),
      }, who);
    const local = await create("local", repo, {});
    equal(local.status, 403, await local.text());
    const made = await create("reader", repo);
    equal(made.status, 201, await made.text());
    equal(await (await ask("/agents/reader/repo/f")).text(), "of the machine");
    const { entries } = await (await ask("/agents/reader/repo/")).json();
    deepEqual(entries.map((entry: { name: string }) => entry.name), ["f"]);
    const hidden = await ask("/agents/reader/repo/.env");
    equal(hidden.status, 404);
    await hidden.body?.cancel();
    const put = await ask("/agents/reader/repo/new/g", { method: "PUT", body: "written" });
    equal(put.status, 204);
    equal(await Deno.readTextFile(`${repo}/new/g`), "written");
    equal(await (await ask("/agents/reader/repo/f", {}, {})).text(), "of the machine");
    const denied = await ask("/agents/reader/repo/f", { method: "PUT", body: "local" }, {});
    equal(denied.status, 403, await denied.text());
    const refused = await create("own", dir);
    equal(refused.status, 403);
    match((await refused.json()).detail, /own data/);
  });
});
