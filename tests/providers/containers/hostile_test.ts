import { deepEqual, equal, match, ok, rejects } from "../../assert.ts";
import { docker, dockerSays, image, testWithDocker } from "../../docker/engine.ts";
import { busyboxTree } from "../../docker/engine.ts";
import { FileError, hasCode } from "../../../src/fs/error.ts";
import { type OwnSession, ownSession } from "./own_session.ts";

/** A command that spoils the way to it may be waited for until its time is over, as one that never ends. */
const PATIENCE_MS = 3_000;

/** What a hostile command comes to: its own end, an error of the closed list, or the end of its time; anything else is a fault of ours. */
async function comesToAnEnd(session: OwnSession, command: string): Promise<void> {
  const enough = AbortSignal.timeout(PATIENCE_MS);
  try {
    await session.run(command, enough);
  } catch (error) {
    ok(error instanceof FileError || error === enough.reason, String(error));
  }
}

/** That somebody else goes on undisturbed, on the same provider. */
async function isWell(session: OwnSession): Promise<void> {
  const { exit_code, out, err } = await session.run("echo well");
  deepEqual({ exit_code, out, err }, { exit_code: 0, out: "well\n", err: "" });
}

/** Says to whoever reads the command's output, past all that is in between. */
const INTO_EVERY_PIPE = (text: string) =>
  `for pipe in /proc/[0-9]*/fd/[0-9]*; do
     [ -p $pipe ] && { timeout 1 sh -c '${text}' >$pipe; } 2>/dev/null &
   done; wait`;

testWithDocker(
  "what forges its own output's frames spoils its own result at the most",
  async () => {
    await using session = await ownSession({ limits: { max_memory_mb: 128 } });
    const other = await session.beside();
    const lies = [
      'printf "x 0 0\\n"',
      'printf "o 0 99999999999999999999\\n"',
      'printf "o -1 5\\nhello."',
      'printf "h 00000000000000000000000000000000\\n"',
      'printf "r lost\\n"',
      "cat /dev/zero",
      "yes",
      "head -c 3000000 /dev/urandom",
    ];
    for (const lie of lies) {
      await comesToAnEnd(session, `${INTO_EVERY_PIPE(lie)}; exit 3`);
      await isWell(other);
    }
    await session.provider.stop(session.id);
  },
);

for (
  const [what, how] of Object.entries({
    "removes agentd's directory": "rm -rf /run/agentd/* /run/agentd/.*; echo done; exit 3",
    "fills agentd's directory": "dd if=/dev/zero of=/run/agentd/fill bs=64k; echo done; exit 3",
    "turns agentd's files into others":
      "for f in /run/agentd/*/*; do rm -rf $f; mkdir $f; done; echo done; exit 3",
    "makes agentd's files links":
      "for f in /run/agentd/*/*; do ln -sf /dev/zero $f; done; echo done; exit 3",
    "ends every other process": "kill -9 -1; echo done; exit 3",
    "ends the init": "kill -9 1; kill 1; echo done; exit 3",
    "closes its output": "exec >&- 2>&-; exit 3",
  })
) {
  testWithDocker(`a command that ${what} harms nobody but itself`, async () => {
    await using session = await ownSession();
    const other = await session.beside();
    await comesToAnEnd(session, how);
    await isWell(other);
    await session.provider.stop(session.id);
    equal(await session.provider.state(session.id), "absent");
    await isWell(other);
  });
}

testWithDocker(
  "a session whose processes are all stopped can be let go of, and ended",
  async () => {
    await using session = await ownSession();
    const other = await session.beside();
    const all = "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = $$ ] || kill -STOP $p; done";
    await comesToAnEnd(session, `${all}; sleep 1000`);
    await isWell(other);
    await session.provider.stop(session.id);
    equal(await session.provider.state(session.id), "absent");
  },
);

testWithDocker(
  "a link out of the work directory leads nowhere for whoever comes by files",
  async () => {
    await using session = await ownSession();
    const { files } = session;
    const host = await Deno.makeTempFile({ prefix: "agentd-mark-" });
    try {
      await Deno.writeTextFile(host, "what no session may read");
      const targets = [
        "/etc/passwd",
        host,
        "/proc/1/environ",
        "/proc/self/root/etc/passwd",
        "../etc/passwd",
        "/run/agentd",
        "/",
      ];
      const made = targets.map((target, n) => `ln -s ${target} out${n}`).join("; ");
      await session.run(`${made}; mkdir in; echo x >in/side; ln -s in/side link; ln -s / in/deep`);
      for (const n of targets.keys()) {
        const read = Array.fromAsync(files.read(`out${n}`, { offset: 0, length: 100 }));
        await rejects(
          read,
          (e) =>
            ["permission_denied", "not_found", "is_directory"].some((code) =>
              hasCode(e, code as "not_found")
            ),
        );
        await rejects(files.write(`out${n}/x`, new Uint8Array(1)));
        await rejects(files.list(`out${n}`));
      }
      await rejects(files.write("out0", new TextEncoder().encode("mine")));
      await rejects(files.list("in/deep/etc"));
      await rejects(Array.fromAsync(files.read("in/deep/etc/passwd", { offset: 0, length: 9 })));
      const within = await Array.fromAsync(files.read("link", { offset: 0, length: 9 }));
      equal(
        within.map((bytes) => new TextDecoder().decode(bytes)).join(""),
        "x\n",
      );
      deepEqual(await files.walk(100), [{ path: "in/side", size: 2 }]);
      equal((await session.run("cat /etc/passwd | wc -l")).out, "2\n");
      equal(await Deno.readTextFile(host), "what no session may read");
      // Removing a link removes the link.
      await files.remove("out0");
      equal(
        (await session.run("[ -e /etc/passwd ] && ! [ -L out0 ] && echo right")).out,
        "right\n",
      );
    } finally {
      await Deno.remove(host);
    }
  },
);

