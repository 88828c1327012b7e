/** An agent leaves one data directory as a file and goes on in another; what is cut short leaves nothing. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import type { Ended, Options } from "./program.ts";
import { inPlace, type Place } from "./server.ts";
import { onTerminal, testOnTerminal } from "./terminal.ts";

const ANY_PORT = ["--listen", "127.0.0.1:0"];

async function done(
  place: Place,
  args: readonly string[],
  options: Partial<Options> = {},
): Promise<string> {
  const { code, out, err } = await place.run(args, options);
  equal(code, 0, `${args.join(" ")}: ${err}`);
  return out;
}

function fails({ code, out, err }: Ended, wanted: number, line: RegExp): void {
  deepEqual([code, out], [wanted, ""], err);
  match(err, line);
}

/** What is in the folder, but for data directories. */
function filesIn({ dir }: Place): string[] {
  return [...Deno.readDirSync(dir)].filter((e) => e.isFile).map((e) => e.name).sort();
}

Deno.test("test_export_import_roundtrip", async () => {
  await inPlace(async (place) => {
    await place.serve(["serve", "--home", "one", ...ANY_PORT]);
    const one = ["--home", "one"];
    const two = ["--home", "two"];
    await done(place, [
      "create",
      "bob",
      "counter",
      "--config",
      '{"a":1}',
      "--goal",
      "count",
      ...one,
    ]);
    equal(await done(place, ["send", "bob", "first", "--wait", ...one]), "1\n");
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) % 251);
    await done(place, ["write", "bob/files/big.bin", ...one], { input: bytes });
    await done(place, ["pause", "bob", ...one]);
    await done(place, ["send", "bob", "waits", "--id", "waiting", ...one]);
    Deno.writeTextFileSync(`${place.dir}/secret`, "correct horse\n");
    const env = { AGENTD_PASSPHRASE_FILE: `${place.dir}/secret` };
    match(
      await done(place, ["export", "bob", "--with-key", ...one], { env }),
      /^bob exported to bob\.agent {3}\d.* · with its key, encrypted\n$/,
    );
    match(await done(place, ["export", "bob", "-o", "bare.agent", ...one]), /without its key/);
    for (const name of ["bob.agent", "bare.agent"]) {
      equal(Deno.statSync(`${place.dir}/${name}`).mode! & 0o777, 0o600, name);
    }
    ok(!Deno.readTextFileSync(`${place.dir}/bare.agent`).includes("ncryptsec"));
    const before = JSON.parse(await done(place, ["status", "bob", "--json", ...one]));

    await place.serve(["serve", "--home", "two", ...ANY_PORT]);
    fails(
      await place.run(["import", "bob.agent", ...two]),
      2,
      /A passphrase for the key of bob is asked for on a terminal\. Elsewhere, AGENTD_PASSPHRASE_FILE/,
    );
    match(
      await done(place, ["import", "bob.agent", ...two], { env }),
      /^bob restored {3}counter · paused · with its key · npub1/,
    );
    const after = JSON.parse(await done(place, ["status", "bob", "--json", ...two]));
    for (const field of ["npub", "pubkey", "created_at", "config", "queue_depth", "tick_count"]) {
      deepEqual(after[field], before[field], field);
    }
    await done(place, ["resume", "bob", ...two]);
    equal(await done(place, ["send", "bob", "waits", "--id", "waiting", "--wait", ...two]), "2\n");
    const part = ["--offset", "2999990", "--length", "10", "--json"];
    deepEqual(
      JSON.parse(await done(place, ["cat", "bob/files/big.bin", ...part, ...two])).base64,
      bytes.slice(-10).toBase64(),
    );
    match(await done(place, ["goals", "bob", ...two]), /active .* count\n/);

    fails(
      await place.run(["import", "bare.agent", ...two]),
      1,
      /^error: bob is there already\. Import it under another id with --id, or first: .* delete bob/,
    );
    const clone = ["import", "bare.agent", "--clone", "--id", "bob2", "--json", ...two];
    const cloned = JSON.parse(await done(place, clone));
    equal(cloned.id, "bob2");
    ok(cloned.npub !== before.npub);
    equal(cloned.queue_depth, 0);
    await done(place, ["resume", "bob2", ...two]);
    equal(await done(place, ["send", "bob2", "on its own", "--wait", ...two]), "2\n");

    const piped = await done(place, ["export", "bob2", "-o", "-", ...two]);
    const again = ["import", "-", "--clone", "--id", "bob3", ...two];
    match(await done(place, again, { input: piped }), /^bob3 cloned/);
  });
});

