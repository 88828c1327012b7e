/** What a server refuses, whom it lets in, what it needs, and what it leaves. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { BINARY, type Ended, ofBinary, run } from "./program.ts";
import { inPlace } from "./server.ts";

function fails({ code, out, err }: Ended, wanted: number, line: RegExp): void {
  equal(code, wanted, err);
  equal(out, "");
  match(err, line);
  equal(err.trimEnd().split("\n").length, 1, `more than one line: ${err}`);
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

/** Sends the beginning of a file, and nothing more. */
async function beginUpload(url: string): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
  const head =
    "PUT /agents/abc/files/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
  await connection.write(new TextEncoder().encode(head + "begun"));
  return connection;
}

const ANY_PORT = ["--listen", "127.0.0.1:0"];

Deno.test("a second server on the same data directory is refused by the name of the first", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    const line = new RegExp(
      `^error: \\./\\.agentd is used by pid ${first.pid} \\(agentd at ${first.url}\\)\\. Stop it with "kill ${first.pid}"`,
    );
    fails(await place.run(["dev", ...ANY_PORT]), 1, line);
    fails(await place.run(["serve", ...ANY_PORT, "--home", ".agentd"]), 1, line);
    equal((await place.run(["send", "abc", "still there?", "--wait"])).out, "still there?\n");
    await first.stop();
    // Free again.
    await (await place.serve()).stop();
  });
});

Deno.test("a port that is taken: one line, and a free one to try", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    const taken = new URL(first.url).port;
    const second = await place.run(["serve", "--home", "other", "--listen", `127.0.0.1:${taken}`]);
    fails(
      second,
      1,
      /is used by (pid \d+ \(.+\)|another program)\. Try --listen 127\.0\.0\.1:\d+$/m,
    );
    const free = /--listen (\S+)$/m.exec(second.err)![1]!;
    // What was begun was given back: the same directory serves at once.
    const third = await place.serve(["serve", "--home", "other", "--listen", free]);
    equal(third.url, `http://${free}`);
  });
});

Deno.test("exit codes: usage, not found, refused, not reachable", async () => {
  await inPlace(async (place) => {
    const env = { HOME: place.dir };
    fails(
      await place.run(["list"], { env }),
      5,
      /^error: No server is running in .*\. Start one: .* dev; or say where it is: --url URL$/m,
    );
    fails(
      await place.run(["list", "--url", "http://127.0.0.1:9"]),
      5,
      /^error: No answer from http:\/\/127\.0\.0\.1:9 \(/,
    );
    fails(await place.run(["lsit"]), 2, /^error: Unknown command lsit\. Did you mean list\?$/m);
    fails(await place.run(["status", "Not An Id"]), 2, /an agent id is 1 to 63 of a-z/);
    fails(await place.run(["serve", "--listen", "nowhere"], { env }), 2, /not HOST:PORT/);
    await place.serve();
    fails(await place.run(["status", "nobody"]), 3, /no such agent/);
    fails(await place.run(["list", "--token", "wrong"]), 4, /auth_required/);
    fails(await place.run(["create", "bob", "nobody"]), 3, /no built-in agent "nobody"/);
    const told = await place.run(["status", "nobody", "--json"]);
    deepEqual([told.code, told.out], [3, ""]);
    const { error } = JSON.parse(told.err);
    deepEqual([error.code, error.exit], ["not_found", 3]);
  });
});

Deno.test("who holds the token is the operator; who does not is a local caller, or nobody", async () => {
  await inPlace(async (place) => {
    const served = await place.serve();
    const token = Deno.readTextFileSync(`${place.dir}/.agentd/token`).trim();
    equal(Deno.statSync(`${place.dir}/.agentd/token`).mode! & 0o777, 0o600);
    equal(Deno.statSync(`${place.dir}/.agentd`).mode! & 0o777, 0o700);

    // From a folder where no data directory is, and nothing of its token.
    const elsewhere = { cwd: "/", env: { AGENTD_URL: served.url } };
    equal((await run(["list", "--json"], elsewhere)).code, 0);
    fails(
      await run(["delete", "abc"], elsewhere),
      4,
      /^error: Cannot delete abc: .*permission_denied/,
    );
    const withToken = { cwd: "/", env: { ...elsewhere.env, AGENTD_TOKEN: token } };
    equal((await run(["pause", "--all"], withToken)).code, 0);
    equal((await run(["resume", "--all"], withToken)).code, 0);
    await served.stop();

    const strict = await place.serve(["dev", ...ANY_PORT, "--require-token"]);
    fails(await run(["list"], { cwd: "/", env: { AGENTD_URL: strict.url } }), 4, /auth_required/);
    equal((await place.run(["list"])).code, 0);
    equal(Deno.readTextFileSync(`${place.dir}/.agentd/token`).trim(), token);
  });
});

Deno.test("the token goes to the data directory's own server and to nobody else", async () => {
  await inPlace(async (place) => {
    const seen: (string | null)[] = [];
    const answer = (request: Request) => {
      seen.push(request.headers.get("authorization"));
      return Response.json({ agents: [] });
    };
    const stranger = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
    const first = await place.serve();
    const url = `http://127.0.0.1:${stranger.addr.port}`;
    equal((await place.run(["list", "--url", url])).code, 0);
    equal((await place.run(["list"], { env: { AGENTD_URL: url } })).code, 0);
    deepEqual(seen, [null, null]);

    // Its own server's address, also as it is told to people, is no stranger's.
    const told = first.url.replace("127.0.0.1", "localhost");
    equal((await place.run(["pause", "--all", "--url", told])).code, 0);

    // A server that was killed leaves its note; whoever takes its port since gets nothing.
    await first.kill();
    const port = Number(new URL(first.url).port);
    const thief = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, answer);
    fails(await place.run(["list"]), 5, /No server is running/);
    equal((await place.run(["list", "--url", first.url])).code, 0);
    deepEqual(seen, [null, null, null]);
    await Promise.all([stranger.shutdown(), thief.shutdown()]);
  });
});

