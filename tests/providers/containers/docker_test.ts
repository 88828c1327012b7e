import assert from "../../assert.ts";
import { type Code, hasCode } from "../../../src/fs/error.ts";
import type { ContainerProvider, ContainerUsage } from "../../../src/core/containers.ts";
import { docker, type DockerOptions } from "../../../src/providers/containers/docker.ts";
import { dockerSays, gateway, testWithDocker } from "../../docker/engine.ts";
import { inside, NEVER, type OwnHome, ownHome } from "./home.ts";

interface Own extends AsyncDisposable {
  readonly provider: ContainerProvider;
}

function provided(home: OwnHome, more: Partial<DockerOptions> = {}): Own {
  const { image } = home.spec();
  const provider = docker({
    home: home.house.home,
    images: [image],
    gitImage: "agentd-test/git:1",
    ...more,
  });
  return { provider, [Symbol.asyncDispose]: () => provider.close() };
}

/** To nobody: as where the engine was stopped. */
const DEAD_ENGINE = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };

async function refused(work: Promise<unknown>, code: Code, says: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.match(String(error), says);
    return hasCode(error, code);
  });
}

testWithDocker(
  "a provider knows its engine and its images without being asked, and says them at once",
  async () => {
    await using home = await ownHome();
    const { image } = home.spec();
    const price = { micro_usd_per_second: 3, micro_usd_per_session: 5 };
    await using own = provided(home, { images: ["agentd-test/absent:1", image], price });
    const { provider } = own;
    assert.deepEqual(provider.health(), { status: "unknown", checked_at: null });
    await provider.refresh();
    const { status, checked_at } = provider.health();
    assert.equal(status, "up");
    assert.match(checked_at ?? "", /^\d{4}-\d\d-\d\dT/);
    assert.partialDeepStrictEqual(provider.info(), {
      id: "docker",
      type: "local",
      price,
      // The first is one that is there.
      default_images: [image, "agentd-test/absent:1"],
    });
    assert.match(provider.info().engine ?? "", /^Docker \d+\.\d+.* \(linux\//);
    const found = provider.images().find(({ name }) => name === image);
    const format = "{{.Id}} {{.Size}}";
    const said = await dockerSays(["image", "inspect", "--format", format, image]);
    assert.deepEqual(`${found?.id} ${found?.size_bytes}`, said);
    assert.match(found?.created_at ?? "", /^\d{4}-\d\d-\d\dT/);
  },
);

testWithDocker("an image that has come is known after a look", async () => {
  await using home = await ownHome();
  await using own = provided(home);
  const { provider } = own;
  await provider.refresh();
  const name = `agentd-test/later-${crypto.randomUUID()}:1`;
  await dockerSays(["tag", home.spec().image, name]);
  try {
    await provider.refresh();
    assert.ok(provider.images().some((one) => one.name === name));
  } finally {
    await dockerSays(["rmi", name]);
  }
  await provider.refresh();
  assert.ok(!provider.images().some((one) => one.name === name));
});

testWithDocker("a session from its start to its end", async () => {
  await using home = await ownHome();
  await using own = provided(home);
  const { provider } = own, spec = home.spec(), id = spec.session_id;
  provider.hold(id);
  await provider.start(spec, NEVER);
  assert.equal(await provider.state(id), "running");
  const out: Uint8Array[] = [];
  const end = await provider.exec(id, {
    exec_id: "1",
    command: "echo $WHO is $(id -u)",
    env: { WHO: "it" },
    workdir: "",
  }, {
    from: undefined,
    take: ({ bytes }) => Promise.resolve(void out.push(bytes)),
    signal: NEVER,
  });
  assert.equal(end.exit_code, 0);
  assert.equal(await new Blob(out as BlobPart[]).text(), "it is 65534\n");
  await provider.files(id).write("a/b", new TextEncoder().encode("content"));
  assert.equal((await provider.files(id).stat("a/b"))?.size, 7);
  await provider.stop(id);
  provider.release(id);
  assert.equal(await provider.state(id), "absent");
  await refused(provider.usage(id), "interrupted", /has ended/);
});

testWithDocker(
  "a provider keeps as many containers ready as it is told, until its end",
  async () => {
    await using home = await ownHome();
    const spec = home.spec();
    const { provider } = provided(home, { spares: 1 });
    const waiting = async () =>
      (await home.names()).filter((name) => name.startsWith("agentd_spare-"));
    provider.hold(spec.session_id);
    await provider.start(spec, NEVER);
    while ((await waiting()).length === 0);
    assert.equal(await provider.sweep(), 0);
    assert.equal((await waiting()).length, 1);
    await provider.close();
    assert.deepEqual(await home.names(), []);
  },
);

testWithDocker("what a session has used is what the kernel counted", async () => {
  await using home = await ownHome();
  await using own = provided(home);
  const { provider } = own;
  const { limits } = home.spec();
  const spec = home.spec({ limits: { ...limits, allow_network: true } });
  await provider.start(spec, NEVER);
  const before: ContainerUsage = await provider.usage(spec.session_id);
  const body = new Uint8Array(100_000);
  const server = Deno.serve(
    { hostname: await gateway(), port: 0, onListen: () => {} },
    () => new Response(body),
  );
  const { hostname, port } = server.addr;
  const script = [
    "dd if=/dev/zero of=x bs=1M count=6 2>/dev/null",
    `wget -q -O /dev/null http://${hostname}:${port}/`,
    // Until the kernel has counted a tenth of a second for it.
    'while read -r _ _ _ _ _ _ _ _ _ _ _ _ _ used _ < /proc/$$/stat; [ "$used" -lt 10 ]; do :; done',
  ];
  await inside(spec.session_id, script.join("\n"));
  await server.shutdown();
  const after = await provider.usage(spec.session_id);
  assert.ok(before.cpu_time_ms > 0 && after.cpu_time_ms >= before.cpu_time_ms + 100);
  assert.ok(after.peak_memory_bytes > 6e6 && after.peak_memory_bytes <= 64 * 2 ** 20);
  const carried = after.network_bytes - before.network_bytes;
  assert.ok(carried > 100_000 && carried < 200_000, `${carried}`);
});

testWithDocker("usage cannot be kept from being read by what runs inside", async () => {
  await using home = await ownHome();
  await using own = provided(home);
  const { provider } = own, spec = home.spec();
  await provider.start(spec, NEVER);
  const name = `agentd-${spec.session_id}`;
  // It kills all that it may, again and again.
  await dockerSays([
    "exec",
    "-d",
    name,
    "sh",
    "-c",
    "while :; do for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p -gt 20 ] && [ $p != $$ ] && kill -9 $p; done; done 2>/dev/null",
  ]);
  assert.ok((await provider.usage(spec.session_id)).cpu_time_ms > 0);
});

testWithDocker(
  "at the end ephemeral sessions go, others live on, and the next life finds them",
  async () => {
    await using home = await ownHome();
    const first = provided(home).provider;
    const ends = home.spec(), stays = home.spec({ ends_with_runtime: false });
    for (const spec of [ends, stays]) {
      first.hold(spec.session_id);
      await first.start(spec, NEVER);
    }
    // As a runtime ends: each lets go of its own, then all is closed.
    for (const spec of [ends, stays]) first.release(spec.session_id);
    await Promise.all([first.close(), first.close()]);
    await using own = provided(home);
    const { provider } = own;
    provider.hold(stays.session_id);
    assert.equal(await provider.sweep(), 0);
    assert.equal(await provider.state(stays.session_id), "running");
    assert.equal(await provider.state(ends.session_id), "absent");
  },
);

testWithDocker("where no engine answers, it is said what to do, by all that ask it", async () => {
  await using home = await ownHome();
  await using own = provided(home, { env: DEAD_ENGINE });
  const { provider } = own, spec = home.spec();
  await provider.refresh();
  const { status, error } = provider.health();
  assert.equal(status, "down");
  assert.match(error ?? "", /does not run; start it: systemctl start docker/);
  assert.deepEqual(provider.images(), []);
  const all: (() => Promise<unknown>)[] = [
    () => provider.start(spec, NEVER),
    () => provider.state(spec.session_id),
    () => provider.stop(spec.session_id),
    () => provider.usage(spec.session_id),
    () => provider.sweep(),
    () => provider.pull("busybox:1.37", () => {}, NEVER),
    () => provider.clone(spec, { url: "https://h/x", git_ref: "HEAD" }, NEVER),
  ];
  for (const ask of all) {
    await assert.rejects(ask, (error) => {
      assert.deepEqual((error as { extra?: unknown }).extra, { asked: false });
      return hasCode(error, "provider_unavailable");
    });
  }
});

testWithDocker("an engine that has come back is up as soon as it is used", async () => {
  await using home = await ownHome();
  let now = Date.now();
  const dir = await Deno.makeTempDir({ prefix: "agentd-socket-" });
  const socket = `${dir}/docker.sock`;
  await using own = provided(home, { env: { DOCKER_HOST: `unix://${socket}` }, now: () => now });
  const { provider } = own;
  await provider.refresh();
  assert.equal(provider.health().status, "down");
  const { path } = await engineSocket();
  await Deno.symlink(path, socket);
  // As time goes by: whoever asks finds it as it was, and soon as it is.
  now += 1_000;
  while (provider.health().status !== "up") await provider.state("any");
  // And one that goes is found to be down by who uses it.
  await Deno.remove(socket);
  while (provider.health().status !== "down") await assert.rejects(provider.state("any"));
  await Deno.remove(dir, { recursive: true });
});

/** Where the client finds the engine here. */
async function engineSocket(): Promise<{ readonly path: string }> {
  const said = await dockerSays(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
  assert.match(said, /^unix:\/\//, "the engine of these tests is a local one");
  return { path: said.slice("unix://".length) };
}

testWithDocker("a pull tells what the engine says, and why it came to nothing", async () => {
  await using home = await ownHome();
  await using registry = noRegistry();
  await using own = provided(home);
  const { provider } = own;
  const told: string[] = [];
  const absent = `${registry.host}/agentd-test/absent:1`;
  await refused(
    provider.pull(absent, (line) => told.push(line), NEVER),
    "not_found",
    /registry has no such image/,
  );
  for (const image of ["--all-tags", "-q", "a b", "x\ny"]) {
    await refused(provider.pull(image, () => {}, NEVER), "invalid_request", /name of an image/);
  }
  const free = Deno.listen({ port: 0 });
  const { port } = free.addr;
  free.close();
  const nowhere = `127.0.0.1:${port}/x:1`;
  await refused(provider.pull(nowhere, () => {}, NEVER), "io", /cannot be reached/);
});

/** One that knows no image. */
function noRegistry(): AsyncDisposable & { readonly host: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ url }) => {
    if (new URL(url).pathname === "/v2/") return new Response("{}");
    const errors = [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }];
    return Response.json({ errors }, { status: 404 });
  });
  return {
    host: `127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
