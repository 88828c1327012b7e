/** The verbs, each by the real program against a real server. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { command, type Ended } from "./program.ts";
import { inPlace, type Place } from "./server.ts";

/** Runs a verb that must be done; gives its standard output. */
function doing(place: Place) {
  return async (...args: string[]): Promise<string> => {
    const { code, out, err } = await place.run(args);
    equal(code, 0, `${args.join(" ")}: ${err}`);
    return out;
  };
}

function fails({ code, out, err }: Ended, wanted: number, line: RegExp): void {
  equal(code, wanted, err);
  equal(out, "");
  match(err, line);
  equal(err.trimEnd().split("\n").length, 1, `more than one line: ${err}`);
  ok(!err.includes("\x1b"), "colour in a pipe");
}

Deno.test("an agent from its creation to its end", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    match(await agentd("create", "bob", "counter"), /^bob created {3}counter · npub1/);
    match(await agentd("create", "bob", "counter"), /^bob is there already/);

    fails(await place.run(["create", "bob", "echo"]), 1, /^error: Cannot create bob: .*another id/);
    fails(
      await place.run(["create", "x", "y"]),
      3,
      /^error: Cannot create x: .* its file: \.\/y\//,
    );
    fails(await place.run(["send", "bob"]), 2, /^error: There is no message\. /);
    fails(await place.run(["cat", "bob"]), 1, /\(is_directory\)\. The command ls lists it\.$/m);

    const first = await place.run(["send", "bob", "hello", "--wait"]);
    deepEqual([first.code, first.out], [0, "1\n"]);
    match(first.err, /^tick 1 · \d+ (ms|s)\n$/);
    match(await agentd("send", "bob", "again"), /^queued {3}env_/);
    const waited = JSON.parse(await agentd("send", "bob", "--wait", "--json", "third"));
    deepEqual(waited.replies, [{ kind: "text", text: "3" }]);
    equal(waited.tick.success, true);

    match(await agentd("list"), /^ID +AGENT +STATE.*\nabc +echo .*\nbob +counter +active +3 /);
    deepEqual(JSON.parse(await agentd("list", "--json")).map((a: { id: string }) => a.id), [
      "abc",
      "bob",
    ]);
    match(await agentd("status", "bob"), /^agent +bob \(counter\) +active\n/);
    equal(JSON.parse(await agentd("cat", "bob/status")).tick_count, 3);
    equal(JSON.parse(await agentd("cat", "bob/state")).count, 3);
    match(await agentd("tick", "bob"), /^bob ticked/);

    equal(await agentd("pause", "bob"), "bob paused\n");
    fails(await place.run(["tick", "bob"]), 1, /^error: Cannot tick bob: it is paused; resume it/);
    match(await agentd("send", "bob", "while paused"), /^queued/);
    equal(await agentd("resume", "bob"), "bob resumed\n");
    equal(await agentd("send", "bob", "after", "--wait"), "5\n");
    equal(await agentd("hibernate", "bob"), "bob sleeps\n");
    equal(JSON.parse(await agentd("status", "bob", "--json")).state, "dormant");
    match(await agentd("status"), /^agents +2 · 1 active · 0 ticking · 0 due$/m);
    equal(await agentd("wake", "bob"), "bob is awake\n");
    equal(JSON.parse(await agentd("status", "bob", "--json")).state, "active");

    equal(await agentd("pause", "--all"), "all agents paused\n");
    equal(JSON.parse(await agentd("status", "--json")).paused, true);
    equal(await agentd("resume", "--all"), "all agents resumed\n");

    equal(await agentd("delete", "bob"), "bob deleted\n");
    fails(await place.run(["status", "bob"]), 3, /^error: Cannot look at bob: no such agent/);
  });
});

