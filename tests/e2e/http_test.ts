/** `/http` by the real program with the permissions it is given: an agent reaches what an operator allowed, with a secret that is in no file, log, backup or export. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { inPlace, type Place } from "./server.ts";

const VALUE = "value-of-the-secret-0123";

async function done(place: Place, args: readonly string[], input?: string): Promise<string> {
  const { code, out, err } = await place.run(args, input === undefined ? {} : { input });
  equal(code, 0, err);
  ok(!(out + err).includes(VALUE), out + err);
  return out;
}

async function filesBelow(dir: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (isDirectory) found.push(...await filesBelow(`${dir}/${name}`));
    else found.push(`${dir}/${name}`);
  }
  return found;
}

Deno.test("an agent's request goes out with its secret, and nothing that is kept or told has it", async () => {
  const seen: string[] = [];
  const echo = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const said = request.headers.get("authorization") ?? "nothing";
    seen.push(said);
    return Response.json({ said, body: await request.text() }, { headers: { "x-said": said } });
  });
  const { port } = echo.addr;
  const host = `127.0.0.1:${port}`;
  try {
    await inPlace(async (place) => {
      const served = await place.serve();
      await done(place, ["secret", "set", "API_KEY", "--host", host], VALUE);
      const code = `export default {
        name: "caller",
        async onTrigger(ctx, trigger) {
          if (trigger.type !== "message") return;
          const answer = await ctx.env.call("/http/new", JSON.stringify({
            method: "POST",
            url: trigger.text,
            headers: { authorization: "Bearer {{secret:API_KEY}}" },
            body: "key={{secret:API_KEY}}",
            wait: true,
          }));
          ctx.log.info(JSON.stringify(answer));
          await ctx.env.write("/files/answer", JSON.stringify(answer));
          await ctx.reply(answer.body);
        },
      };`;
      await Deno.writeTextFile(`${place.dir}/caller.js`, code);
      await done(place, ["create", "bob", "caller.js"]);
      const ask = ["send", "bob", `http://${host}/x`, "--wait"];
      const look = [
        "call",
        "bob/http/new",
        JSON.stringify({ url: `http://${host}/x`, wait: true }),
      ];
      const refused = await place.run(look);
      match(refused.out + refused.err, /not among the allowed_hosts/);
      const policy = { allowed_hosts: [host], methods: ["GET", "POST"] };
      await done(place, ["write", "bob/http/policy", JSON.stringify(policy)]);
      const inside = await place.run(look);
      match(inside.out + inside.err, /127\.0\.0\.1, a loopback address, which is refused unless/);
      deepEqual(seen, []);
      const listed = JSON.stringify({ private_addresses: ["127.0.0.1"] });
      await done(place, ["write", "bob/http/policy", listed]);
      const said = await done(place, ask);
      deepEqual(seen, [`Bearer ${VALUE}`]);
      match(said, /Bearer \[secret API_KEY\]/);
      match(said, /key=\[secret API_KEY\]/);
      match(await done(place, ["cat", "bob/secrets/API_KEY"]), /"name":\s*"API_KEY"/);
      await done(place, ["logs", "bob", "--tail", "500", "--json"]);
      await done(place, ["export", "bob"]);
      await done(place, ["backup", "copy.db"]);
      const { out, err } = await served.stop();
      ok(!(out + err).includes(VALUE), out + err);
      for (const path of await filesBelow(place.dir)) {
        const text = new TextDecoder("latin1").decode(await Deno.readFile(path));
        for (const form of [VALUE, btoa(VALUE), btoa(`Bearer ${VALUE}`).slice(12, -4)]) {
          ok(!text.includes(form), `${path} holds ${form}`);
        }
      }
    });
  } finally {
    await echo.shutdown();
  }
});

Deno.test("a name of this machine's own table is looked up with the permissions of the task", async () => {
  const here = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => new Response(request.headers.get("host")),
  );
  const { port } = here.addr;
  try {
    await inPlace(async (place) => {
      await place.serve();
      const policy = { allowed_hosts: [`localhost:${port}`], private_addresses: ["127.0.0.1"] };
      await done(place, ["write", "abc/http/policy", JSON.stringify(policy)]);
      const request = JSON.stringify({ url: `http://localhost:${port}/`, wait: true });
      const answer = JSON.parse(await done(place, ["call", "abc/http/new", request]));
      deepEqual([answer.status, answer.body], [200, `localhost:${port}`]);
      const tls = JSON.stringify({ url: `https://localhost:${port}/`, wait: true });
      const { code, err } = await place.run(["call", "abc/http/new", tls]);
      ok(code !== 0);
      match(err, /localhost was not reached/);
    });
  } finally {
    await here.shutdown();
  }
});
