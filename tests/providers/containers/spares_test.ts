import assert from "../../assert.ts";
import type { SessionSpec } from "../../../src/core/containers.ts";
import { sessionContainer } from "../../../src/providers/containers/container.ts";
import { type Sessions, sessionsOf } from "../../../src/providers/containers/sessions.ts";
import {
  type Spares,
  sparesOf,
  type SparesOptions,
} from "../../../src/providers/containers/spares.ts";
import { dockerSays, testWithDocker } from "../../docker/engine.ts";
import { MISSING_SHELLS, shellImage, SHELLS } from "../../docker/shell_images.ts";
import { needs } from "../../needs.ts";
import { inside, NEVER, type OwnHome, ownHome } from "./home.ts";

interface Own extends AsyncDisposable {
  readonly sessions: Sessions;
  readonly spares: Spares;
  /** Starts a session, and gives the id of its container once the next one waits. */
  begin(spec: SessionSpec): Promise<string>;
}

/** A life of a runtime. */
function life(home: OwnHome, options: Partial<SparesOptions> = {}): Own {
  const now = Date.now;
  const spares = sparesOf(home.cli, home.house, { most: 2, afterMs: 0, ...options }, now);
  const sessions = sessionsOf(home.cli, home.house, () => false, now, spares);
  return {
    sessions,
    spares,
    async begin(spec) {
      await sessions.start(spec, NEVER);
      const id = await idOf(sessionContainer(spec.session_id));
      await spares.idle();
      return id;
    },
    [Symbol.asyncDispose]: () => spares.close(),
  };
}

async function inspected(name: string) {
  return JSON.parse(await dockerSays(["inspect", name]))[0];
}

async function idOf(name: string): Promise<string> {
  return (await inspected(name)).Id;
}

async function waiting(home: OwnHome): Promise<string[]> {
  return (await home.names()).filter((name) => name.startsWith("agentd_spare-"));
}

/** The only one that waits. */
async function only(home: OwnHome): Promise<string> {
  const [name, ...more] = await waiting(home);
  assert.deepEqual(more, []);
  assert.ok(name !== undefined, "nothing waits");
  return name;
}

/** What a session's container runs beside its first process: command lines, without what looks. */
async function running(session: string): Promise<string[]> {
  const script = `for p in /proc/[2-9]* /proc/1[0-9]*; do
    p=\${p#/proc/}
    [ $p = $$ ] || cat /proc/$p/cmdline && printf '\\n\\0'
  done 2>/dev/null; true`;
  const said = await inside(session, script);
  return said.split("\n\0").map((line) => line.split("\0").join(" ").trim()).filter(Boolean);
}

testWithDocker("the next session like one that began has a container that waited", async () => {
  await using home = await ownHome();
  await using own = life(home);
  const first = home.spec(), next = home.spec();
  const made = await own.begin(first);
  const spare = await only(home);
  const { Id, Config } = await inspected(spare);
  assert.notEqual(Id, made);
  assert.equal(Config.Labels["agentd.spare"], "true");
  assert.equal(Config.Labels["agentd.home"], home.house.home);
  assert.ok(!("agentd.session" in Config.Labels) && !("agentd.agent" in Config.Labels));
  assert.equal(await own.begin(next), Id);
  assert.equal(await own.sessions.state(next.session_id), "running");
  assert.deepEqual(
    await home.names(),
    [await only(home), ...[first, next].map((one) => sessionContainer(one.session_id))].sort(),
  );
});

testWithDocker("it has every wall and limit of one that is made for its session", async () => {
  await using home = await ownHome();
  await using own = life(home);
  const { limits } = home.spec();
  const more = { limits: { ...limits, allow_network: true, max_disk_mb: 5 }, allow_root: true };
  const first = home.spec(more), next = home.spec(more);
  await own.begin(first);
  const spare = await idOf(await only(home));
  assert.equal(await own.begin(next), spare);
  const [made, taken] = await Promise.all(
    [first, next].map((one) => inspected(sessionContainer(one.session_id))),
  );
  assert.deepEqual(taken.HostConfig, made.HostConfig);
  const config = ({ Config: { Labels: _, Cmd, Entrypoint, Env, ...rest } }: typeof made) => {
    assert.equal(Entrypoint.length, 1);
    assert.ok(Cmd.length > 0);
    return { ...rest, Env: Env.sort() };
  };
  assert.deepEqual(config(taken), config(made));
  assert.deepEqual(taken.Mounts, []);
});