Deno.test("the files of an agent", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    equal(await agentd("ls"), "abc/\n");
    const root = (await agentd("ls", "abc/")).split("\n");
    for (const name of ["ctl", "files/", "goals/", "inbox/", "kv/", "logs/", "outbox", "status"]) {
      ok(root.includes(name), name);
    }
    equal(await agentd("write", "abc/files/notes/x y.txt", "one", "two"), "");
    equal(await agentd("cat", "abc/files/notes/x y.txt"), "one two");
    equal(await agentd("write", "--append", "/agents/abc/files/notes/x y.txt", "!"), "");
    equal(await agentd("cat", "abc/files/notes/x y.txt", "--offset", "4", "--length", "4"), "two!");
    match(await agentd("ls", "-l", "abc/files/notes/"), /^NAME +SIZE +MODIFIED\nx y\.txt +8 B +/);

    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) % 251);
    const put = await place.run(["write", "abc/files/big.bin"], { input: bytes });
    equal(put.code, 0, put.err);
    const { entries } = { entries: JSON.parse(await agentd("ls", "abc/files/", "--json")) };
    deepEqual(entries.map((e: { name: string; size?: number }) => [e.name, e.size]), [
      ["big.bin", bytes.length],
      ["notes", undefined],
    ]);
    const part = JSON.parse(
      await agentd("cat", "abc/files/big.bin", "--offset", "1000000", "--length", "3", "--json"),
    );
    equal(part.base64, bytes.slice(1_000_000, 1_000_003).toBase64());

    await agentd("rm", "-r", "abc/files/notes");
    fails(
      await place.run(["cat", "abc/files/notes/x y.txt"]),
      3,
      /^error: Cannot .* abc\/files\/notes\/x y\.txt: not_found/,
    );
    fails(await place.run(["ls", "abc/none/"]), 3, /not_found/);
    fails(
      await place.run(["write", "abc/status", "x"]),
      1,
      /^error: Cannot open abc\/status: .*not_supported/,
    );

    const data = "what I say";
    const sig = (await agentd("call", "abc/identity/sign", data)).trim();
    match(sig, /^[0-9a-f]{128}$/);
    const pubkey = (await agentd("cat", "abc/identity/pubkey")).trim();
    const asked = JSON.stringify({ data, sig, pubkey });
    const verified = await place.run(["call", "abc/identity/verify", "-"], { input: asked });
    deepEqual(JSON.parse(verified.out), { valid: true });
  });
});

Deno.test("goals and dead letters", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    equal(await agentd("goals", "abc"), "No goals.\n");
    equal(
      await agentd("goals", "abc", "add", "learn", "to", "count"),
      "g1   active · 0% · learn to count\n",
    );
    match(await agentd("goals", "abc", "add", "rest"), /^g2 /);
    equal(
      await agentd("goals", "abc", "progress", "g1", "50%"),
      "g1   active · 50% · learn to count\n",
    );
    match(await agentd("goals", "abc", "done", "g1"), /^g1 {3}completed · 100%/);
    match(await agentd("goals", "abc", "drop", "g2"), /^g2 {3}abandoned/);
    await agentd("goals", "abc", "rm", "g2");
    match(await agentd("goals", "abc"), /^ID +STATUS .*\ng1 +completed +100% .*learn to count\n$/);
    fails(await place.run(["goals", "abc", "done", "g9"]), 3, /no such goal/);
    fails(await place.run(["goals", "abc", "dnoe"]), 2, /Did you mean done\?/);

    equal(await agentd("deadletter", "abc"), "abc has no dead letters.\n");
    const overflow = { max_depth: 1, policy: "dead_letter", dead_letter_max: 10 };
    await agentd("write", "abc/inbox/overflow", JSON.stringify(overflow));
    await agentd("pause", "abc");
    await agentd("send", "abc", "fits");
    fails(
      await place.run(["send", "abc", "too much", "--id", "late"]),
      1,
      /abc's inbox is full: late went to its dead letters\. Put it back with: .* deadletter abc replay late$/m,
    );
    match(await agentd("deadletter", "abc"), /^ENVELOPE .*\nlate +http:operator +overflow /);
    equal(JSON.parse(await agentd("deadletter", "abc", "show", "late")).envelope.id, "late");
    await agentd("resume", "abc");
    equal(await agentd("send", "abc", "fits", "--wait"), "fits\n");
    equal(await agentd("deadletter", "abc", "replay", "all"), "1 message back in the inbox\n");
    equal(await agentd("send", "abc", "too much", "--id", "late", "--wait"), "too much\n");
    fails(await place.run(["deadletter", "abc", "discard", "late"]), 3, /not_found/);
  });
});

