import assert from "../../assert.ts";
import { SECCOMP_PROFILE } from "../../../src/providers/containers/seccomp.ts";
import { busyboxTree, docker, dockerSays, image, testWithDocker } from "../../docker/engine.ts";
import { hasCode } from "../../../src/fs/error.ts";
import { dockerCli } from "../../../src/providers/containers/cli.ts";
import { type House, sessionContainer } from "../../../src/providers/containers/container.ts";
import { lossOf } from "../../../src/providers/containers/listed.ts";
import {
  type Sessions,
  sessionsOf,
  SPARED_MS,
} from "../../../src/providers/containers/sessions.ts";
import { inside, NEVER, ownHome } from "./home.ts";

function sessionsIn(house: House, now = Date.now): Sessions {
  return sessionsOf(dockerCli(), house, () => false, now);
}

async function inspected(session: string) {
  const [found] = JSON.parse(await dockerSays(["inspect", sessionContainer(session)]));
  return found;
}

async function idOf(session: string): Promise<string> {
  return (await inspected(session)).Id;
}

testWithDocker("a session's container has every wall that the engine has", async () => {
  await using home = await ownHome();
  const spec = home.spec();
  const sessions = sessionsIn(home.house);
  await sessions.start(spec, NEVER);
  const { Config, HostConfig, Mounts, State } = await inspected(spec.session_id);
  assert.partialDeepStrictEqual(HostConfig, {
    NetworkMode: "none",
    Memory: 64 * 2 ** 20,
    MemorySwap: 64 * 2 ** 20,
    NanoCpus: 5e8,
    PidsLimit: 512,
    CapDrop: ["ALL"],
    ReadonlyRootfs: true,
    Privileged: false,
    Init: true,
    IpcMode: "private",
    CgroupnsMode: "private",
    PidMode: "",
    AutoRemove: false,
    RestartPolicy: { Name: "no" },
    LogConfig: { Type: "none" },
    ShmSize: 8 * 2 ** 20,
  });
  assert.ok(HostConfig.SecurityOpt.includes("no-new-privileges"));
  assert.ok(HostConfig.SecurityOpt.includes(`seccomp=${SECCOMP_PROFILE}`));
  assert.deepEqual(Object.keys(HostConfig.Tmpfs).sort(), ["/run/agentd", "/tmp", "/work"]);
  assert.equal(HostConfig.Binds, null);
  assert.ok(!HostConfig.CapAdd?.length && !HostConfig.Devices?.length);
  assert.ok(!HostConfig.VolumesFrom?.length && !HostConfig.PublishAllPorts);
  assert.deepEqual(Mounts, []);
  assert.equal(Config.User, "65534:65534");
  assert.deepEqual(Config.Healthcheck, { Test: ["NONE"] });
  assert.partialDeepStrictEqual(Config.Labels, {
    "agentd.home": home.house.home,
    "agentd.agent": "tester",
    "agentd.session": spec.session_id,
    "agentd.image": spec.image,
    "agentd.role": "session",
    "agentd.ends_with_runtime": "true",
  });
  assert.equal(State.Running, true);
});