testWithDocker(
  "a link that changes while it is looked at never shows a file of the host",
  async () => {
    await using session = await ownSession();
    const host = await Deno.makeTempFile({ prefix: "agentd-mark-" });
    try {
      await Deno.writeTextFile(host, "what no session may read");
      const leaving = new AbortController();
      const swap = `echo begun; while :; do rm -f f; echo own >f; rm -f f; ln -s ${host} f; done`;
      const { ended } = await session.begin("swap", swap, leaving.signal);
      for (let n = 0; n < 12; n++) {
        const read = await Array.fromAsync(session.files.read("f", { offset: 0, length: 100 }))
          .catch(() => []);
        const text = read.map((bytes) => new TextDecoder().decode(bytes)).join("");
        ok(text === "own\n" || text === "", text);
      }
      leaving.abort();
      // A shell that cannot fork any more ends by itself, which is no concern of who reads.
      await Promise.allSettled([ended]);
    } finally {
      await Deno.remove(host);
    }
  },
);

testWithDocker("what is no file is not read, and nobody waits for it", async () => {
  await using session = await ownSession();
  await session.run(
    "mkfifo pipe; ln -s /dev/zero zero; mkfifo in; truncate -s 1T sparse || : >sparse; mkdir d",
  );
  const read = (path: string) =>
    Array.fromAsync(session.files.read(path, { offset: 0, length: 10 }));
  for (const path of ["pipe", "zero", "d"]) await rejects(read(path), FileError);
  await rejects(session.files.write("d", new Uint8Array(1)), FileError);
  ok((await read("sparse")).reduce((sum, bytes) => sum + bytes.length, 0) <= 10);
});

testWithDocker("names that a shell would take for more than names are names", async () => {
  await using session = await ownSession();
  const names = [
    "with space",
    "quote's",
    'double"quote',
    "line\nbreak",
    "$(touch evil)",
    "`touch evil`",
    ";touch evil",
    "-rf",
    "--",
    "*",
    "~",
    "tab\t",
    "\\back",
    "ünïcode ☃",
    "a".repeat(255),
    "#x",
    "a=b",
    "%2e%2e",
    "...",
  ];
  for (const name of names) {
    await session.files.write(name, new TextEncoder().encode(name));
    const read = await Array.fromAsync(session.files.read(name, { offset: 0, length: 1_000 }));
    equal(read.map((bytes) => new TextDecoder().decode(bytes)).join(""), name);
  }
  deepEqual((await session.files.list("")).map(({ name }) => name).sort(), names.toSorted());
  deepEqual((await session.files.walk(100)).map(({ path }) => path).sort(), names.toSorted());
  for (const name of names) await session.files.remove(name);
  deepEqual(await session.files.list(""), []);
  for (
    const path of [
      "..",
      "../x",
      "a/../../x",
      "/etc/passwd",
      "a//b",
      ".",
      "./a",
      "a\0b",
      "a".repeat(256),
      "a/",
    ]
  ) {
    await rejects(
      session.files.write(path, new Uint8Array(1)),
      (e) => hasCode(e, "invalid_path"),
      path,
    );
  }
});

testWithDocker(
  "directories without end and files without number are walked within bounds",
  async () => {
    await using session = await ownSession();
    const deep =
      "for n in $(seq 400); do mkdir d && cd d || break; done; cd /work; mkdir many; cd many; for n in $(seq 3000); do : >$n; done";
    await session.run(deep);
    equal((await session.files.walk(100)).length, 100);
    await session.files.remove("d");
    await session.files.remove("many");
    deepEqual(await session.files.walk(100), []);
  },
);

testWithDocker("nothing of a session outlives it on the host", async () => {
  await using session = await ownSession();
  const seconds = String(100_000 + crypto.getRandomValues(new Uint16Array(1))[0]!);
  await session.run(
    `setsid sleep ${seconds} >/dev/null 2>&1 & (sleep ${seconds} &) ; trap '' TERM`,
  );
  const there = async () => {
    const said = await dockerSays(["top", session.container, "-eo", "pid,args"]);
    return said.split("\n").filter((line) => line.includes(`sleep ${seconds}`))
      .map((line) => Number(line.trim().split(" ")[0]));
  };
  let pids = await there();
  while (pids.length < 2) pids = await there();
  await session.provider.stop(session.id);
  for (const pid of pids) {
    const words = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    ok(!words.includes(seconds), words);
  }
});