Deno.test("over a socket of its owner's alone", async () => {
  await inPlace(async (place) => {
    const served = await place.serve(["dev", "--listen", "unix:a.sock"]);
    equal(served.url, `unix:${place.dir}/a.sock`);
    equal(Deno.statSync(`${place.dir}/a.sock`).mode! & 0o777, 0o600);
    equal((await place.run(["send", "abc", "hi", "--wait"])).out, "hi\n");
    // Whoever can open it is the operator.
    const bare = { cwd: "/", env: { AGENTD_URL: served.url } };
    equal((await run(["delete", "abc"], bare)).code, 0);
    fails(
      await place.run(["serve", "--home", "b", "--listen", "unix:a.sock"]),
      1,
      /is used by another program/,
    );
    await served.kill();
    const again = await place.serve(["dev", "--listen", "unix:a.sock"]);
    equal((await again.stop()).code, 0);
    deepEqual([...Deno.readDirSync(place.dir)].map((e) => e.name).sort(), [".agentd", "b"]);
  });
});

Deno.test("off this machine the token is asked for, and that is said", async () => {
  await inPlace(async (place) => {
    const open = place.start([
      "serve",
      "--home",
      "data",
      "--listen",
      "0.0.0.0:0",
      "--allow-host",
      "my.host",
    ]);
    await open.line(/^agentd /);
    match(
      await open.line(/token/),
      /^others can reach it: every request needs the token in \.\/data\/token$/,
    );
    const { url } = JSON.parse(Deno.readTextFileSync(`${place.dir}/data/server.json`));
    equal(await statusOf(`${url}/agents`), 401);
    equal((await place.run(["list", "--home", "data"])).code, 0);
    const asked = async (host: string) => {
      const connection = await Deno.connect({
        hostname: "127.0.0.1",
        port: Number(new URL(url).port),
      });
      const request = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      await connection.write(new TextEncoder().encode(request));
      return (await new Response(connection.readable).text()).slice(9, 12);
    };
    deepEqual([await asked("my.host"), await asked("evil.example")], ["200", "403"]);
    open.kill("SIGTERM");
    equal((await open.ended).code, 0);
  });
});

Deno.test("settings: from the file, over it the environment, over that flags; a misspelt one is refused", async () => {
  await inPlace(async (place) => {
    Deno.mkdirSync(`${place.dir}/.agentd`);
    const settings = (text: string) =>
      Deno.writeTextFileSync(`${place.dir}/.agentd/agentd.jsonc`, text);
    settings('{ "require_token": true, // for everybody\n "listen": "127.0.0.1:0", }');
    const served = await place.serve(["serve"]);
    equal(await statusOf(`${served.url}/agents`), 401);
    await served.stop();
    const open = await place.serve(["serve"], { env: { AGENTD_REQUIRE_TOKEN: "0" } });
    equal(await statusOf(`${open.url}/agents`), 200);
    await open.stop();
    settings('{ "require_tokn": true }');
    fails(
      await place.run(["serve"]),
      2,
      /there is no setting "require_tokn"\. Did you mean require_token\?$/m,
    );
  });
});