testWithDocker(
  "what runs in it is nobody, without rights, behind its limits, and alone",
  async () => {
    await using home = await ownHome();
    const spec = home.spec();
    await sessionsIn(home.house).start(spec, NEVER);
    const seen = (script: string) => inside(spec.session_id, script);
    assert.equal(
      await seen("echo $(id -u) $(id -g) $(id -G) $PWD $HOME"),
      "65534 65534 65534 /work /work",
    );
    assert.equal(
      await seen("grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status | tr -s '\\t\\n' ' '"),
      ["Inh", "Prm", "Eff", "Bnd", "Amb"].map((set) => `Cap${set}: 0000000000000000 `).join("") +
        "NoNewPrivs: 1 Seccomp: 2",
    );
    assert.equal(
      await seen(
        "cd /; for d in /* /etc/x /usr/x; do touch $d/y 2>/dev/null && echo $d; done; true",
      ),
      "/tmp\n/work",
    );
    assert.equal(
      await seen("ls /sys/class/net; cut -d: -f1 /proc/net/dev | tail -n +3"),
      "lo\n    lo",
    );
    assert.equal(await seen("ulimit -n; ulimit -c"), "4096\n0");
    assert.match(
      await seen("dd if=/dev/zero of=full bs=1M count=9 2>&1; wc -c < full"),
      /No space left[^]*\n8388608$/,
    );
    assert.match(
      await seen("dd if=/dev/zero of=/tmp/full bs=1M count=9 2>&1; wc -c < /tmp/full"),
      /No space left[^]*\n2097152$/,
    );
    assert.equal(await seen("stat -c %u /work; stat -c '%a %u' /run/agentd"), "65534\n700 65534");
    assert.equal(
      await seen(
        "printf '#!/bin/sh\\necho ran' > /run/agentd/x; chmod +x /run/agentd/x; /run/agentd/x 2>/dev/null || echo refused",
      ),
      "refused",
    );
    assert.equal(
      await seen("ls /var/run/docker.sock /dev/vda /dev/kmsg /dev/mem 2>/dev/null | wc -l"),
      "0",
    );
  },
);

testWithDocker(
  "a session that may have a network has the engine's, and root's commands are root without capabilities",
  async () => {
    await using home = await ownHome();
    const { limits } = home.spec();
    const spec = home.spec({ limits: { ...limits, allow_network: true }, allow_root: true });
    await sessionsIn(home.house).start(spec, NEVER);
    assert.equal((await inspected(spec.session_id)).HostConfig.NetworkMode, "bridge");
    assert.equal(
      await inside(
        spec.session_id,
        "id -u; grep CapEff /proc/self/status; touch x; stat -c %u x; ls /sys/class/net",
      ),
      "0\nCapEff:\t0000000000000000\n0\neth0\nlo",
    );
  },
);

testWithDocker(
  "it ends by itself a minute after it has expired, whatever becomes of the runtime",
  async () => {
    await using home = await ownHome();
    const now = Date.now();
    const program = async (session: string) => {
      const { Path, Args } = await inspected(session);
      return [Path, ...Args];
    };
    const spec = home.spec({ expires_at: now + 10_000 });
    await sessionsIn(home.house, () => now).start(spec, NEVER);
    assert.deepEqual(await program(spec.session_id), ["sleep", "70"]);
    const late = home.spec({ expires_at: now - 61_000 });
    await sessionsIn(home.house, () => now).start(late, NEVER);
    assert.deepEqual(await program(late.session_id), ["sleep", "60"]);
  },
);

testWithDocker(
  "an image's program and its volumes are not used: they would be outside of all limits",
  async () => {
    await using home = await ownHome();
    const base = home.spec().image;
    const built = `agentd-test/volumes-${crypto.randomUUID()}:1`;
    const file =
      `FROM ${base}\nVOLUME /data /data/deeper/\nENTRYPOINT ["false"]\nHEALTHCHECK CMD touch /tmp/x\n`;
    await dockerSays(["build", "-q", "-t", built, "-"], new TextEncoder().encode(file));
    try {
      const spec = home.spec({ image: built });
      await sessionsIn(home.house).start(spec, NEVER);
      const { Mounts, State } = await inspected(spec.session_id);
      assert.deepEqual([Mounts, State.Running, State.Health], [[], true, undefined]);
      const script =
        "mount | grep -c 'tmpfs on /data'; touch /data/x /data/deeper/y && echo written";
      assert.equal(await inside(spec.session_id, script), "2\nwritten");
      await sessionsIn(home.house).stop(spec.session_id);
    } finally {
      await docker(["rmi", built]);
    }
  },
);

testWithDocker(
  "a session that may have more processors than there are has those, and any fraction of one",
  async () => {
    await using home = await ownHome();
    const sessions = sessionsIn(home.house);
    const cores = Number(await dockerSays(["info", "--format", "{{.NCPU}}"]));
    const { limits } = home.spec();
    for (const [asked, had] of [[256, cores], [0.123456789012, 0.123]] as const) {
      const spec = home.spec({ limits: { ...limits, max_cpu_cores: asked } });
      await sessions.start(spec, NEVER);
      assert.equal((await inspected(spec.session_id)).HostConfig.NanoCpus, had * 1e9);
    }
  },
);