testWithDocker("KILL ends a command that ignores every signal, and all that it began", async () => {
  await using session = await ownSession();
  const stubborn =
    `trap "" TERM INT HUP QUIT; (setsid sh -c 'trap "" TERM INT HUP; while :; do sleep 77; done') & echo begun; while :; do sleep 77; done`;
  const { ended } = await session.begin("stubborn", stubborn);
  await session.provider.signal(session.id, "stubborn", "TERM");
  equal(await session.provider.state(session.id), "running");
  await session.provider.signal(session.id, "stubborn", "KILL");
  equal((await ended).exit_code, 137);
  const left = (await dockerSays(["top", session.container, "-eo", "pid,args"])).split("\n");
  deepEqual(left.filter((line) => line.includes("sleep 77")), []);
  for (const name of ["KILL; touch evil", "$(touch evil)", "0", "-9", ""]) {
    await rejects(session.provider.signal(session.id, "stubborn", name), FileError);
  }
  deepEqual(await session.files.walk(9), []);
});

testWithDocker(
  "who fills a session with processes or memory does not reach beyond it",
  async () => {
    await using session = await ownSession({ limits: { max_memory_mb: 96 } });
    const other = await session.beside();
    const leaving = new AbortController();
    const bomb =
      "echo begun; until [ -e go ]; do sleep 0.1; done; bomb() { bomb | bomb & }; bomb; sleep 1000";
    const { ended } = await session.begin("bomb", bomb, leaving.signal);
    // There may soon be no room for what carries its words.
    await session.files.write("go", new Uint8Array());
    // It is let go of, or was found to be out of reach before.
    const over = rejects(ended);
    for (let n = 0; n < 5; n++) await isWell(other);
    leaving.abort();
    await over;
    await session.provider.stop(session.id);
    await isWell(other);
    const third = await session.beside({
      limits: { ...session.home.spec().limits, max_memory_mb: 64 },
    });
    // Of what runs there the kernel may have taken what carries the output too: it is told as the same.
    const grown = await third.run("a=x; while :; do a=$a$a; done")
      .then(({ exit_code, out_of_memory }) => [exit_code, out_of_memory], ({ code }) => code);
    if (grown !== "out_of_memory") deepEqual(grown, [137, true]);
    await isWell(third);
    const full = await third.run(
      "dd if=/dev/zero of=fill bs=1M; [ $(stat -c %s fill) -le 8388608 ] && echo held; rm fill",
    );
    equal(full.out, "held\n");
    await isWell(other);
  },
);

testWithDocker(
  "more commands at once than a session has room for are refused, and nobody waits for ever",
  async () => {
    await using session = await ownSession();
    const other = await session.beside();
    const all = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) => session.run(`echo ${n}; sleep 0.2`)),
    );
    for (const one of all) {
      if (one.status === "fulfilled") equal(one.value.exit_code, 0);
      else ok(one.reason instanceof FileError, String(one.reason));
    }
    ok(all.some(({ status }) => status === "fulfilled"));
    await isWell(other);
    await isWell(session);
  },
);

testWithDocker("an image has no say in how its session is kept", async () => {
  const changes = [
    'ENTRYPOINT ["/bin/sh","-c","touch /tmp/ran; sleep 1000"]',
    "WORKDIR /proc/self/fd/8",
    "USER 0:0",
    "ENV LD_PRELOAD=/evil.so ENV=/evil.sh PATH=/bin:/usr/bin AGENTD_EXEC=x",
    "VOLUME /data",
    "EXPOSE 80",
    "HEALTHCHECK --interval=1s CMD touch /tmp/checked",
    "LABEL agentd.home=somebody agentd.session=else",
  ];
  const plain = await image("agentd-test/plain:1", "1", busyboxTree);
  const name = `agentd-test/own-mind-${crypto.randomUUID()}:1`;
  const from = await dockerSays(["create", plain]);
  try {
    await dockerSays(["commit", ...changes.flatMap((one) => ["-c", one]), from, name]);
    await using session = await ownSession({ image: name });
    const seen = await session.run(
      "id -u; pwd; ls /tmp; cat /proc/1/cmdline | tr '\\0' ' '; stat -f -c %T /data 2>/dev/null",
    );
    match(seen.out, /^65534\n\/work\n[^\n]*init[^\n]*sleep \d+ (tmpfs\n)?$/);
    const [found] = JSON.parse(await dockerSays(["inspect", session.container]));
    equal(found.Config.User, "65534:65534");
    deepEqual(found.Config.Healthcheck.Test, ["NONE"]);
    equal(found.Config.Labels["agentd.home"], session.home.house.home);
    deepEqual(found.Mounts, []);
    await session.provider.stop(session.id);
  } finally {
    await docker(["rm", "-f", from]);
    await docker(["rmi", "-f", name]);
  }
});
