/** Sessions when the server dies, stops, or has many of them. */
import { deepEqual, equal, ok } from "../assert.ts";
import { testWithDocker } from "../docker/engine.ts";
import { type Accepted, type Client, engineered, hasContainer } from "./containers.ts";

const LIMITS = { max_time_secs: 300, max_memory_mb: 64, max_disk_mb: 16 };

/** Lines of text from `from` on, as they stand in events of a stream. */
async function* lines(client: Client, path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const { data = "", stream } of client.events(path)) {
    if (stream !== "stdout") continue;
    const all = (rest + data).split("\n");
    rest = all.pop()!;
    yield* all;
  }
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);

testWithDocker(
  "kill -9 in the middle of commands: their sessions go on, and each line of output is there once",
  async () => {
    await engineered(async ({ serve }) => {
      let client = await serve();
      const COUNT = 60_000;
      // Some at once and some slowly, so that it is killed at all places.
      const print =
        `n=0; while [ $n -lt ${COUNT} ]; do echo line $n; n=$((n+1)); [ $((n % 3000)) = 0 ] && sleep 0.3; done; echo the end >&2`;
      const build = await client.session({ commands: [print, "echo second"], limits: LIMITS });
      const interactive = await client.session({ kind: "interactive", limits: LIMITS });
      await client.until(interactive.status_path, "running");
      const exec = await client.exec(interactive, { command: `${print}; cat`, stdin: "all of it" });
      for (const kill of [2_000, 20_000, 40_000]) {
        for await (const line of lines(client, exec.output_path)) {
          if (line === `line ${kill}`) break;
        }
        await client.served.kill();
        client = await serve();
      }
      const session = await client.until(build.status_path, "complete");
      equal(session.error ?? null, null);
      await client.until(exec.status_path, "complete");
      const expected = numbered(COUNT).join("\n") + "\n";
      const whole = await client.text(exec.output_path, "stdout");
      ok(whole === `${expected}all of it`, difference(whole, `${expected}all of it`));
      equal(await client.text(exec.output_path, "stderr"), "the end\n");
      const other = await client.text(build.output_path, "stdout");
      ok(other === `${expected}second\n`, difference(other, `${expected}second\n`));
      const { exit_code } = await client.read<{ exit_code: number }>(exec.result_path);
      equal(exit_code, 0);

      await client.put(`/containers/sessions/${interactive.session_id}/ctl`, "stop");
      await client.until(interactive.status_path, "complete");
      for (const one of [build, interactive]) equal(await hasContainer(one), false);
      await client.served.stop();
    });
  },
);

testWithDocker("containers that nobody goes on with are removed by the next life", async () => {
  await engineered(async ({ serve, place }) => {
    let client = await serve();
    const session = await client.session({ kind: "interactive", limits: LIMITS });
    await client.until(session.status_path, "running");
    await client.served.kill();
    equal(await hasContainer(session), true);
    // All that the database knew is lost: nobody is left who holds it.
    for (const end of ["", "-wal", "-shm"]) {
      await Deno.remove(`${place.dir}/.agentd/agentd.db${end}`).catch(() => {});
    }
    client = await serve();
    while (await hasContainer(session));
    await client.served.stop();
  });
});

testWithDocker(
  "a graceful stop ends what is ephemeral, and leaves what is interactive for the next life",
  async () => {
    await engineered(async ({ serve }) => {
      let client = await serve();
      const stays = await client.session({ kind: "interactive", limits: LIMITS });
      const ends = await client.session({ commands: ["echo begun; sleep 1000"], limits: LIMITS });
      await client.until(stays.status_path, "running");
      const exec = await client.exec(
        stays,
        "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.3; done",
      );
      for (const path of [exec.output_path, ends.output_path]) {
        for await (const _ of client.events(path)) break;
      }
      equal((await client.served.stop()).code, 0);
      deepEqual([await hasContainer(stays), await hasContainer(ends)], [true, false]);

      client = await serve();
      const { error } = await client.until(ends.status_path, "failed");
      equal(error?.code, "interrupted");
      await client.until(exec.status_path, "complete");
      equal(await client.text(exec.output_path), "1\n2\n3\n4\n5\n6\n7\n8\n");
      await client.put(`/containers/sessions/${stays.session_id}/ctl`, "stop");
      await client.until(stays.status_path, "complete");
      equal(await hasContainer(stays), false);
      await client.served.stop();
    });
  },
);

testWithDocker(
  "twenty sessions at once end as one does, and others are answered meanwhile",
  async () => {
    await engineered(async ({ serve }) => {
      const client = await serve();
      const COUNT = 20;
      const one = async (n: number): Promise<Accepted> => {
        const session = await client.session({
          commands: [`echo ${n} >file; cat file`, `seq ${n} 2000 | tail -n 1`],
          artifacts: ["*"],
          limits: LIMITS,
          kind: "build",
        });
        await client.until(session.status_path, "complete");
        const result = await client.read<{ stdout: string; artifacts: { size_bytes: number }[] }>(
          session.result_path,
        );
        equal(result.stdout, `${n}\n2000\n`);
        const file = await client.ask(`/containers/sessions/${session.session_id}/files/file`);
        equal(await file.text(), `${n}\n`);
        return session;
      };
      let running = true;
      const all = Promise.all(Array.from({ length: COUNT }, (_, n) => one(n)))
        .finally(() => running = false);
      all.catch(() => {});
      let answered = 0;
      while (running) {
        const reply = await client.ask("/send?wait=60", {
          method: "POST",
          body: `hello ${answered}`,
        });
        const { replies } = await reply.json() as { replies: { text: string }[] };
        equal(replies[0]?.text, `hello ${answered}`);
        answered++;
      }
      const sessions = await all;
      ok(answered > COUNT, `${answered} were answered`);
      for (const session of sessions) equal(await hasContainer(session), false);
      await client.served.stop();
    }, { max_concurrent: 20 });
  },
);

/** Where two long texts part. */
function difference(actual: string, expected: string): string {
  let at = 0;
  while (at < expected.length && actual[at] === expected[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 40), at + 60));
  return `${actual.length} for ${expected.length}; at ${at}: ${around(actual)} for ${
    around(expected)
  }`;
}
