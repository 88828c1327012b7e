/** Commands in real containers, with each of the shells that images have: what comes out, how they end, and what they cannot disturb. */
import assert from "../../assert.ts";
import { busyboxImage, docker, image, MISSING_DOCKER } from "../../docker/engine.ts";
import { MISSING_SHELLS, shellImage, shellTree } from "../../docker/shell_images.ts";
import { needs } from "../../needs.ts";
import type { ExecOutput, OutputPosition } from "../../../src/core/containers.ts";
import { hasCode } from "../../../src/fs/error.ts";
import { dockerCli } from "../../../src/providers/containers/cli.ts";
import { OWN_DIR, WORKDIR } from "../../../src/providers/containers/container.ts";
import { bytesOf, type OwnContainer, ownContainer, textOf } from "./own_container.ts";

const testWithDocker = needs(MISSING_DOCKER);
const testWithShells = needs(MISSING_DOCKER ?? MISSING_SHELLS);

const SHELLS = ["dash", "bash"] as const;

/** A test for busybox and each other shell. */
function testInEach(
  name: string,
  body: (container: OwnContainer) => Promise<void>,
  limits: Parameters<typeof ownContainer>[1] = {},
  shells: readonly (typeof SHELLS)[number][] = SHELLS,
): void {
  testWithDocker(`${name}: busybox`, async () => {
    await using container = await ownContainer(await busyboxImage(), limits);
    await body(container);
  });
  for (const shell of shells) {
    testWithShells(`${name}: ${shell}`, async () => {
      await using container = await ownContainer(await shellImage(shell), limits);
      await body(container);
    });
  }
}

testInEach("a command's output, input, arguments, environment and end", async ({ run }) => {
  assert.deepEqual(await run("echo out; echo err >&2; exit 3"), {
    exit_code: 3,
    out_of_memory: false,
    stdout: "out\n",
    stderr: "err\n",
  });
  const words = ["a b", "c'd", "e\nf", "-x", "$HOME", "", "ü", '"', "\\"];
  const args = await run(["printf", "<%s>", ...words]);
  assert.equal(args.stdout, words.map((word) => `<${word}>`).join(""));
  const env = { A: "x'y\nz\\", UID: "7", IFS: "q", PATH: "/usr/bin:/bin:/x", B: "" };
  const told = await run('printf "%s|" "$A" "$PATH" "${B-no}"; pwd; env', { env });
  assert.ok(told.stdout.startsWith("x'y\nz\\|/usr/bin:/bin:/x||/work\n"), told.stdout);
  assert.ok(told.stdout.includes("\nUID=7\n"));
  // Whatever they are called, they are the command's alone.
  const odd = "d n p x b r i mark no set PS4 ENV LC_ALL".split(" ");
  const kept = await run(["env"], {
    env: Object.fromEntries(odd.map((one) => [one, `is ${one}`])),
  });
  for (const one of odd) assert.ok(kept.stdout.split("\n").includes(`${one}=is ${one}`), one);
  const shells = { PPID: "1", UID: "1", EUID: "1", RANDOM: "1", LINENO: "1", OPTIND: "1", _: "1" };
  assert.equal((await run("echo fine", { env: shells })).stdout, "fine\n");
  const stdin = crypto.getRandomValues(new Uint8Array(60_000));
  const given: Uint8Array[] = [];
  await run("cat", { stdin, take: ({ bytes }) => void given.push(bytes) });
  assert.deepEqual(new Uint8Array(await new Blob(given as BlobPart[]).arrayBuffer()), stdin);
  assert.equal((await run("wc -c", { stdin: new Uint8Array(1_048_576) })).stdout.trim(), "1048576");
  assert.equal((await run("cat")).stdout, "");
  assert.equal((await run("kill -9 $$")).exit_code, 137);
  assert.equal((await run("kill -INT $$")).exit_code, 130);
  assert.equal((await run("no-such-program")).exit_code, 127);
  assert.equal((await run(["no-such-program"])).exit_code, 127);
  // What it says of those that it ends is nobody's output.
  assert.equal((await run("kill -9 $$")).stderr, "");
});

testWithShells("a command's environment is in no list of processes", async () => {
  const told = await image("agentd-test/told-env:1", "1", async (dir) => {
    await shellTree(dir, "dash");
    await Deno.rename(`${dir}/usr/bin/env`, `${dir}/usr/bin/real-env`);
    const script = '#!/bin/sh\nprintf "%s\\n" "$@" >/tmp/told\nexec real-env "$@"\n';
    await Deno.writeTextFile(`${dir}/usr/bin/env`, script, { mode: 0o755 });
  });
  await using container = await ownContainer(told);
  const env = { MAIL_TOKEN: "very secret", HOME: "/tmp", LANG: "C" };
  const { stdout } = await container.run('cat /tmp/told; echo "= $MAIL_TOKEN $HOME $LANG"', {
    env,
  });
  assert.match(stdout, /^LANG=C\nAGENTD_EXEC=[^]*\n= very secret \/tmp C\n$/);
  assert.equal(stdout.split("very secret").length, 2);
});