Deno.test("an empty environment is enough", async () => {
  await inPlace(async (place) => {
    fails(await place.run(["list"], { env: {} }), 2, /Say --home DIR, or set AGENTD_HOME\.$/m);
    await place.serve(["dev", ...ANY_PORT], { env: {} });
    equal((await place.run(["send", "abc", "hi", "--wait"], { env: {} })).out, "hi\n");
  });
});

const linux = needs(Deno.build.os === "linux" ? undefined : "/proc is where nobody can write");

linux("a folder that cannot be written is no data directory, and no hindrance either", async () => {
  await inPlace(async (place) => {
    const there = await place.run(["dev", ...ANY_PORT], { cwd: "/proc" });
    fails(there, 1, /^error: Cannot .*\.agentd.*: /);
    const served = await place.serve(["serve", ...ANY_PORT, "--home", `${place.dir}/data`], {
      cwd: "/proc",
    });
    const env = { AGENTD_HOME: `${place.dir}/data` };
    equal((await run(["create", "bob", "counter"], { cwd: "/proc", env })).code, 0);
    equal((await served.stop()).code, 0);
  });
});

Deno.test("a stop takes its time and no longer, and what was accepted is kept", async () => {
  await inPlace(async (place) => {
    const served = await place.serve(["dev", ...ANY_PORT, "--grace-ms", "200"]);
    equal((await place.run(["pause", "abc"])).code, 0);
    const at = `${served.url}/agents/abc`;
    // A body that never ends, a watch, and a wait for what does not come.
    const held = await beginUpload(served.url);
    const watch = await fetch(`${at}/stream`);
    const events = watch.text();
    const waiting = fetch(`${at}/send?wait=3600`, { method: "POST", body: "later" });
    await place.start(["watch", "abc/logs/trace", "--after", "0"]).line(/message_in/);
    const { code } = await served.stop();
    equal(code, 0);
    held.close();
    match(await events, /event: message_in/);
    const response = await waiting;
    deepEqual([response.status, (await response.json()).disposition], [202, "queued"]);
    const again = await place.serve();
    equal((await (await fetch(`${again.url}/agents/abc/status`)).json()).queue_depth, 1);
  });
});

Deno.test("a second signal ends it at once, and leaves nothing that looks like a server", async () => {
  await inPlace(async (place) => {
    const served = await place.serve(["dev", ...ANY_PORT, "--grace-ms", "600000"]);
    // A request whose body never ends holds the first stop up.
    const held = await beginUpload(served.url);
    equal((await place.run(["list"])).code, 0);
    served.running.kill("SIGTERM");
    await served.running.line(/^stopping/);
    served.running.kill("SIGTERM");
    equal((await served.running.ended).code, 0);
    held.close();
    const left = [...Deno.readDirSync(`${place.dir}/.agentd`)].map((e) => e.name);
    ok(!left.includes("pid") && !left.includes("server.json"), left.join(" "));
  });
});

Deno.test("a Ctrl-C that is told three times, as by a terminal and deno task, is one: it stops in order", async () => {
  await inPlace(async (place) => {
    const { running } = await place.serve(["dev", ...ANY_PORT]);
    for (let n = 0; n < 3; n++) running.kill("SIGINT");
    const { code, err } = await running.ended;
    equal(code, 0);
    match(err, /^stopping; /m);
    // A database that is closed has left no log of what is still to be written.
    const left = [...Deno.readDirSync(`${place.dir}/.agentd`)].map((e) => e.name);
    ok(left.includes("agentd.db") && !left.includes("agentd.db-wal"), left.join(" "));
  });
});

ofBinary("called as agentctl it is the client alone", async () => {
  await inPlace(async (place) => {
    Deno.symlinkSync(BINARY!, `${place.dir}/agentctl`);
    await place.serve();
    const program = `${place.dir}/agentctl`;
    equal((await place.run(["send", "abc", "hi", "--wait"], { program })).out, "hi\n");
    fails(await place.run(["serve"], { program }), 2, /Unknown command serve/);
    match((await place.run(["--help"], { program })).out, /^Usage: agentctl /);
  });
});