testWithDocker("a second start finds the container of the first, with what is in it", async () => {
  await using home = await ownHome();
  const spec = home.spec();
  await sessionsIn(home.house).start(spec, NEVER);
  const before = await idOf(spec.session_id);
  await inside(spec.session_id, "echo kept > file");
  // As after a restart of the runtime: nothing is remembered but the session's id.
  const later = sessionsIn(home.house);
  assert.equal(await later.state(spec.session_id), "running");
  await Promise.all([later.start(spec, NEVER), later.start(spec, NEVER)]);
  assert.equal(await idOf(spec.session_id), before);
  assert.equal(await inside(spec.session_id, "cat file"), "kept");
});

testWithDocker("a container that has ended makes room for its session's next one", async () => {
  await using home = await ownHome();
  const spec = home.spec(), sessions = sessionsIn(home.house);
  await sessions.start(spec, NEVER);
  const before = await idOf(spec.session_id);
  await dockerSays(["kill", sessionContainer(spec.session_id)]);
  assert.equal(await sessions.state(spec.session_id), "absent");
  await sessions.start(spec, NEVER);
  assert.equal(await sessions.state(spec.session_id), "running");
  assert.notEqual(await idOf(spec.session_id), before);
});

testWithDocker("a session is stopped once and stays so; one that never was is absent", async () => {
  await using home = await ownHome();
  const spec = home.spec(), sessions = sessionsIn(home.house);
  assert.equal(await sessions.state(spec.session_id), "absent");
  await sessions.stop(spec.session_id);
  await sessions.start(spec, NEVER);
  await Promise.all([sessions.stop(spec.session_id), sessions.stop(spec.session_id)]);
  assert.deepEqual(await home.names(), []);
  assert.equal(await sessions.state(spec.session_id), "absent");
});

testWithDocker("another runtime's session of the same name is left alone", async () => {
  await using home = await ownHome();
  await using other = await ownHome();
  const spec = home.spec();
  await sessionsIn(home.house).start(spec, NEVER);
  const theirs = sessionsIn(other.house);
  assert.equal(await theirs.state(spec.session_id), "absent");
  await assert.rejects(() => theirs.start(spec, NEVER), (error) => hasCode(error, "conflict"));
  await theirs.stop(spec.session_id);
  await theirs.sweep(false);
  assert.deepEqual(await home.names(), [sessionContainer(spec.session_id)]);
});

testWithDocker("a sweep removes what nobody holds, running or not, and nothing else", async () => {
  await using home = await ownHome();
  const sessions = sessionsIn(home.house);
  const held = home.spec(), orphan = home.spec(), dead = home.spec(), again = home.spec();
  for (const spec of [held, orphan, dead, again]) await sessions.start(spec, NEVER);
  await dockerSays(["kill", sessionContainer(dead.session_id)]);
  sessions.hold(held.session_id);
  sessions.hold(again.session_id);
  sessions.hold(again.session_id);
  sessions.release(again.session_id);
  assert.equal(await sessions.sweep(false), 2);
  const kept = [held, again].map((spec) => sessionContainer(spec.session_id)).sort();
  assert.deepEqual(await home.names(), kept);
  sessions.release(held.session_id);
  assert.equal(await sessions.sweep(false), 1);
});

testWithDocker("what was let go a moment ago is spared by the sweeps of every minute", async () => {
  await using home = await ownHome();
  let now = Date.now();
  const sessions = sessionsIn(home.house, () => now);
  const spec = home.spec();
  sessions.hold(spec.session_id);
  await sessions.start(spec, NEVER);
  sessions.release(spec.session_id);
  assert.equal(await sessions.sweep(true), 0);
  now += SPARED_MS;
  assert.equal(await sessions.sweep(true), 1);
});

testWithDocker("at the end those go that shall not outlive the runtime", async () => {
  await using home = await ownHome();
  const sessions = sessionsIn(home.house);
  const ends = home.spec(), stays = home.spec({ ends_with_runtime: false });
  for (const spec of [ends, stays]) {
    sessions.hold(spec.session_id);
    await sessions.start(spec, NEVER);
  }
  await sessions.close();
  assert.deepEqual(await home.names(), [sessionContainer(stays.session_id)]);
});

