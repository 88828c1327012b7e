import assert from "../../assert.ts";
import { LOCAL } from "../served.ts";
import { HOOKS } from "../../../src/core/keys.ts";
import { github, hmac, SECRET, send, world } from "./world.ts";

const CI = { agent: "bob", scheme: "github", secret: SECRET };

Deno.test("a hook is made, told, changed and removed; its secret is never told", async () => {
  const { app, ask, close, secrets, backend } = await world();
  const made = await ask("PUT", "/hooks/ci", CI);
  assert.equal(made.status, 201);
  const shown = await made.json();
  const { created_at, ...rest } = shown;
  assert.match(created_at, /^\d{4}-/);
  const told = { name: "ci", agent: "bob", scheme: "github", secret: "kept", url: "/hooks/ci" };
  assert.deepEqual(rest, told);
  const changed = await ask("PUT", "/hooks/ci", { scheme: "github", agent: "ann" });
  assert.equal(changed.status, 200);
  assert.deepEqual(await changed.json(), { ...shown, agent: "ann" });
  const listed = await ask("GET", "/hooks");
  assert.deepEqual(await listed.json(), { hooks: [{ ...shown, agent: "ann" }] });
  assert.deepEqual([...secrets], [["ci", SECRET]], "what is left out stays");
  const rows = await backend.storage(HOOKS).list({ prefix: "" });
  assert.equal(rows.length, 1);
  assert.doesNotMatch(new TextDecoder().decode(rows[0]!.value), new RegExp(SECRET));
  assert.equal((await ask("DELETE", "/hooks/ci")).status, 204);
  assert.deepEqual([...secrets], []);
  assert.equal((await ask("DELETE", "/hooks/ci")).status, 404);
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 401);
  await close();
});

Deno.test("hooks are the operator's alone", async () => {
  const { app, close } = await world();
  const local = (method: string, path: string, body?: string) =>
    app(new Request(`http://localhost${path}`, { method, ...(body ? { body } : {}) }), LOCAL);
  assert.equal((await local("GET", "/hooks")).status, 403);
  assert.equal((await local("PUT", "/hooks/ci", JSON.stringify(CI))).status, 403);
  assert.equal((await local("DELETE", "/hooks/ci")).status, 403);
  assert.equal((await send(app, "/hooks", { method: "GET" })).status, 401);
  await close();
});

Deno.test("hooks and their secrets last over a start", async () => {
  const one = await world();
  await (await one.ask("PUT", "/hooks/ci", CI)).text();
  await one.close();
  const two = await world({ backend: one.backend, secrets: one.secrets });
  assert.equal((await send(two.app, "/hooks/ci", await github("{}"))).status, 202);
  await two.heard(1);
  await two.close();
  one.secrets.clear();
  const three = await world({ backend: one.backend, secrets: one.secrets });
  assert.equal((await send(three.app, "/hooks/ci", await github("{}"))).status, 401);
  assert.match(String(three.errors[0]), /secret: the server's file of secrets has none/);
  await three.close();
});

Deno.test("a secret may stay where it is: in a variable or a file, named and never shown", async () => {
  const values = { AGENTD_HOOK_CI: SECRET, "/run/secrets/ci": SECRET + "2", AGENTD_SHORT: "short" };
  const { app, ask, close, secrets } = await world({ values });
  const put = (secret: unknown) => ask("PUT", "/hooks/ci", { ...CI, secret });
  const byEnv = await put({ env: "AGENTD_HOOK_CI" });
  assert.equal(byEnv.status, 201);
  assert.deepEqual((await byEnv.json()).secret, { env: "AGENTD_HOOK_CI" });
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 202);
  const byFile = await put({ file: "/run/secrets/ci" });
  assert.deepEqual((await byFile.json()).secret, { file: "/run/secrets/ci" });
  const other = await github("{}", { secret: SECRET + "2", delivery: "2" });
  assert.equal((await send(app, "/hooks/ci", other)).status, 202);
  assert.deepEqual([...secrets], []);
  for (const secret of [{ env: "AGENTD_NONE" }, { env: "AGENTD_SHORT" }, { env: "HOME" }]) {
    assert.equal((await put(secret)).status, 400, JSON.stringify(secret));
  }
  assert.equal((await put(SECRET)).status, 200);
  assert.deepEqual([...secrets], [["ci", SECRET]]);
  assert.equal((await put({ env: "AGENTD_HOOK_CI" })).status, 200);
  assert.deepEqual([...secrets], [], "one that is not used any more is not kept");
  await close();
});

