/** Sessions that want more than they have: each fails by its own limit, and neither the server nor the session beside it feels it. */
import { deepEqual, equal, ok } from "../assert.ts";
import { testWithDocker } from "../docker/engine.ts";
import {
  type Client,
  engineered,
  hasContainer,
  isGone,
  processesOf,
  type Status,
} from "./containers.ts";

/** Enough time for whoever comes to another limit; those that only time ends have less. */
const FEW = { max_time_secs: 60, max_memory_mb: 64, max_disk_mb: 16 };
const SHORT = { max_time_secs: 4 };
/** Enough to begin among so many. */
const SOME = { max_time_secs: 12 };

interface Bad {
  readonly command: string | string[];
  readonly limits?: object;
  readonly ends: (status: Status, result: Result) => void;
}

interface Result {
  readonly exit_code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly usage: { readonly peak_memory_bytes: number };
}

const fails = (code: string) => ({ status, error }: Status) =>
  deepEqual([status, error?.code], ["failed", code]);

const BAD: Readonly<Record<string, Bad>> = {
  "memory without end": {
    command: "a=x; while :; do a=$a$a; done",
    ends: fails("out_of_memory"),
  },
  "memory without end, as files": {
    command: "for dir in /dev/shm /tmp .; do dd if=/dev/zero of=$dir/a bs=1M; done; exit 1",
    limits: { max_memory_mb: 24 },
    // The disk is full before the memory is.
    ends({ status, error }, { exit_code, stderr }) {
      deepEqual([status, error?.code, exit_code], ["failed", "agent_error", 1]);
      equal(stderr.match(/No space left on device/g)?.length, 3, stderr);
    },
  },
  "a fork bomb": {
    command: "bomb() { bomb | bomb & }; bomb; while :; do :; done",
    limits: SOME,
    ends({ status, error }) {
      equal(status, "failed");
      // Whichever limit it comes to first.
      const codes = ["timeout", "interrupted", "agent_error", "out_of_memory", "quota_exceeded"];
      ok(codes.includes(error?.code ?? ""), JSON.stringify(error));
    },
  },
  "a disk that is full": {
    command: "dd if=/dev/zero of=a bs=1M",
    ends({ status, error }, { exit_code, stderr }) {
      deepEqual([status, error?.code, exit_code], ["failed", "agent_error", 1]);
      ok(stderr.includes("No space left on device"), stderr);
    },
  },
  "a loop without end": { command: "while :; do :; done", limits: SHORT, ends: fails("timeout") },
  "sleep without end": { command: ["sleep", "100000"], limits: SHORT, ends: fails("timeout") },
  "output without end": {
    command: "yes",
    limits: SOME,
    ends(status, { stdout }) {
      fails("timeout")(status);
      ok(stdout.length <= 1024 * 1024 + 1_000, `${stdout.length}`);
      ok(stdout.startsWith("y\ny\n"));
    },
  },
  "no ear for signals": {
    command: "trap '' TERM INT HUP QUIT; while :; do sleep 1000; done",
    limits: SOME,
    ends: fails("timeout"),
  },
};

testWithDocker(
  "who wants more than it has fails by its own limit, and nobody else does",
  async () => {
    await engineered(async ({ serve }) => {
      const client = await serve();
      const quiet = await client.session({ kind: "interactive", limits: FEW_BUT_LONG });
      await client.until(quiet.status_path, "running");
      // All of them at once, and one that is well beside them.
      const all = await Promise.all(
        Object.entries(BAD).map(async ([name, { command, limits, ends }]) => {
          const session = await client.session({
            commands: [command],
            limits: { ...FEW, ...limits },
          });
          const status = await client.until(session.status_path, "failed");
          try {
            ends(status, await client.read<Result>(session.result_path));
          } catch (error) {
            throw new Error(`${name}: ${JSON.stringify(status)}`, { cause: error });
          }
          return session;
        }).concat(wellMeanwhile(client, quiet)),
      );
      await client.put(`/containers/sessions/${quiet.session_id}/ctl`, "stop");
      await client.until(quiet.status_path, "complete");
      for (const session of [...all, quiet]) await isGone(session);
      equal((await client.served.stop()).code, 0);
    }, { max_concurrent: 20 });
  },
);

const FEW_BUT_LONG = { ...FEW, max_time_secs: 300 };

/** A session that runs command after command while others misbehave. */
async function wellMeanwhile<S extends Parameters<Client["exec"]>[0]>(
  client: Client,
  session: S,
): Promise<S> {
  for (let n = 0; n < 10; n++) {
    const exec = await client.exec(session, `echo ${n}`);
    equal(await client.text(exec.output_path), `${n}\n`);
  }
  return session;
}