Deno.test("an export keeps to its place: no file is lost, and what is cut short leaves none", async () => {
  await inPlace(async (place) => {
    const broken = Promise.withResolvers<void>();
    /** Answers with a beginning, and then not any more, or breaks off. */
    const half = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const line = new TextEncoder().encode('{"format":"agentd export"}\n');
      if (request.url.endsWith("/cut")) return new Response(line);
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(line),
          cancel: () => broken.resolve(),
        }),
      );
    });
    const url = ["--url", `http://127.0.0.1:${half.addr.port}`];
    fails(await place.run(["export", "cut", ...url]), 1, /^error: The export of cut broke off\. /);
    deepEqual(filesIn(place), []);

    const watching = Deno.watchFs(place.dir);
    const stuck = place.start(["export", "stuck", ...url]);
    for await (const { kind, paths } of watching) {
      if (kind === "modify" && paths.some((path) => path.endsWith(".part"))) break;
    }
    deepEqual(filesIn(place).map((name) => name.replace(/\.[0-9a-f]{8}\./, ".")), [
      ".stuck.agent.part",
    ]);
    stuck.kill("SIGINT");
    const { code, out } = await stuck.ended;
    deepEqual([code, out], [130, ""]);
    await broken.promise;
    deepEqual(filesIn(place), []);
    await half.shutdown();

    await place.serve();
    Deno.writeTextFileSync(`${place.dir}/abc.agent`, "mine");
    fails(
      await place.run(["export", "abc"]),
      1,
      /^error: abc\.agent is there already\. Name another file, or say --force\.$/m,
    );
    equal(Deno.readTextFileSync(`${place.dir}/abc.agent`), "mine");
    fails(await place.run(["export", "nobody", "-o", "x"]), 3, /^error: Cannot export nobody: /);
    fails(await place.run(["export", "abc", "-o", "no/such/x"]), 1, /its directory is not there/);
    deepEqual(filesIn(place), ["abc.agent"]);
    equal((await place.run(["export", "abc", "--force"])).code, 0);
    match(Deno.readTextFileSync(`${place.dir}/abc.agent`), /^\{"format":"agentd export"/);
  });
});

Deno.test("what is no export is told before it is sent", async () => {
  await inPlace(async (place) => {
    await place.serve();
    Deno.writeTextFileSync(`${place.dir}/x`, "hello\nthere\n");
    Deno.writeFileSync(`${place.dir}/y`, new Uint8Array(200_000));
    Deno.writeTextFileSync(`${place.dir}/z`, "");
    for (const name of ["x", "y", "z"]) {
      fails(
        await place.run(["import", name]),
        1,
        new RegExp(`^error: ${name} is no exported agent`),
      );
    }
    fails(await place.run(["import", "none"]), 3, /^error: There is no file none$/m);
    await done(place, ["export", "abc"]);
    const text = Deno.readTextFileSync(`${place.dir}/abc.agent`);
    Deno.writeTextFileSync(`${place.dir}/x`, text.slice(0, -80));
    fails(await place.run(["import", "x", "--id", "new"]), 1, /no whole export of an agent/);
    fails(await place.run(["status", "new"]), 3, /no such agent/);
    equal((await place.run(["import", "abc.agent", "--id", "new"])).code, 0);
  });
});

testOnTerminal("a passphrase is typed unseen, twice, and a slip is noticed", async () => {
  await inPlace(async (place) => {
    await place.serve();
    const phrase = "corect\x7f\x7f\x7f\u00e9ct horse";
    const made = await onTerminal(place, ["export", "abc", "--with-key"], [
      ["passphrase for the key of abc: ", `${phrase}\r`],
      ["the same again: ", "cor\u00e9\x7f\u00e9ct horse\r"],
    ]);
    equal(made.code, 0, made.shown);
    ok(!made.shown.includes("horse") && !made.shown.includes("cor"), made.shown);
    match(made.shown, /abc exported to abc\.agent/);
    await done(place, ["delete", "abc"]);
    const wrong = await onTerminal(place, ["import", "abc.agent"], [
      ["passphrase for the key of abc: ", "battery\r"],
    ]);
    equal(wrong.code, 1, wrong.shown);
    const right = await onTerminal(place, ["import", "abc.agent"], [
      ["passphrase for the key of abc: ", "cor\u00e9ct horse\r"],
    ]);
    equal(right.code, 0, right.shown);
    match(right.shown, /with its key/);

    const slip = await onTerminal(place, ["export", "abc", "--with-key", "-o", "x"], [
      ["passphrase for", "one\r"],
      ["again: ", "two\r"],
    ]);
    deepEqual([slip.code, filesIn(place)], [2, ["abc.agent"]], slip.shown);
    const given = await onTerminal(place, ["export", "abc", "--with-key", "-o", "x"], [
      ["passphrase for", "half\x03"],
    ]);
    deepEqual([given.code, filesIn(place)], [130, ["abc.agent"]], given.shown);
  });
});