Deno.test("hooks of the settings stand, are told as such, and change only there", async () => {
  const own = { agent: "bob", scheme: "github", secret: { env: "AGENTD_HOOK_CI" } };
  const values = { AGENTD_HOOK_CI: SECRET };
  const { app, ask, close, errors } = await world({ declared: { ci: own, none: own }, values });
  const { hooks } = await (await ask("GET", "/hooks")).json();
  assert.deepEqual(hooks[0], { name: "ci", ...own, url: "/hooks/ci" });
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 202);
  assert.equal((await ask("PUT", "/hooks/ci", CI)).status, 409);
  assert.equal((await ask("DELETE", "/hooks/ci")).status, 409);
  assert.equal((await ask("PUT", "/hooks/other", CI)).status, 201);
  assert.deepEqual(errors, []);
  await close();
  const broken: [unknown, RegExp][] = [
    [{ ci: { ...own, secret: SECRET } }, /hooks\.ci.*settings name it and do not have it/],
    [{ ci: { agent: "bob", scheme: "github" } }, /settings name it/],
    [{ ci: { ...own, agent: "Bob" } }, /hooks\.ci.*agent: not an agent's id/],
    [{ "A B": own }, /its name is not/],
    [{ ci: 7 }, /hooks\.ci/],
  ];
  for (const [declared, why] of broken) {
    await assert.rejects(world({ declared: declared as never }), why);
  }
});

Deno.test("what cannot be a hook is refused by the field that is wrong, without its secret", async () => {
  const { ask, close, secrets } = await world();
  const own = { agent: "bob", scheme: "hmac-sha256", secret: SECRET };
  const wrong: [string, unknown, RegExp][] = [
    ["ci", { ...CI, secret: undefined }, /secret: a new hook needs one/],
    ["ci", { ...CI, secret: "too short" }, /secret: .*at least 16 characters/],
    ["ci", { ...CI, agent: "Bob!" }, /agent: not an agent's id/],
    ["ci", { ...CI, scheme: "md5" }, /scheme/],
    ["ci", { ...CI, extra: 1 }, /extra/],
    ["CI", CI, /a hook's name is/],
    ["x".repeat(49), CI, /a hook's name is/],
    ["ci", { ...own, signature_header: "a b" }, /signature_header: not a header's name/],
    ["ci", { ...own, signed: "{timestamp}.{body}" }, /signed: a time that is not signed/],
    ["ci", { ...own, timestamp_header: "x-t", signed: "{body}" }, /a time that is not signed/],
    ["ci", { ...own, signed: "{id}.{body}" }, /signed: \{id\} goes with id_header/],
    ["ci", { ...own, signed: "nothing" }, /signed: it has \{body\}, once/],
    ["ci", { ...own, tolerance_s: 0 }, /tolerance_s/],
  ];
  for (const [name, body, detail] of wrong) {
    const answer = await ask("PUT", `/hooks/${name}`, body);
    const text = await answer.text();
    assert.equal(answer.status, 400, text);
    assert.match(JSON.parse(text).detail, detail);
    assert.doesNotMatch(text, new RegExp(SECRET));
  }
  assert.deepEqual([...secrets], []);
  assert.deepEqual(await (await ask("GET", "/hooks")).json(), { hooks: [] });
  await close();
});

Deno.test("two changes at once leave one hook with its own secret", async () => {
  const { app, ask, close } = await world();
  const other = SECRET.replace("a", "b");
  await Promise.all([
    ask("PUT", "/hooks/ci", CI),
    ask("PUT", "/hooks/ci", { agent: "bob", scheme: "hmac-sha256", secret: other }),
  ]);
  const headers = { "x-signature-256": (await hmac(other, "hi")).toHex() };
  const sent = await send(app, "/hooks/ci", { method: "POST", body: "hi", headers });
  assert.equal(sent.status, 202);
  assert.equal((await send(app, "/hooks/ci", await github("{}"))).status, 401);
  await close();
});