testWithDocker(
  "a cancelled command really ends, with all that it began, and its session goes on",
  async () => {
    await engineered(async ({ serve }) => {
      const client = await serve();
      const session = await client.session({ kind: "interactive", limits: FEW_BUT_LONG });
      await client.until(session.status_path, "running");
      const stubborn =
        `trap '' TERM INT HUP; (setsid sleep 5432 &); echo begun; while :; do sleep 5432; done`;
      const exec = await client.exec(session, stubborn);
      for await (const { data } of client.events(exec.output_path)) {
        equal(data, "begun\n");
        break;
      }
      const sleeping = async () =>
        (await processesOf(session)).filter((line) => line.includes("5432"));
      while ((await sleeping()).length < 2);
      await client.put(exec.status_path.replace("/status", "/ctl"), "cancel");
      await client.until(exec.status_path, "cancelled");
      deepEqual(await sleeping(), []);
      const timed = await client.exec(session, {
        command: "trap '' TERM; sleep 5432",
        timeout_ms: 300,
      });
      fails("timeout")(await client.until(timed.status_path, "failed"));
      deepEqual(await sleeping(), []);
      const after = await client.exec(session, "echo after");
      equal(await client.text(after.output_path), "after\n");
      await client.put(`/containers/sessions/${session.session_id}/ctl`, "stop");
      await client.until(session.status_path, "complete");
      equal(await hasContainer(session), false);
      await client.served.stop();
    });
  },
);

testWithDocker(
  "a session that is full of processes is ended with its command, and what it was is told",
  async () => {
    await engineered(async ({ serve }) => {
      const client = await serve();
      const limits = { ...FEW_BUT_LONG, max_cpu_cores: 0.5 };
      const session = await client.session({ kind: "interactive", limits });
      await client.until(session.status_path, "running");
      const bomb = "trap '' TERM INT; bomb() { bomb | bomb & }; bomb; while :; do :; done";
      const exec = await client.exec(session, { command: bomb, timeout_ms: 2_000 });
      const { error } = await client.until(exec.status_path, "failed");
      const codes = ["timeout", "interrupted", "quota_exceeded", "out_of_memory"];
      ok(codes.includes(error?.code ?? ""), error?.code);
      // Either it is rid of them, and usable, or it is gone; nobody waits for it for ever.
      const after = await client.ask(`/containers/sessions/${session.session_id}/exec/new`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ command: "echo after", timeout_ms: 10_000 }),
      });
      const { status_path } = await after.json() as { status_path: string };
      if (after.ok) await client.until(status_path, "complete", "failed");
      const stop = `/containers/sessions/${session.session_id}/ctl`;
      await (await client.ask(stop, { method: "PUT", body: "stop" })).body?.cancel();
      await client.until(session.status_path, "complete", "failed");
      await isGone(session);
      equal((await client.served.stop()).code, 0);
    });
  },
);

testWithDocker(
  "what is kept of a session is files of its own, within bounds, and nothing else",
  async () => {
    await engineered(async ({ serve }) => {
      const client = await serve();
      const make = [
        "mkdir -p a/b; echo one >a/b/one; echo two >two",
        "ln -s /etc/passwd out; ln -s /etc dir; ln -s a/b/one in; ln -s / a/root",
        "mkfifo pipe; touch \"$(printf 'line\\nbreak')\" \"$(printf '../x' | tr / _)\" \"$(printf '\\377')\"",
        "mkdir many; for n in $(seq 40); do echo $n >many/$n; done",
      ];
      const session = await client.session({
        kind: "build",
        commands: make,
        artifacts: ["**"],
        limits: FEW_BUT_LONG,
      });
      await client.until(session.status_path, "complete", "failed");
      const { artifacts } = await client.read<
        { artifacts: { path: string; size_bytes: number }[] }
      >(
        session.result_path,
      );
      const paths = artifacts.map(({ path }) => path);
      for (const path of ["a/b/one", "two", "many/40"]) {
        ok(paths.includes(path), JSON.stringify(paths));
      }
      for (const path of paths) ok(!/^(out|dir|in|pipe|a\/root)/.test(path), path);
      const large = await client.session({
        kind: "build",
        commands: ["dd if=/dev/zero of=large bs=1M count=2"],
        artifacts: ["large"],
        limits: FEW_BUT_LONG,
      });
      fails("too_large")(await client.until(large.status_path, "failed"));
      const at = `/containers/sessions/${session.session_id}/files`;
      equal(await (await client.ask(`${at}/a/b/one`)).text(), "one\n");
      for (const path of ["out", "dir/passwd", "a/root/etc/passwd", "%2e%2e/x"]) {
        const answer = await client.ask(`${at}/${path}`);
        ok(!answer.ok, path);
        await answer.body?.cancel();
      }
      equal(await hasContainer(session), false);
      equal((await client.served.stop()).code, 0);
    }, { max_file_size_bytes: 1024 * 1024 });
  },
);
