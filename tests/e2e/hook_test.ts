/** `agentd hook` and the file of secrets, by the real program. */
import { equal, match, ok } from "../assert.ts";
import { inPlace } from "./server.ts";

async function signed(secret: string, body: string, delivery: string): Promise<RequestInit> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const raw = encoder.encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(body)));
  return {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-github-delivery": delivery,
      "x-hub-signature-256": `sha256=${signature.toHex()}`,
    },
  };
}

Deno.test("a hook is added, takes what is signed, outlives its server, and goes", async () => {
  await inPlace(async (place) => {
    const serve = ["dev", "--listen", "127.0.0.1:0", "--require-token"];
    const first = await place.serve(serve);
    const added = await place.run(["hook", "add", "gh", "abc"]);
    equal(added.code, 0, added.err);
    const secret = added.out.trim();
    match(secret, /^[\w-]{43}$/, "the secret is alone on standard output");
    match(added.err, /gh → abc · POST http:\/\/127\.0\.0\.1:\d+\/hooks\/gh · its secret is told/);
    ok(!added.err.includes("warning"), added.err);
    const early = await place.run(["hook", "add", "early", "bob"]);
    equal(early.code, 0);
    match(early.err, /^warning: there is no agent bob: what comes is refused until there is$/m);
    equal((await place.run(["hook", "rm", "early"])).code, 0);
    equal((await Deno.stat(`${place.dir}/.agentd/hook_secrets`)).mode! & 0o777, 0o600);
    const status = async (url: string, given: string, delivery: string) => {
      const answer = await fetch(`${url}/hooks/gh`, await signed(given, "{}", delivery));
      await answer.body?.cancel();
      return answer.status;
    };
    equal(await status(first.url, secret, "1"), 202);
    equal(await status(first.url, `${secret}x`, "2"), 401);
    const again = await place.run(["hook", "add", "gh", "abc"]);
    equal(again.out, "gh changed\n");
    match(again.err, /its secret stays$/m);
    const listed = await place.run(["hook", "list"]);
    match(
      listed.out,
      /^NAME +AGENT +SCHEME +SECRET +MADE +URL\ngh +abc +github +kept +\S+ +\/hooks\/gh\n$/,
    );
    for (const { out, err } of [again, listed, await place.run(["hook", "list", "--json"])]) {
      ok(!(out + err).includes(secret));
    }
    await first.stop();

    const second = await place.serve(serve);
    equal(await status(second.url, secret, "3"), 202);
    const own = "a secret from standard input";
    const input = `${own}\n`;
    const piped = await place.run(["hook", "add", "gh", "abc", "--secret", "-"], { input });
    equal(piped.out, "gh changed\n");
    equal(await status(second.url, secret, "4"), 401);
    equal(await status(second.url, own, "5"), 202);
    equal((await place.run(["hook", "rm", "gh"])).out, "gh removed\n");
    equal(await status(second.url, own, "6"), 401);
    ok(!(await Deno.readTextFile(`${place.dir}/.agentd/hook_secrets`)).includes(own));
    equal((await place.run(["hook", "rm", "gh"])).code, 3);
    const shown = await place.run(["hook", "add", "gh", "abc", "--secret", own]);
    equal(shown.code, 2);
    match(shown.err, /names where the secret is, and never the secret itself/);
    await second.stop();
  });
});

Deno.test("hooks of the settings name their secret, and a server that others may spy on does not start", async () => {
  await inPlace(async (place) => {
    const home = `${place.dir}/.agentd`;
    await Deno.mkdir(home, { mode: 0o700 });
    await Deno.writeTextFile(`${place.dir}/secret`, "the secret of this hook\n");
    const hook = { agent: "abc", scheme: "github", secret: { file: `${place.dir}/secret` } };
    await Deno.writeTextFile(`${home}/agentd.json`, JSON.stringify({ hooks: { gh: hook } }));
    const served = await place.serve();
    const init = await signed("the secret of this hook", "{}", "1");
    const answer = await fetch(`${served.url}/hooks/gh`, init);
    equal(answer.status, 202, await answer.text());
    match((await place.run(["hook", "list"])).out, /^gh +abc +github +file:\S+ +in settings/m);
    const removed = await place.run(["hook", "rm", "gh"]);
    equal(removed.code, 1);
    match(removed.err, /it stands in the server's settings/);
    await served.stop();

    const written = { ...hook, secret: "the secret of this hook" };
    await Deno.writeTextFile(`${home}/agentd.json`, JSON.stringify({ hooks: { gh: written } }));
    const refused = await place.run(["serve", "--listen", "127.0.0.1:0"]);
    equal(refused.code, 1);
    match(refused.err, /^error: .*hooks\.gh.*settings name it and do not have it/);
    ok(!refused.err.includes("the secret of this hook"));

    await Deno.writeTextFile(`${home}/agentd.json`, "{}");
    await Deno.writeTextFile(`${home}/hook_secrets`, '{"version":1,"hooks":{}}', { mode: 0o644 });
    await Deno.chmod(`${home}/hook_secrets`, 0o644);
    const spied = await place.run(["serve", "--listen", "127.0.0.1:0"]);
    match(spied.err, /^error: Other users may read .*hook_secrets\. Run chmod 600/);
  });
});