Deno.test("logs and watches follow what happens, and Ctrl-C ends them", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    await agentd("create", "bob", "counter");
    const logs = place.start(["logs", "bob", "--follow"]);
    await logs.line(/lifecycle +state=created/);
    const json = place.start(["logs", "bob", "--follow", "--json"]);
    await json.line(/"state":"created"/);
    const outbox = place.start(["watch", "bob/outbox", "--after", "0"]);
    const values = place.start(["watch", "bob/state", "--json"]);
    await agentd("send", "bob", "hi", "--wait");
    match(
      await logs.line(/message_in/),
      /^\d\d:\d\d:\d\d\.\d{3} {2}message_in {4}from http:operator {2}"hi"$/,
    );
    match(await logs.line(/message_out/), /to http:operator {2}"1"$/);
    match(await logs.line(/tick_end/), /tick_end {6}\d+ ms$/);
    equal(JSON.parse(await json.line(/tick_end/)).success, true);
    match(await outbox.line(/reply/), /^1 {2}\S+ {2}reply {2}\{.*"text":"1"/);
    for (const program of [logs, json, outbox, values]) program.kill("SIGINT");
    for (const program of [logs, json, outbox, values]) {
      const { code, err } = await program.ended;
      deepEqual([code, err], [130, ""]);
    }
    const kept = (await agentd("logs", "bob", "--tail", "3", "--json")).trim().split("\n");
    equal(kept.length, 3);
    equal(JSON.parse(kept[2]!).type, "tick_end");
  });
});

Deno.test("a follower goes on when its server comes back", async () => {
  await inPlace(async (place) => {
    const first = await place.serve();
    const port = new URL(first.url).port;
    const logs = place.start(["logs", "abc", "--follow", "--json"]);
    await logs.line(/"state":"created"/);
    await first.kill();
    await place.serve(["dev", "--listen", `127.0.0.1:${port}`]);
    const { code } = await place.run(["send", "abc", "back again", "--wait"]);
    equal(code, 0);
    const seen = JSON.parse(await logs.line(/message_in/));
    deepEqual(seen.payload, { kind: "text", text: "back again" });
    logs.kill("SIGINT");
    await logs.ended;
  });
});

Deno.test("waiting for what does not come: Ctrl-C at once, and a time limit that says how to ask again", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const agentd = doing(place);
    await agentd("pause", "abc");
    const waiting = place.start(["send", "abc", "hello", "--wait", "--id", "first"]);
    const watch = place.start(["watch", "abc/logs/trace", "--after", "0"]);
    await watch.line(/message_in/);
    waiting.kill("SIGINT");
    const { code, out } = await waiting.ended;
    deepEqual([code, out], [130, ""]);
    const late = await place.run([
      "send",
      "abc",
      "hello",
      "--wait",
      "--id",
      "first",
      "--timeout",
      "1",
    ]);
    fails(
      late,
      1,
      /abc has not answered within 1 s; the message is kept as first\. Ask again with --id first;/,
    );
    await agentd("resume", "abc");
    equal(await agentd("send", "abc", "hello", "--wait", "--id", "first"), "hello\n");
  });
});

Deno.test("one shot in memory leaves nothing", async () => {
  await inPlace(async (place) => {
    const agentd = doing(place);
    equal(await agentd("run", "echo", "hello", "there"), "hello there\n");
    equal(JSON.parse(await agentd("run", "counter", "--json")).tick.success, true);
    fails(await place.run(["run", "nobody", "x"]), 3, /no built-in agent "nobody"/);
    Deno.writeTextFileSync(
      `${place.dir}/mine.js`,
      "export default { name: 'mine', async onTrigger(ctx, t) { await ctx.reply(t.text.toUpperCase()); } };",
    );
    const apart = await place.run(["run", "./mine.js", "hi"]);
    deepEqual([apart.code, apart.out], [0, "HI\n"], apart.err);
    Deno.writeTextFileSync(
      `${place.dir}/bad.js`,
      "export default { name: 'bad', onTrigger() { throw new Error('no luck'); } };",
    );
    const bad = await place.run(["run", "-q", "./bad.js", "hi"]);
    equal(bad.code, 1);
    match(bad.err, /no luck/);
    deepEqual([...Deno.readDirSync(place.dir)].map((e) => e.name).sort(), ["bad.js", "mine.js"]);
  });
});

Deno.test("a reader that goes away ends the program in silence", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const child = command(["logs", "abc", "--follow", "--json"], { cwd: place.dir }).spawn();
    const stderr = new Response(child.stderr).text();
    const reader = child.stdout.getReader();
    ok((await reader.read()).value, "the first line");
    await reader.cancel();
    // What comes next cannot be written any more.
    equal((await place.run(["tick", "abc"])).code, 0);
    deepEqual([(await child.status).code, await stderr], [0, ""]);
  });
});