testInEach("streams that are closed, shared or never used", async ({ run }) => {
  assert.equal((await run("exec >&-; echo still >&2")).stderr, "still\n");
  assert.equal((await run("true")).stdout, "");
  // Who has the streams open when the command ends is not waited for, and what it says later is nobody's.
  const left = await run("(sleep 1000; echo late) & (sleep 1000 >&2) & printf 'no line end'");
  assert.deepEqual([left.stdout, left.exit_code], ["no line end", 0]);
  const all = await run("kill -TERM 0; sleep 1000");
  assert.equal(all.exit_code, 143);
  const again = await run("echo to the pipe by name >/dev/stdout");
  assert.equal(again.stdout, "to the pipe by name\n");
});

testInEach("a directory to run in", async ({ run, exec }) => {
  await run("mkdir -p 'a b/-c'; ln -s /etc out; ln -s 'a b' in");
  assert.equal((await run("pwd", { workdir: "a b/-c" })).stdout, `${WORKDIR}/a b/-c\n`);
  assert.equal((await run("pwd", { workdir: "in" })).stdout, `${WORKDIR}/a b\n`);
  await assert.rejects(exec("pwd", { workdir: "none" }), (error) => hasCode(error, "not_found"));
  await assert.rejects(
    exec("pwd", { workdir: "out" }),
    (error) => hasCode(error, "invalid_request"),
  );
  await assert.rejects(exec("a\0b"), (error) => hasCode(error, "invalid_request"));
});

testInEach("a prompt is seen before the program goes on", async ({ run, files }) => {
  const out = await run("printf 'ok>'; until [ -e go ]; do sleep 0.01; done; echo gone", {
    async take({ bytes }) {
      if (textOf([bytes]) === "ok>") await files.write("go", new Uint8Array(0));
    },
  });
  assert.equal(out.stdout, "ok>gone\n");
});

testInEach("a program waits for whoever takes its output", async ({ exec, files }) => {
  const { promise: taken, resolve: goOn } = Promise.withResolvers<void>();
  let size = 0;
  const script = "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); printf %01000d 0; echo $i >n; done";
  const ended = exec(script, {
    async take({ bytes }) {
      size += bytes.length;
      await taken;
    },
  });
  const count = async () => {
    const parts = await Array.fromAsync(files.read("n", { offset: 0, length: 10 })).catch(() => []);
    return Number(textOf(parts));
  };
  let seen = 0, same = 0;
  while (same < 5) {
    const now = await count();
    same = now === seen && now > 0 ? same + 1 : 0;
    seen = now;
  }
  // Three slots, what a pump and a feeder have in hand, and the pipe.
  assert.ok(seen * 1000 <= 6 * 65_536, `it went on to ${seen}`);
  goOn();
  assert.equal((await ended).exit_code, 0);
  assert.equal(size, 3_000_000);
});

/** What both streams shall be: numbers in order. */
const NUMBERS = "seq 1 20000 & seq 1 9000 >&2; wait; exit 7";
const seq = (last: number) => Array.from({ length: last }, (_, i) => `${i + 1}\n`).join("");

testInEach("whoever dies, and wherever: each byte once and in order", async (container) => {
  const expected = { stdout: seq(20_000), stderr: seq(9_000) };
  for (let round = 0; round < 4; round++) {
    /** What is kept for good; a crash may lose the last of it. */
    let kept: ExecOutput[] = [];
    let from: OutputPosition | undefined;
    let end: { exit_code: number } | undefined;
    for (let lives = 0; end === undefined; lives++) {
      assert.ok(lives < 100, "it does not come to its end");
      const dies = new AbortController();
      const client = mortal(container.cli, () => 12 + Math.floor(Math.random() * 40));
      const death = 1 + Math.floor(Math.random() * 16);
      let count = 0;
      try {
        end = await container.exec(NUMBERS, {
          id: `round-${round}`,
          cli: round % 2 === 0 ? client : container.cli,
          ...(from && { from }),
          signal: dies.signal,
          take(output) {
            kept.push(output);
            if (round > 0 && ++count === death) dies.abort(new Error("crashed"));
          },
        });
      } catch (error) {
        assert.match(String(error), /crashed/);
        if (round >= 2 && kept.length > 0 && Math.random() < 0.5) kept = kept.slice(0, -1);
        from = kept.at(-1)?.position ??
          (Math.random() < 0.5 ? undefined : { stdout: 0, stderr: 0 });
      }
    }
    for (const stream of ["stdout", "stderr"] as const) {
      const parts = kept.filter((output) => output.stream === stream).map(({ bytes }) => bytes);
      assert.ok(textOf(parts) === expected[stream], `${stream} of round ${round} is not whole`);
    }
    assert.equal(end.exit_code, 7);
    // It is known also to whoever asks once more.
    const last = kept.at(-1)!.position;
    assert.equal((await container.exec("", { id: `round-${round}`, from: last })).exit_code, 7);
  }
});

