/** Scoped tokens by the real program: made, used from elsewhere, and gone with what is open under them. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { type Ended, run, start } from "./program.ts";
import { inPlace, type Place, type Served } from "./server.ts";

/** Makes a token and gives it with its id. */
async function made(place: Place, ...args: string[]): Promise<{ id: string; token: string }> {
  const { code, out, err } = await place.run(["token", "create", ...args]);
  equal(code, 0, err);
  const [line, ...more] = out.trimEnd().split("\n");
  deepEqual(more, [], "the token is alone on standard output");
  match(err, /^told this once · may .* · revoke it: .* token revoke [0-9a-f]{12}\n$/);
  return { token: line!, id: /revoke ([0-9a-f]{12})\n$/.exec(err)![1]! };
}

/** A place where neither the data directory nor its token is. */
function elsewhere({ url }: Served, token?: string) {
  const env = { AGENTD_URL: url, ...(token === undefined ? {} : { AGENTD_TOKEN: token }) };
  return { cwd: "/", env };
}

function refused({ code, out, err }: Ended, line: RegExp): void {
  deepEqual([code, out], [4, ""], err);
  match(err, line);
}

Deno.test("a token goes as far as it was made to, and no further", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    equal((await place.run(["create", "bob", "counter"])).code, 0);
    const reader = await made(place, "--agent", "bob", "--can", "read", "--name", "eyes");
    const sender = await made(place, "--agent", "bob,abc", "--can", "send", "--expires", "30d");
    const all = await made(place, "--agent", "*", "--can", "operate");

    const eyes = elsewhere(served, reader.token);
    deepEqual(
      JSON.parse((await run(["list", "--json"], eyes)).out).map((a: { id: string }) => a.id),
      ["bob"],
    );
    equal(JSON.parse((await run(["cat", "bob/status"], eyes)).out).id, "bob");
    refused(await run(["send", "bob", "hi"], eyes), /permission_denied/);
    refused(await run(["cat", "abc/status"], eyes), /this token is for other agents/);
    refused(await run(["status"], eyes), /permission_denied/);

    const voice = elsewhere(served, sender.token);
    equal((await run(["send", "bob", "hi", "--wait"], voice)).out, "1\n");
    refused(await run(["tick", "bob"], voice), /permission_denied/);

    const hands = elsewhere(served, all.token);
    equal((await run(["tick", "abc"], hands)).code, 0);
    equal((await run(["write", "bob/files/x", "text"], hands)).code, 0);
    equal((await run(["status"], hands)).code, 0);
    refused(await run(["delete", "bob"], hands), /only operator may delete an agent/);
    refused(await run(["token", "list"], hands), /make or revoke tokens/);
    refused(await run(["export", "bob", "-o", "-"], hands), /permission_denied/);
    refused(
      await run(["token", "create", "--agent", "bob", "--can", "read"], elsewhere(served)),
      /./,
    );

    const listed = await place.run(["token", "list"]);
    match(listed.out, /^ID +NAME +CAN +AGENTS +MADE +EXPIRES\n/);
    match(listed.out, new RegExp(`${reader.id}  eyes  read +bob .* never\\n`));
    match(listed.out, new RegExp(`${sender.id}  -     send +bob, abc .* in 29 d\\n`));
    match(listed.out, new RegExp(`${all.id}  -     operate  all agents .* never\\n`));
    for (const { token } of [reader, sender, all]) ok(!listed.out.includes(token));

    const gone = await place.run(["token", "revoke", reader.id]);
    deepEqual([gone.code, gone.out], [0, `${reader.id} revoked\n`]);
    refused(await run(["list"], eyes), /auth_required/);
    const twice = await place.run(["token", "revoke", reader.id]);
    equal(twice.code, 3);
    match(twice.err, /^error: Cannot revoke [0-9a-f]{12}: no such token/);

    await served.stop();
    const again = await place.serve();
    equal(
      (await run(["list"], elsewhere(again, sender.token))).code,
      0,
      "tokens outlast a restart",
    );
    refused(await run(["list"], elsewhere(again, reader.token)), /auth_required/);
  });
});

Deno.test("what is followed under a token ends when it is revoked", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    const { id, token } = await made(place, "--agent", "abc", "--can", "read");
    const follower = start(["logs", "abc", "--follow"], elsewhere(served, token));
    await follower.line(/lifecycle/);
    equal((await place.run(["token", "revoke", id])).code, 0);
    const { code, err } = await follower.ended;
    equal(code, 4, err);
    match(err, /auth_required|revoked/);
  });
});

Deno.test("what comes through a proxy is asked for its token, whatever its address", async () => {
  await inPlace(async (place) => {
    const { url } = await place.serve();
    const { token } = await made(place, "--agent", "*", "--can", "read");
    const asked = async (headers: Record<string, string>) => {
      const answer = await fetch(`${url}/agents`, { headers });
      await answer.text();
      return answer.status;
    };
    const through = { "x-forwarded-for": "203.0.113.9" };
    equal(await asked({}), 200);
    equal(await asked(through), 401);
    equal(await asked({ forwarded: "for=203.0.113.9" }), 401);
    equal(await asked({ ...through, authorization: `Bearer ${token}` }), 200);
    equal(await asked({ authorization: `Bearer ${token}x` }), 401);
  });
});

Deno.test("a token that makes no sense is not asked for", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const says = async (args: string[], code: number, line: RegExp) => {
      const ended = await place.run(["token", ...args]);
      equal(ended.code, code, ended.err);
      match(ended.err, line);
      equal(ended.err.trimEnd().split("\n").length, 1, ended.err);
    };
    await says(["create", "--can", "read"], 2, /^error: For which agents\? /);
    await says(["create", "--agent", "bob"], 2, /^error: What may it do\? --can is one of read, /);
    await says(["create", "--agent", "bob", "--can", "all"], 2, /--can/);
    await says(["create", "--agent", "No!", "--can", "read"], 2, /--agent No!: an agent id is/);
    await says(["create", "--agent", "*,bob", "--can", "read"], 2, /name no others beside it/);
    await says(
      ["create", "--agent", "bob", "--can", "read", "--expires", "soon"],
      2,
      /"soon" is no span of time/,
    );
    await says(
      ["create", "--agent", "bob", "--can", "read", "--name", "operator"],
      1,
      /no token is called operator/,
    );
    await says(["revoke"], 2, /^error: Which token\? /);
    await says(["crate"], 2, /Did you mean create\?$/m);
    equal((await place.run(["token"])).out.startsWith("No tokens. Make one: "), true);
  });
});
