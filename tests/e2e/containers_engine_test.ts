/** A server whose engine, or whose image, is not there, or goes away in the middle of it all. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { testWithDocker } from "../docker/engine.ts";
import { MISSING_OWN_ENGINE, ownEngine } from "../docker/own_engine.ts";
import { needs } from "../needs.ts";
import { AGENT, type Client, engineered } from "./containers.ts";

const testWithOwnEngine = needs(MISSING_OWN_ENGINE);
const LIMITS = { max_time_secs: 300, max_memory_mb: 64, max_disk_mb: 16 };

interface Refusal {
  readonly code: string;
  readonly detail: string;
}

/** What `new` is refused with; nothing of it may be left. */
async function refused(client: Client, request: object): Promise<Refusal> {
  const response = await client.ask("/containers/new", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ commands: ["true"], limits: LIMITS, ...request }),
  });
  const refusal = await response.json() as Refusal;
  ok(!response.ok, JSON.stringify(refusal));
  const { entries } = await client.read<{ entries: unknown[] }>("/containers/sessions/");
  deepEqual(entries, []);
  const usage = await client.read<{ day: { reserved_micro_usd: number } }>("/containers/usage");
  equal(usage.day.reserved_micro_usd, 0);
  return refusal;
}

testWithDocker("an image that is not there is refused, and how to get it is told", async () => {
  await engineered(async ({ serve }) => {
    const client = await serve();
    const { code, detail } = await refused(client, { image: "agentd-test/none:1" });
    equal(code, "provider_unavailable");
    match(detail, /agentd images pull agentd-test\/none:1/);
    // What no policy names is refused, whether it is there or not.
    equal((await refused(client, { image: "agentd-test/attacker:1" })).code, "permission_denied");
    equal((await client.served.stop()).code, 0);
  }, { allowed_images: ["agentd-test/busybox:*", "agentd-test/none:*"] });
});

for (
  const [what, env] of Object.entries({
    "no program of the name docker": { PATH: "/nonexistent" },
    "no engine that answers": { DOCKER_HOST: "unix:///nonexistent/docker.sock" },
  })
) {
  testWithDocker(
    `where there is ${what}, sessions are refused, and all else is as ever`,
    async () => {
      await engineered(async ({ serve, place }) => {
        const client = await serve({ env, is: "down" });
        const { code, detail } = await refused(client, {});
        equal(code, "provider_unavailable");
        match(detail, /docker/i);
        const { code: sent, out } = await place.run(["send", AGENT, "hello", "--wait"]);
        deepEqual([sent, out], [0, "hello\n"]);
        equal((await client.served.stop()).code, 0);
      });
    },
  );
}

testWithOwnEngine(
  "an engine that is stopped in the middle of a command, or killed, ends its sessions and no more; when it is back, so are containers",
  async () => {
    await using engine = await ownEngine();
    await engineered(async ({ serve, image }) => {
      await engine.load(image);
      const client = await serve({ env: engine.env });
      for (const end of [engine.stop, engine.kill]) {
        const session = await client.session({ kind: "interactive", limits: LIMITS });
        await client.until(session.status_path, "running");
        const build = await client.session({
          commands: ["echo begun; sleep 1000"],
          limits: LIMITS,
        });
        const exec = await client.exec(session, "echo begun; sleep 1000");
        for (const path of [exec.output_path, build.output_path]) {
          for await (const { data } of client.events(path)) {
            equal(data, "begun\n");
            break;
          }
        }
        await end();
        const away = await client.ask("/containers/new", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ commands: ["true"] }),
        });
        const { code } = await away.json() as Refusal;
        deepEqual([away.ok, code], [false, "provider_unavailable"]);

        await engine.start();
        // What ran in it was waited for: an engine that is only started anew may still have it. This one has ended all.
        for (const { status_path } of [exec, build]) {
          const { error } = await client.until(status_path, "failed");
          equal(error?.code, "interrupted", JSON.stringify(error));
        }
        await untilUsed(client);
        await client.put(`/containers/sessions/${session.session_id}/ctl`, "stop");
        await client.until(session.status_path, "complete", "failed");
      }
      equal((await client.served.stop()).code, 0);
      equal((await engine.docker(["ps", "-aq"])).stdout, "");
    });
  },
);

testWithOwnEngine(
  "containers that outlive their engine go on, and what they print meanwhile is told when it is back",
  async () => {
    await using engine = await ownEngine("--live-restore");
    await engineered(async ({ serve, image }) => {
      await engine.load(image);
      const client = await serve({ env: engine.env });
      const print = (from: number, to: number) => `seq ${from} ${to}`;
      const wait = "until [ -e go ]; do sleep 0.1; done";
      const session = await client.session({ kind: "interactive", limits: LIMITS });
      await client.until(session.status_path, "running");
      const command = `${print(1, 20_000)}; ${wait}; ${print(20_001, 40_000)}`;
      const exec = await client.exec(session, command);
      for await (const { data } of client.events(exec.output_path)) {
        if (data?.includes("15000\n")) break;
      }
      await engine.stop();
      await engine.start();
      await untilUsed(client);
      await client.put(`/containers/sessions/${session.session_id}/files/go`, "");
      await client.until(exec.status_path, "complete");
      const expected = Array.from({ length: 40_000 }, (_, n) => `${n + 1}\n`).join("");
      ok(await client.text(exec.output_path) === expected);
      await client.put(`/containers/sessions/${session.session_id}/ctl`, "stop");
      await client.until(session.status_path, "complete");
      equal((await client.served.stop()).code, 0);
      equal((await engine.docker(["ps", "-aq"])).stdout, "");
    });
  },
);

/** Until a session runs, and tells what it prints. Whoever asks makes the server look again. */
async function untilUsed(client: Client): Promise<void> {
  while (true) {
    const response = await client.ask("/containers/new", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ commands: ["echo again"], limits: LIMITS, notify: false }),
    });
    const answer = await response.json() as { output_path: string; status_path: string };
    if (!response.ok) continue;
    equal(await client.text(answer.output_path), "again\n");
    await client.until(answer.status_path, "complete");
    return;
  }
}
