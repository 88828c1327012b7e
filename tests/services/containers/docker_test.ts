/** `/containers` on the real engine of this machine: what a session is asked for is done there, and nothing is left behind. */
import { memoryBackend } from "../../../src/backends/memory.ts";
import type { ContainerProvider } from "../../../src/core/containers.ts";
import { containerProviders } from "../../../src/providers/containers/mod.ts";
import { readJson, readText, writeText } from "../../../src/fs/use.ts";
import { deepEqual, equal, match, ok } from "../../assert.ts";
import { busyboxImage, dockerSays, testWithDocker } from "../../docker/engine.ts";
import { opened } from "../opened.ts";
import { ID, type Open, world, type WorldOptions } from "./world.ts";

const REAL: Pick<WorldOptions, "backend"> = {
  get backend() {
    return memoryBackend({
      now: Date.now,
      timer(ms, fire) {
        const id = setTimeout(fire, ms);
        return () => clearTimeout(id);
      },
    });
  },
};

/** With an engine under a home of its own, on which nothing is left at the end. */
function withDocker(
  name: string,
  run: (open: Open, engines: readonly ContainerProvider[]) => Promise<void>,
): void {
  testWithDocker(name, () =>
    opened(world, async (open) => {
      const image = await busyboxImage();
      const home = `test-${crypto.randomUUID()}`;
      const providers = containerProviders({ home, images: [image] });
      await providers.refresh();
      const there = async () => {
        const args = [
          "ps",
          "-a",
          "--filter",
          `label=agentd.home=${home}`,
          "--format",
          "{{.Names}}",
        ];
        return (await dockerSays(args)).split("\n").filter(Boolean);
      };
      try {
        await run(open, providers.list());
        // Those that wait for a session are nobody's, and go at the end.
        const left = (await there()).filter((name) => !name.startsWith("agentd_spare-"));
        deepEqual(left, [], "containers are left behind");
      } finally {
        for (const provider of providers.list()) await provider.sweep();
        await providers.close();
      }
      deepEqual(await there(), []);
    }));
}

withDocker("docker: commands, files, artifacts and usage of a session", async (open, engines) => {
  const { begin, ended, files, output, result } = await open(engines, REAL);
  const session = await begin({
    kind: "build",
    commands: [
      'mkdir dist; tr a-z A-Z < in/text.txt > "dist/out put.txt"; echo "$GREETING"; pwd; id -u',
      ["sh", "-c", "echo oops >&2; exit 3"],
      "echo never",
    ],
    env: { GREETING: "it's\nhere" },
    files: { "in/text.txt": "hello" },
    artifacts: ["dist/**"],
  });
  const { status, error } = await ended(session);
  equal(status, "failed");
  match(error!.message, /command 2 of 3 ended with exit code 3/);
  const { stdout, stderr, artifacts, usage, exit_code } = await result(session);
  deepEqual([stdout, stderr, exit_code], ["it's\nhere\n/work\n65534\n", "oops\n", 3]);
  deepEqual(artifacts.map(({ path, size_bytes }) => [path, size_bytes]), [["dist/out put.txt", 5]]);
  ok(usage.peak_memory_bytes > 0);
  const path = `/containers/sessions/${session.session_id}/files/dist/out put.txt`;
  equal(await readText(files, path), "HELLO");
  deepEqual((await output(session)).flatMap(({ exit_code }) => exit_code ?? []), [0, 3]);
});

withDocker(
  "docker: an interactive session takes commands and files, and is stopped",
  async (open, engines) => {
    const { begin, ctl, exec, ended, files, until } = await open(engines, REAL);
    const session = await begin({ kind: "interactive" });
    await until(session, "running");
    const at = `/containers/sessions/${session.session_id}/files`;
    await writeText(files, `${at}/a/b.sh`, "read x; echo got $x");
    const given = await exec(session, {
      command: "sh a/b.sh; tail -c 1 | wc -c",
      stdin: "line\nrest",
    });
    equal((await ended(given)).status, "complete");
    const { stdout } = await readJson<{ stdout: string }>(files, given.result_path);
    match(stdout, /^got line\n1\n$/);
    deepEqual((await files.list(at)).map(({ name, dir }) => [name, dir]), [["a", true]]);
    const stubborn = await exec(session, "trap '' TERM; echo ready; while :; do sleep 1; done");
    const handle = await files.open(stubborn.output_path, "watch", { after: 0 });
    await handle.read();
    await handle.close();
    equal(JSON.parse(await ctl(session, "cancel", stubborn)).status, "cancelled");
    equal(JSON.parse(await ctl(session, "stop")).status, "complete");
  },
);

withDocker(
  "docker: out of time and out of memory are told as such, in time",
  async (open, engines) => {
    const { begin, ended, until } = await open(engines, REAL);
    const slow = await begin({ commands: ["while :; do :; done"], limits: { max_time_secs: 2 } });
    await until(slow, "running");
    const hungry = await begin({
      commands: ["head -c 200m /dev/zero | tail -c 190m | wc -c"],
      limits: { max_memory_mb: 32, max_disk_mb: 8 },
    });
    const { error, ...times } = await ended(slow);
    equal(error?.code, "timeout");
    const { started_at, ended_at } = times as unknown as { started_at: string; ended_at: string };
    ok(Date.parse(ended_at) - Date.parse(started_at) < 4_000, `${started_at} ${ended_at}`);
    equal((await ended(hungry)).error?.code, "out_of_memory");
  },
);

withDocker(
  "docker: the containers of an agent that is deleted are gone when it is",
  async (open, engines) => {
    const { begin, exec, runtime, until } = await open(engines, REAL);
    const sessions = [
      await begin({ commands: ["trap '' TERM; while :; do sleep 1; done"] }),
      await begin({ kind: "interactive" }),
    ];
    for (const session of sessions) await until(session, "running");
    await exec(sessions[1]!, "while :; do :; done");
    await runtime.delete(ID);
    for (const { session_id } of sessions) {
      equal(await dockerSays(["ps", "-aq", "--filter", `name=agentd-${session_id}`]), "");
      equal(await engines[0]!.state(session_id), "absent");
    }
  },
);

withDocker(
  "docker: what runs goes on over a restart, and its output is whole",
  async (open, engines) => {
    const first = await open(engines, { ...REAL, dies: true });
    const session = await first.begin({
      commands: ["for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done"],
    });
    const handle = await first.files.open(session.output_path, "watch", { after: 0 });
    await handle.read();
    await handle.close();
    await first.runtime.stop(1000);
    const second = await open(engines, { rows: first.backend.reopen() });
    equal((await second.ended(session)).status, "complete");
    equal((await second.result(session)).stdout, "1\n2\n3\n4\n5\n6\n");
  },
);