/** Prints a number whenever somebody else has taken over its output, in that very moment. */
const AT_TAKEOVER = `was=; n=0; printf 'a\\n'
while [ $n -lt 40 ]; do
  set -- ${OWN_DIR}/takeover/f.*
  case $* in "$was" | *'*') ;; *) was=$*; n=$((n + 1)); echo $n ;; esac
done`;

testInEach("what is printed while somebody takes over comes once too", async (container) => {
  let kept = "";
  let from: OutputPosition | undefined;
  for (let end = false; !end;) {
    const leaves = new AbortController();
    try {
      await container.exec(AT_TAKEOVER, {
        id: "takeover",
        ...(from && { from }),
        signal: leaves.signal,
        take({ bytes, position }) {
          kept += textOf([bytes]);
          from = position;
          leaves.abort(new Error("left"));
        },
      });
      end = true;
    } catch (error) {
      assert.match(String(error), /left/);
    }
  }
  assert.equal(kept, `a\n${seq(40)}`);
});

/** A client of the engine that is killed with -9 after some of what it prints. */
function mortal(cli: OwnContainer["cli"], life: () => number): OwnContainer["cli"] {
  return {
    ...cli,
    open(args) {
      const process = cli.open(args);
      let left = life();
      const dying = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, to) {
          if (left-- === 0) process.kill();
          to.enqueue(bytes);
        },
      });
      return { ...process, stdout: process.stdout.pipeThrough(dying) };
    },
  };
}

testWithDocker("a program waits for who takes its output, and never runs far ahead", async () => {
  await using container = await ownContainer();
  // What it has written by now it says beside it, in a file.
  const program = "n=0; while [ $n -lt 120 ]; do dd if=/dev/zero bs=1048576 count=1 2>/dev/null; " +
    "n=$((n + 1)); echo $n >written; done";
  let size = 0, ahead = 0, looks = 0;
  const end = await container.exec(program, {
    async take({ bytes }) {
      size += bytes.length;
      if (size < (looks + 1) * 20 * 1_048_576) return;
      looks++;
      const { stdout } = await container.run("cat written");
      ahead = Math.max(ahead, Number(stdout) * 1_048_576 - size);
    },
  });
  assert.deepEqual([end.exit_code, size], [0, 120 * 1_048_576]);
  assert.ok(looks >= 5 && ahead < 8 * 1_048_576, `${ahead} bytes ahead`);
});

testInEach("signals reach the command and what came of it", async ({ run, signal }) => {
  const on = (id: string, name: string) => {
    let sent: Promise<void> | undefined;
    const take = () => void (sent ??= signal(id, name));
    return { how: { id, take }, sent: () => sent };
  };
  const term = on("s1", "TERM");
  assert.equal((await run("echo up; sleep 1000", term.how)).exit_code, 143);
  const int = on("s2", "INT");
  const caught = await run(
    "trap 'echo caught; exit 5' INT; echo up; while :; do sleep 0.05; done",
    int.how,
  );
  assert.deepEqual([caught.exit_code, caught.stdout], [5, "up\ncaught\n"]);
  const kill = on("s3", "KILL");
  const stubborn =
    "trap '' TERM; (setsid sleep 1001 & sleep 1002 & ) ; env -i sleep 1003 & echo up; while :; do sleep 0.05; done";
  assert.equal((await run(stubborn, kill.how)).exit_code, 137);
  await Promise.all([term.sent(), int.sent(), kill.sent()]);
  const left = await run("grep -l 'sleep.100[123]' /proc/[0-9]*/cmdline 2>/dev/null");
  assert.equal(left.stdout, "");
  // The container goes on, and a command that has ended is no error.
  await signal("s3", "KILL");
  await signal("never-was", "TERM");
  await assert.rejects(signal("s1", "SEGV"), (error) => hasCode(error, "invalid_request"));
});