testWithDocker("who aborts a start is answered at once and leaves no container", async () => {
  await using home = await ownHome();
  const sessions = sessionsIn(home.house), spec = home.spec();
  const control = new AbortController(), reason = new Error("enough");
  const started = sessions.start(spec, control.signal);
  control.abort(reason);
  await assert.rejects(started, reason);
  await assert.rejects(sessions.start(spec, control.signal), reason);
  // It comes after what was begun for the first.
  await sessions.start(spec, NEVER);
  assert.equal(await sessions.state(spec.session_id), "running");
  const late = new AbortController(), another = home.spec();
  const begun = sessions.start(another, late.signal);
  while ((await home.names()).length < 2) await Promise.resolve();
  late.abort(reason);
  await begun.catch((error) => assert.equal(error, reason));
  await sessions.stop(another.session_id);
  assert.deepEqual(await home.names(), [sessionContainer(spec.session_id)]);
});

testWithDocker(
  "an image that is not there, or is named by the beginning of its digest, is not found",
  async () => {
    await using home = await ownHome();
    const sessions = sessionsIn(home.house);
    const id = await dockerSays(["image", "inspect", "--format", "{{.Id}}", home.spec().image]);
    const short = id.slice("sha256:".length, "sha256:".length + 12);
    for (const image of ["agentd-test/absent:1", short, id]) {
      const spec = home.spec({ image });
      await assert.rejects(
        () => sessions.start(spec, NEVER),
        (error) => hasCode(error, "not_found"),
      );
    }
    for (const image of ["--privileged", "a b", "", "x:1 --volume=/:/host"]) {
      const spec = home.spec({ image });
      await assert.rejects(
        () => sessions.start(spec, NEVER),
        (error) => hasCode(error, "invalid_request"),
        image,
      );
    }
    await assert.rejects(
      () => sessions.start(home.spec({ session_id: "../x y" }), NEVER),
      (error) => hasCode(error, "invalid_request"),
    );
    assert.deepEqual(await home.names(), []);
  },
);

testWithDocker(
  "a runtime or a network that the engine does not have is told as a matter of the settings",
  async () => {
    await using home = await ownHome();
    const spec = home.spec();
    const network = { ...home.spec().limits, allow_network: true };
    const runsc = sessionsIn({ ...home.house, runtime: "no-such-runtime" });
    await assert.rejects(() => runsc.start(spec, NEVER), /containers\.docker\.runtime/);
    const nowhere = sessionsIn({ ...home.house, network: "no-such-network" });
    await assert.rejects(
      () => nowhere.start({ ...spec, limits: network }, NEVER),
      /containers\.docker\.network/,
    );
    assert.deepEqual(await home.names(), []);
  },
);

testWithDocker(
  "why a session is lost is told apart: ended, or ended for want of memory",
  async () => {
    await using home = await ownHome();
    const sessions = sessionsIn(home.house), spec = home.spec();
    const name = sessionContainer(spec.session_id);
    assert.equal((await lossOf(home.cli, name)).code, "interrupted");
    await sessions.start(spec, NEVER);
    assert.equal((await lossOf(home.cli, name)).code, "provider_unavailable");
    await dockerSays(["kill", name]);
    assert.equal((await lossOf(home.cli, name)).code, "interrupted");
  },
);

testWithDocker("a session whose image has no programs is lost with the reason", async () => {
  await using home = await ownHome();
  const bare = await image("agentd-test/bare:1", "1", async (dir) => {
    await busyboxTree(dir);
    await Deno.remove(`${dir}/bin`, { recursive: true });
  });
  const spec = home.spec({ image: bare }), name = sessionContainer(spec.session_id);
  await sessionsIn(home.house).start(spec, NEVER);
  await dockerSays(["wait", name]);
  assert.equal(await sessionsIn(home.house).state(spec.session_id), "absent");
  const { code, detail } = await lossOf(home.cli, name);
  assert.equal(code, "invalid_request");
  assert.match(detail ?? "", /image has no sleep/);
});
