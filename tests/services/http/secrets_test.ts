/** `/secrets`, and a secret that was planted everywhere: it goes where it is bound to go, and is found nowhere. */
import { callText, readText, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { ok as fine } from "../../providers/http/server.ts";
import { ID, inWorld, OTHER, world } from "./world.ts";

const VALUE = 'sk-"live"/9f8e7d6c+5b4a=';
const denied = { code: "permission_denied" };

Deno.test("/secrets: names and what they are bound to, for those that may use them; a value for nobody", async () => {
  const { secrets, files, as, runtime, stop } = await world();
  await secrets.set("MINE", { value: VALUE, hosts: ["a.test"], agents: [ID] });
  await secrets.set("ALL", { value: VALUE, mounts: ["/compute"] });
  await secrets.set("THEIRS", { value: VALUE, hosts: ["a.test"], agents: [OTHER] });
  const names = async (files_: typeof files) => (await files_.list("/secrets")).map((e) => e.name);
  deepEqual(await names(files), ["ALL", "MINE"]);
  deepEqual(await names(await as("local")), ["ALL", "MINE"]);
  const other = await runtime.files(OTHER, { viewer: "operator", name: "operator" });
  deepEqual(await names(other), ["ALL", "THEIRS"]);
  const info = JSON.parse(await readText(files, "/secrets/MINE"));
  deepEqual(Object.keys(info).sort(), ["agents", "created_at", "hosts", "mounts", "name"]);
  await rejects(readText(files, "/secrets/THEIRS"), { code: "not_found" });
  await stop();
});

Deno.test("/secrets: an operator sets and removes those of one agent; agents, local callers, and words for others change nothing", async () => {
  const tried: string[] = [];
  const made = await world({
    async onTrigger(ctx) {
      for (
        const run of [
          () => ctx.env.write("/secrets/NEW", JSON.stringify({ value: VALUE, hosts: ["a.test"] })),
          () => ctx.env.remove("/secrets/KEY"),
        ]
      ) await run().catch((error: { code: string }) => tried.push(error.code));
    },
  });
  const { secrets, files, as, stop } = made;
  await writeText(files, "/secrets/KEY", JSON.stringify({ value: VALUE, hosts: ["a.test"] }));
  deepEqual(secrets.list()[0]!.agents, [ID]);
  await writeText(files, "/secrets/KEY", "another-value\n", { type: "text/plain" });
  equal(secrets.redactor.text("another-value"), "[secret KEY]");
  const local = await as("local");
  await rejects(writeText(local, "/secrets/KEY", "{}"), denied);
  await rejects(local.remove("/secrets/KEY"), denied);
  await made.tick();
  deepEqual(tried, ["permission_denied", "permission_denied"]);
  await secrets.set("ALL", { value: VALUE, hosts: ["a.test"] });
  const change = JSON.stringify({ hosts: ["evil.test"] });
  await rejects(writeText(files, "/secrets/ALL", change), denied);
  await rejects(files.remove("/secrets/ALL"), denied);
  const broken = await writeText(files, "/secrets/KEY", `{"value":"${VALUE}`).then(
    () => undefined,
    (e) => e,
  );
  equal(broken?.code, "invalid_request");
  ok(!JSON.stringify([broken.message, broken.detail]).includes("sk-"));
  await files.remove("/secrets/KEY");
  deepEqual(secrets.list().map(({ name }) => name), ["ALL"]);
  await stop();
});

/** A server that gives back all that it was sent, in every way it can think of. */
function echo(request: string): string {
  const [, body = ""] = request.split("\r\n\r\n");
  const sent = /^x-key: (.*)\r$/m.exec(request)?.[1] ?? body;
  const said = {
    sent,
    body,
    request,
    twice: JSON.stringify({ sent }),
    address: encodeURIComponent(sent),
    base64: btoa(`user:${sent}`),
    hex: [...sent].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(""),
    [sent]: true,
  };
  return fine(
    JSON.stringify(said),
    `x-said: ${sent}\r\nset-cookie: s=${encodeURIComponent(sent)}\r\n`,
  );
}

const SPELLINGS = [
  VALUE,
  JSON.stringify(VALUE).slice(1, -1),
  JSON.stringify(JSON.stringify(VALUE)).slice(3, -3),
  encodeURIComponent(VALUE),
  btoa(VALUE).slice(0, -4),
  btoa(`user:${VALUE}`).slice(8, -4),
  "9f8e7d6c",
  [..."9f8e7d6c"].map((c) => c.charCodeAt(0).toString(16)).join(""),
];

interface Asked {
  readonly asked: object;
  readonly fails?: boolean;
}

function mustBeNowhere(text: string): void {
  for (const spelling of SPELLINGS) {
    const at = text.indexOf(spelling);
    ok(at < 0, `${spelling} in ${text.slice(Math.max(0, at - 200), at + 200)}`);
  }
}

Deno.test("a secret goes out in a header and a body, and comes back to nobody: not in answers, files, rows, traces, errors or exports", () => {
  const answers: unknown[] = [];
  return inWorld(echo, async (w, { url, seen, port }) => {
    await w.secrets.set("KEY", { value: VALUE, hosts: [`127.0.0.1:${port}`], agents: [ID] });
    const asked = {
      method: "POST",
      url: `${url}/x`,
      headers: { "X-Key": "{{secret:KEY}}" },
      body: "key={{secret:KEY}}&again={{secret:KEY}}",
    };
    const answer = await w.ask(asked);
    match(seen[0]!, /^x-key: sk-"live"\/9f8e7d6c\+5b4a=\r$/m);
    ok(seen[0]!.endsWith(`key=${VALUE}&again=${VALUE}`));
    match(answer.body!, /\[secret KEY\]/);
    answers.push(answer, await w.tick({ asked }), await w.tick({ asked, fails: true }));
    const job = JSON.parse(await callText(w.files, "/http/new", JSON.stringify(asked)));
    equal((await w.ended(job.job_id)).status, "complete");
    answers.push(await readText(w.files, `/http/jobs/${job.job_id}/result`));
    mustBeNowhere(JSON.stringify(answers));
    const everything = await w.everything();
    match(everything, /failed with [^]{0,2000}\[secret KEY\]/);
    mustBeNowhere(everything);
    equal(seen.length, 4);
  }, {
    async onTrigger(ctx, trigger) {
      if (trigger.type !== "message" || trigger.payload.kind !== "json") return;
      const { asked, fails } = trigger.payload.data as unknown as Asked;
      const answer = await ctx.env.call("/http/new", JSON.stringify({ ...asked, wait: true }));
      const said = JSON.stringify(answer);
      ctx.log.info(said);
      await ctx.env.write("/files/said", said);
      (ctx.state as Record<string, unknown>).said = said;
      await ctx.broadcast("said", said);
      await ctx.reply(said);
      if (fails) throw new Error(`failed with ${said}`);
    },
  });
});

Deno.test("a secret is sent only where it is bound to: not elsewhere, not for others, not under another word, not in an address", () =>
  inWorld(() => fine("x"), async ({ secrets, ask, runtime }, { url, port, seen }) => {
    await secrets.set("HERE", { value: VALUE, hosts: [`127.0.0.1:${port}`], agents: [OTHER] });
    await secrets.set("THERE", { value: VALUE, hosts: ["api.example.com"] });
    await secrets.set("MODEL", { value: VALUE, mounts: ["/compute"] });
    await secrets.set("LINES", { value: `${VALUE}\nline two`, hosts: [`127.0.0.1:${port}`] });
    const headers = (reference: string) => ({
      url,
      headers: { "x-key": `{{secret:${reference}}}` },
    });
    for (const name of ["HERE", "THERE", "MODEL"]) await rejects(ask(headers(name)), denied, name);
    await rejects(ask(headers("NONE")), { code: "not_found" });
    const lines = await ask(headers("LINES")).then(() => undefined, (error) => error);
    equal(lines?.code, "invalid_request");
    ok(!String(lines.detail).includes("sk-"));
    const bad = [
      headers("here"),
      { url, headers: { "x-key": "{{secret: HERE}}" } },
      { url: `${url}/{{secret:THERE}}` },
      { url: `${url}/%7B%7Bsecret:THERE}}` },
      { url, headers: { "{{secret:THERE}}": "x" } },
    ];
    for (const request of bad) {
      await rejects(ask(request), { code: "invalid_request" }, JSON.stringify(request));
    }
    await rejects(ask({ url, method: "POST", body: "{{secret:THERE}}" }), denied);
    deepEqual(seen, []);
    const other = await runtime.files(OTHER, { viewer: "operator", name: "operator" });
    const policy = { allowed_hosts: ["127.0.0.1:*"], private_addresses: ["127.0.0.1"] };
    await writeText(other, "/http/policy", JSON.stringify(policy));
    await callText(other, "/http/new", JSON.stringify({ ...headers("HERE"), wait: true }));
    equal(seen.length, 1);
  }));

Deno.test("an answer that is cut shows no beginning of a secret, wherever it is cut", () =>
  inWorld(
    (request) => fine(`${"a".repeat(40)}${/^x-key: (.*)\r$/m.exec(request)![1]}${"b".repeat(40)}`),
    async ({ secrets, ask }, { url, port }) => {
      const value = "0123456789-value";
      await secrets.set("KEY", { value, hosts: [`127.0.0.1:${port}`] });
      for (let max = 38; max < 62; max++) {
        const { body, truncated } = await ask({
          url,
          headers: { "x-key": "{{secret:KEY}}" },
          max_bytes: max,
        });
        ok(truncated);
        match(
          body!,
          /^a+(?:\[(?:s(?:e(?:c(?:r(?:e(?:t(?: (?:K(?:E(?:Y(?:\](?:b*))?)?)?)?)?)?)?)?)?)?)?)?$/,
        );
      }
    },
  ));

Deno.test("an answer of which not all is read shows no beginning of a secret, however short the marks make it", () => {
  const value = "0123456789-value-".repeat(4);
  return inWorld((request) => fine(/^x-key: (.*)\r$/m.exec(request)![1]!.repeat(500)), async (
    { secrets, ask },
    { url, port },
  ) => {
    await secrets.set("KEY", { value, hosts: [`127.0.0.1:${port}`] });
    for (let max = 400; max < 450; max++) {
      const headers = { "x-key": "{{secret:KEY}}" };
      const { body, truncated } = await ask({ url, headers, max_bytes: max });
      ok(truncated);
      equal(body!.replaceAll("[secret KEY]", "").replace(/^\[[a-zA-Z ]*$/, ""), "");
    }
  });
});

Deno.test("a server that sends on to a secret, cut at any place, is told of without any of it", () => {
  const value = "abcdef0123456789abcdef";
  const said: string[] = [];
  return inWorld((request) => {
    const to = /^x-to: (.*)\r$/m.exec(request)![1]!;
    return `HTTP/1.1 302 Go\r\nlocation: ${to}\r\ncontent-length: 0\r\n\r\n`;
  }, async ({ secrets, ask }, { url, port }) => {
    await secrets.set("KEY", { value, hosts: [`127.0.0.1:${port}`] });
    const places = [
      "{{secret:KEY}}:x",
      "http://{{secret:KEY}}.test/",
      "http://{{secret:KEY}}@x.test/",
      ...Array.from({ length: 24 }, (_, i) => `http://[${"x".repeat(i + 55)}{{secret:KEY}}`),
    ];
    for (const to of places) {
      for (const method of ["GET", "POST"]) {
        const told = await ask({ url, method, headers: { "x-to": to } })
          .then(JSON.stringify, (error) => JSON.stringify([error.message, error.detail]));
        said.push(told);
      }
    }
    for (const text of said) ok(!text.toLowerCase().includes("abcd"), text);
    equal(said.length, 2 * places.length);
  });
});