testInEach("more memory than there is", async ({ exec, run }) => {
  const hungry = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}";
  const out = await run(hungry);
  assert.equal(out.out_of_memory, true);
  assert.notEqual(out.stdout, "200000000\n");
  assert.deepEqual(await run("echo after"), {
    exit_code: 0,
    out_of_memory: false,
    stdout: "after\n",
    stderr: "",
  });
  // Whoever waits for the command may be what the kernel ends: the reason is the same.
  await assert.rejects(
    exec(`(${hungry}); kill -9 $PPID; sleep 1000`),
    (error) => hasCode(error, "out_of_memory"),
  );
  // It was before this one.
  await assert.rejects(exec("kill -9 $PPID; sleep 1000"), (error) => hasCode(error, "interrupted"));
}, { max_memory_mb: 96 });

testInEach(
  "as many processes as there may be",
  async ({ exec, run, signal }) => {
    const bomb = "b() { b | b & }; echo up; b; while :; do sleep 1; done";
    const failed = exec(bomb, { id: "bomb" }).then(() => undefined, (error) => error);
    await exec("true", { id: "other" }).catch(() => {});
    let error: unknown;
    do error = await signal("bomb", "KILL").then(() => undefined, (error) => error); while (error);
    const end = await failed;
    if (end !== undefined) {
      assert.ok(hasCode(end, "interrupted") || hasCode(end, "quota_exceeded"), end);
    }
    assert.equal((await run("echo after")).stdout, "after\n");
    // A bash that cannot fork tries it again for half a minute, and each of hundreds does.
  },
  {},
  ["dash"],
);

testInEach("a program that disturbs what carries its output", async ({ exec, run }) => {
  const interrupted = (error: unknown) => hasCode(error, "interrupted");
  await assert.rejects(exec("rm -rf /run/agentd/*; echo x; sleep 1000"), interrupted);
  await assert.rejects(exec("kill -9 $PPID; sleep 1000"), interrupted);
  // It finds who feeds it, and speaks in its place.
  const speaking = (id: string, what: string) =>
    exec(`for f in /run/agentd/${id}/f.*; do ${what} >/proc/\${f##*.}/fd/1; done; sleep 1000`, {
      id,
    });
  await assert.rejects(speaking("long", "head -c 1000000 /dev/zero"), interrupted);
  await assert.rejects(speaking("large", "echo o 5 99999"), interrupted);
  await assert.rejects(speaking("gap", "printf 'o 77777 1\\nx.\\n'"), interrupted);
  assert.equal((await run("echo after")).stdout, "after\n");
});

testInEach("more input than there is room for it", async ({ exec, run }) => {
  await run("head -c 15600000 /dev/zero >/run/agentd/full");
  await assert.rejects(
    exec("cat", { stdin: new Uint8Array(1_000_000) }),
    (error) => hasCode(error, "quota_exceeded"),
  );
  await run("rm /run/agentd/full");
});

testWithDocker(
  "a container that ends under a command, one that is gone, and an engine that is",
  async () => {
    await using container = await ownContainer();
    const interrupted = (error: unknown) => hasCode(error, "interrupted");
    const ended = container.exec("echo up; sleep 1000", {
      id: "last",
      take: async () => void await docker(["rm", "-f", container.name]),
    });
    await assert.rejects(ended, interrupted);
    await assert.rejects(container.exec("true"), interrupted);
    await assert.rejects(container.exec("true", { from: { stdout: 0, stderr: 0 } }), interrupted);
    await container.signal("last", "KILL");
    const cli = dockerCli({ env: { DOCKER_HOST: "unix:///nonexistent/docker.sock" } });
    const isDown = (error: unknown) => hasCode(error, "provider_unavailable");
    await assert.rejects(container.exec("true", { cli }), isDown);
  },
);

testWithDocker("letting go of a command does not end it", async () => {
  await using container = await ownContainer();
  const { exec, run, files } = container;
  const gone = new AbortController();
  const script = "echo a; until [ -e go ]; do sleep 0.01; done; echo b";
  let position: OutputPosition | undefined;
  const first = exec(script, {
    id: "x",
    signal: gone.signal,
    take(output) {
      position = output.position;
      gone.abort(new Error("let go"));
    },
  });
  await assert.rejects(first, /let go/);
  await files.write("go", bytesOf(""));
  const rest = await run(script, { id: "x", from: position! });
  assert.deepEqual([rest.stdout, rest.exit_code], ["b\n", 0]);
  await assert.rejects(
    exec("true", { id: "never-was", from: { stdout: 0, stderr: 0 } }),
    (error) => hasCode(error, "interrupted"),
  );
});