testWithDocker("nothing has run in it, and its session's time is its own program's", async () => {
  await using home = await ownHome();
  await using own = life(home);
  const first = home.spec(), next = home.spec();
  await own.begin(first);
  await inside(first.session_id, "echo mine > x; echo mine > /tmp/x; sleep 600 >/dev/null 2>&1 &");
  const spare = await idOf(await only(home));
  assert.equal(await own.begin(next), spare);
  assert.equal(
    await inside(next.session_id, "ls -A /work /tmp /run/agentd"),
    "/run/agentd:\n\n/tmp:\n\n/work:",
  );
  // Five minutes, and the grace.
  assert.deepEqual(await running(next.session_id), ["sleep 360"]);
  // What runs in the session cannot make it end later by saying again that it is taken.
  await inside(next.session_id, "kill -USR1 7 1; true");
  assert.deepEqual(await running(next.session_id), ["sleep 360"]);
});

needs(MISSING_SHELLS)("it is taken whatever shell its image has", async () => {
  for (const shell of SHELLS) {
    await using home = await ownHome();
    await using own = life(home);
    const image = await shellImage(shell);
    await own.begin(home.spec({ image }));
    const spare = await idOf(await only(home)), next = home.spec({ image });
    assert.equal(await own.begin(next), spare);
    assert.deepEqual(await running(next.session_id), ["sleep 360"], shell);
  }
});

testWithDocker("of two that begin at once one has it", async () => {
  await using home = await ownHome();
  await using own = life(home);
  await own.begin(home.spec());
  const spare = await idOf(await only(home));
  const both = await Promise.all([own.begin(home.spec()), own.begin(home.spec())]);
  assert.equal(both.filter((id) => id === spare).length, 1);
  assert.notEqual(both[0], both[1]);
  await only(home);
});

testWithDocker("a session that is unlike it in anything has a container of its own", async () => {
  await using home = await ownHome();
  await using own = life(home, { most: 1 });
  const usual = home.spec(), { limits } = usual;
  const other = `agentd-test/other-${crypto.randomUUID()}:1`;
  await dockerSays(["tag", usual.image, other]);
  const unlike: Partial<SessionSpec>[] = [
    { limits: { ...limits, max_memory_mb: 65 } },
    { limits: { ...limits, max_disk_mb: 9 } },
    { limits: { ...limits, max_cpu_cores: 0.6 } },
    { limits: { ...limits, allow_network: true } },
    { allow_root: true },
    { ends_with_runtime: false },
    { expires_at: usual.expires_at + 60_000 },
    { image: other },
  ];
  try {
    for (const more of unlike) {
      await own.begin(home.spec());
      const spare = await idOf(await only(home));
      const spec = home.spec(more);
      assert.notEqual(await own.begin(spec), spare, JSON.stringify(more));
      await own.sessions.stop(spec.session_id);
    }
  } finally {
    await own.spares.close();
    await dockerSays(["rmi", other]);
  }
});

testWithDocker("an image whose name means another one now is not used any more", async () => {
  await using home = await ownHome();
  await using own = life(home);
  const image = `agentd-test/moved-${crypto.randomUUID()}:1`;
  await dockerSays(["tag", home.spec().image, image]);
  try {
    await own.begin(home.spec({ image }));
    const spare = await idOf(await only(home));
    const file = `FROM ${home.spec().image}\nENV WHICH=new\n`;
    await dockerSays(["build", "-q", "-t", image, "-"], new TextEncoder().encode(file));
    const next = home.spec({ image });
    assert.notEqual(await own.begin(next), spare);
    assert.equal(await inside(next.session_id, "echo $WHICH"), "new");
    const all = await dockerSays(["ps", "-aq", "--no-trunc"]);
    assert.ok(!all.includes(spare));
    assert.equal(await dockerSays(["exec", await only(home), "sh", "-c", "echo $WHICH"]), "new");
    await own.sessions.stop(next.session_id);
  } finally {
    await own.spares.close();
    await dockerSays(["rm", "-f", ...await home.names()]);
    await dockerSays(["rmi", image]);
  }
});

testWithDocker("one that has died, or whose name is not to be had, is made up for", async () => {
  await using home = await ownHome();
  await using own = life(home);
  await own.begin(home.spec());
  const dead = await only(home);
  await dockerSays(["kill", dead]);
  const next = home.spec();
  await own.begin(next);
  assert.equal(await own.sessions.state(next.session_id), "running");
  assert.ok(!(await home.names()).includes(dead));
  // A container of an earlier life that ended, and one that runs.
  const ended = sessionContainer(next.session_id), spare = await only(home);
  await dockerSays(["kill", ended]);
  await own.begin(next);
  assert.equal(await own.sessions.state(next.session_id), "running");
  assert.ok(!(await home.names()).includes(spare));
  const runs = await idOf(ended);
  assert.equal(await own.begin(next), runs);
});

testWithDocker("there are not more than may be; the shape not used for longest goes", async () => {
  await using home = await ownHome();
  await using own = life(home, { most: 2 });
  const { limits } = home.spec();
  const like = (cpus: number) => home.spec({ limits: { ...limits, max_cpu_cores: cpus } });
  const there = async () => {
    const all = await Promise.all((await waiting(home)).map(inspected));
    return all.map(({ HostConfig }) => HostConfig.NanoCpus / 1e9).sort();
  };
  await own.begin(like(0.1));
  await own.begin(like(0.2));
  assert.deepEqual(await there(), [0.1, 0.2]);
  await own.begin(like(0.1));
  await own.begin(like(0.3));
  assert.deepEqual(await there(), [0.1, 0.3]);
  await using none = life(home, { most: 0 });
  await none.begin(like(0.4));
  assert.deepEqual(await there(), [0.1, 0.3]);
});

const KILL_SLEEP =
  'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = sleep ] && kill ${p#/proc/}; done 2>/dev/null; true';

testWithDocker("one that nobody takes goes, by agentd or by itself", async () => {
  await using home = await ownHome();
  await using hasty = life(home, { keptMs: 1 });
  await hasty.begin(home.spec());
  while ((await waiting(home)).length > 0) await hasty.spares.idle();
  await using own = life(home);
  await own.begin(home.spec());
  const spare = await only(home);
  const { Config: { Cmd } } = await inspected(spare);
  assert.match(Cmd[1], /^sleep 600 &$/m);
  // As when that time is over.
  await dockerSays(["exec", spare, "sh", "-c", KILL_SLEEP]);
  assert.equal(await dockerSays(["wait", spare]), "0");
});

testWithDocker("a sweep leaves what waits here, and removes what another life left", async () => {
  await using home = await ownHome();
  await using own = life(home);
  const spec = home.spec();
  own.sessions.hold(spec.session_id);
  await own.begin(spec);
  assert.equal(await own.sessions.sweep(true), 0);
  assert.equal(await own.sessions.sweep(false), 0);
  assert.equal((await waiting(home)).length, 1);
  // As after a crash: nobody knows of it.
  await using next = life(home);
  next.sessions.hold(spec.session_id);
  assert.equal(await next.sessions.sweep(false), 1);
  assert.deepEqual(await home.names(), [sessionContainer(spec.session_id)]);
});

testWithDocker("at the end none is left, and a session that has had one lives on", async () => {
  await using home = await ownHome();
  await using first = life(home);
  const lasting = () => home.spec({ ends_with_runtime: false });
  await first.begin(lasting());
  const spare = await idOf(await only(home)), session = lasting();
  assert.equal(await first.begin(session), spare);
  await inside(session.session_id, "echo kept > file");
  // One is being made as it ends.
  await first.sessions.start(home.spec(), NEVER);
  await first.sessions.close();
  assert.deepEqual(await waiting(home), []);
  await using next = life(home);
  assert.equal(await next.sessions.state(session.session_id), "running");
  next.sessions.hold(session.session_id);
  assert.equal(await next.begin(session), spare);
  assert.equal(await inside(session.session_id, "cat file"), "kept");
  await next.sessions.sweep(false);
  assert.equal(await next.sessions.state(session.session_id), "running");
  await first.sessions.start(lasting(), NEVER);
  await first.spares.idle();
  await next.sessions.close();
  assert.deepEqual(await waiting(home), []);
});

testWithDocker("a taking that a crash cut in two is brought to its end", async () => {
  await using home = await ownHome();
  await using crashed = life(home);
  const spec = home.spec();
  await crashed.begin(home.spec());
  const spare = await only(home), id = await idOf(spare);
  await dockerSays(["rename", spare, sessionContainer(spec.session_id)]);
  await using next = life(home);
  assert.equal(await next.begin(spec), id);
  assert.deepEqual(await running(spec.session_id), ["sleep 360"]);
});

testWithDocker("who aborts a start that has one wants none", async () => {
  await using home = await ownHome();
  await using own = life(home);
  await own.begin(home.spec());
  const spec = home.spec(), control = new AbortController(), reason = new Error("enough");
  const begun = own.sessions.start(spec, control.signal);
  while (own.spares.isOurs(await only(home).catch(() => ""))) await Promise.resolve();
  control.abort(reason);
  await begun.catch((error) => assert.equal(error, reason));
  await own.sessions.stop(spec.session_id);
  assert.ok(!(await home.names()).includes(sessionContainer(spec.session_id)));
});
