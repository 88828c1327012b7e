/** What the policy allows and demands, what a session costs, and refusals that leave nothing behind. */
import { readJson, readText } from "../../../src/fs/use.ts";
import type { Code } from "../../../src/fs/error.ts";
import { deepEqual, equal, rejects } from "../../assert.ts";
import { IMAGE, scripted } from "./scripted.ts";
import { test, type World } from "./world.ts";

const COMMANDS = { commands: ["x"] };

interface Usage {
  readonly day: { readonly reserved_micro_usd: number; readonly spent_micro_usd: number };
}

async function money({ files }: World): Promise<[reserved: number, spent: number]> {
  const { day } = await readJson<Usage>(files, "/containers/usage");
  return [day.reserved_micro_usd, day.spent_micro_usd];
}

const sessions = async ({ files }: World) => (await files.list("/containers/sessions")).length;

test("a request that is wrong is refused with the first thing that is wrong, and leaves nothing", async (open) => {
  const engine = scripted(() => 0, { price: { micro_usd_per_second: 10 } });
  const world = await open([engine]);
  const wrong: [Code, RegExp, object][] = [
    ["invalid_request", /commands: a session of kind ephemeral has some/, {}],
    ["invalid_request", /keeps none/, { kind: "interactive", artifacts: ["*"] }],
    ["invalid_request", /wish/, { ...COMMANDS, wish: 1 }],
    ["invalid_request", /kind/, { ...COMMANDS, kind: "none" }],
    ["not_supported", /custom:x/, { ...COMMANDS, kind: "custom:x" }],
    ["invalid_request", /limits.max_time_secs/, { ...COMMANDS, limits: { max_time_secs: 0 } }],
    ["invalid_request", /commands/, { commands: [""] }],
    ["invalid_request", /NUL/, { commands: ["a\0b"] }],
    ["invalid_request", /env/, { ...COMMANDS, env: { "a b": "" } }],
    ["invalid_request", /in capitals/, { ...COMMANDS, env: { A: "{{secret:low}}" } }],
    ["not_found", /secret NONE/, { ...COMMANDS, env: { A: "{{secret:NONE}}" } }],
    ["invalid_path", /files/, { ...COMMANDS, files: { "../x": "" } }],
    ["invalid_path", /files/, { ...COMMANDS, files: { "/etc/x": "" } }],
    ["invalid_path", /files/, { ...COMMANDS, files: { "a//b": "" } }],
    ["invalid_path", /files/, { ...COMMANDS, files: { "a\0b": "" } }],
    ["invalid_path", /workdir/, { ...COMMANDS, workdir: "/work" }],
    ["invalid_path", /artifacts/, { ...COMMANDS, artifacts: ["../*"] }],
    ["invalid_request", /files/, { ...COMMANDS, files: { a: { base64: "?" } } }],
    ["invalid_request", /https/, { ...COMMANDS, repo: { url: "http://x/y" } }],
    ["invalid_request", /https/, { ...COMMANDS, repo: { url: "file:///etc" } }],
    ["invalid_request", /credential/, { ...COMMANDS, repo: { url: "https://a:b@x/y" } }],
    ["invalid_request", /commit/, { ...COMMANDS, repo: { url: "https://x/y", git_ref: "--x" } }],
    ["invalid_request", /credential/, { ...COMMANDS, repo: { url: "https://@x/y" } }],
    ["invalid_request", /behind #/, { ...COMMANDS, repo: { url: "https://x/y#z" } }],
    ["invalid_request", /commit/, { ...COMMANDS, repo: { url: "https://x/y", git_ref: "a~1" } }],
    ["invalid_request", /\.git/, { ...COMMANDS, repo: { url: "https://x/y", subdir: ".git/x" } }],
    ["permission_denied", /default images/, { ...COMMANDS, image: "evil:1" }],
    ["provider_unavailable", /agentd images pull python:3/, { ...COMMANDS, image: "python:3" }],
    ["invalid_request", /name and tag/, { ...COMMANDS, image: "x; curl evil | sh" }],
    ["invalid_request", /name and tag/, { ...COMMANDS, image: "--privileged" }],
    ["invalid_request", /name and tag/, { ...COMMANDS, image: `x@sha256:${"0".repeat(64)}` }],
    ["invalid_request", /kind/, { ...COMMANDS, kind: "custom:a\nb" }],
    ["invalid_request", /files: "a" is a file/, { ...COMMANDS, files: { "a/b/c": "", a: "" } }],
    ["invalid_request", /files\.a: .*Unicode/, { ...COMMANDS, files: { a: "\ud800" } }],
    ["invalid_path", /Unicode/, { ...COMMANDS, files: { "\ud800": "" } }],
    ["invalid_request", /commands\.0\.1: .*Unicode/, { commands: [["echo", "\udfff"]] }],
    ["invalid_request", /env\.A: .*Unicode/, { ...COMMANDS, env: { A: "a\ud800b" } }],
    ["invalid_request", /env\.__proto__/, { ...COMMANDS, env: { ["__proto__"]: "x" } }],
    ["invalid_request", /files\.__proto__/, { ...COMMANDS, files: { ["__proto__"]: "x" } }],
    ["invalid_request", /idempotency_key/, { ...COMMANDS, idempotency_key: "\ud800" }],
    ["not_found", /no provider "none"/, { ...COMMANDS, provider: "none" }],
    ["permission_denied", /allow_network/, { ...COMMANDS, limits: { allow_network: true } }],
    ["permission_denied", /600/, { ...COMMANDS, limits: { max_time_secs: 601 } }],
    ["permission_denied", /4096/, { ...COMMANDS, limits: { max_memory_mb: 4097 } }],
    ["invalid_request", /least that a session costs/, { ...COMMANDS, max_cost_micro_usd: 9 }],
    ["budget_exceeded", /\$/, { ...COMMANDS, limits: { max_time_secs: 600 }, provider: "dear" }],
  ];
  const dear = scripted(() => 0, { id: "dear", price: { micro_usd_per_second: 10_000 } });
  const other = await open([engine, dear]);
  for (const [code, message, request] of wrong) {
    const on = "provider" in request ? other : world;
    await rejects(on.begin(request), { code, message }, JSON.stringify(request));
  }
  for (const on of [world, other]) {
    deepEqual([await sessions(on), await money(on)], [0, [0, 0]]);
  }
  deepEqual([engine.started, dear.started], [[], []]);
});

test("an engine that is down, or absent, is provider_unavailable with what to do", async (open) => {
  const engine = scripted();
  const { info } = engine;
  engine.status = "down";
  const world = await open([engine]);
  await rejects(world.begin(COMMANDS), {
    code: "provider_unavailable",
    message: /the daemon does not answer; start it/,
  });
  const none = await open([]);
  await rejects(none.begin(COMMANDS), { code: "provider_unavailable", message: /agentd doctor/ });
  engine.status = "up";
  engine.images = () => [];
  await rejects(world.begin(COMMANDS), {
    code: "provider_unavailable",
    message: /agentd images pull busybox:1/,
  });
  await world.policy({ allow_network: true });
  engine.images = () => [{ name: IMAGE, id: IMAGE, size_bytes: 1, created_at: null }];
  engine.info = () => ({ ...info(), git_image: "git:1" });
  await rejects(world.begin({ ...COMMANDS, repo: { url: "https://x/y" } }), {
    code: "provider_unavailable",
    message: /git:1, which fetches repositories,.*agentd images pull git:1/,
  });
  deepEqual([await sessions(world), await sessions(none)], [0, 0]);
});

test("images are allowed by patterns, and what is blocked is blocked", async (open) => {
  const engine = scripted();
  const names = [IMAGE, "python:3", "python:latest", "own/tool:2"];
  engine.images = () => names.map((name) => ({ name, id: name, size_bytes: 1, created_at: null }));
  const world = await open([engine]);
  const image = async (name?: string) => {
    const session = await world.begin({ ...COMMANDS, ...(name ? { image: name } : {}) });
    return (await world.ended(session)).image;
  };
  equal(await image(), IMAGE);
  equal(await image("python:3"), "python:3");
  await rejects(image("own/tool:2"), { code: "permission_denied" });
  await world.policy({ allowed_images: ["own/*", "python"] });
  equal(await image("own/tool:2"), "own/tool:2");
  equal(await image("python"), "python:latest");
  await rejects(image("python:3"), { code: "permission_denied", message: /allowed_images/ });
  await rejects(image(), { code: "permission_denied", message: /say which/ });
  await world.policy({ blocked_images: ["*tool*"] });
  await rejects(image("own/tool:2"), { code: "permission_denied", message: /blocked/ });
  await world.policy({ allowed_images: null, blocked_images: ["busybox:*"] });
  equal(await image(), "python:3");
  await world.policy({ allowed_providers: ["cloud*"] });
  await rejects(image(), { code: "permission_denied", message: /allowed_providers/ });
});

test("a policy can demand a key and a most", async (open) => {
  const { begin, policy } = await open([scripted()]);
  await policy({ require_idempotency: true, require_max_cost: true });
  await rejects(begin(COMMANDS), { code: "idempotency_required" });
  await rejects(begin({ ...COMMANDS, idempotency_key: "k" }), { code: "max_cost_required" });
  await begin({ ...COMMANDS, idempotency_key: "k", max_cost_micro_usd: 0 });
  await policy({ default_max_cost_micro_usd: 5 });
  await begin({ ...COMMANDS, idempotency_key: "l" });
});

test("a network needs both, and limits reach the engine", async (open) => {
  const engine = scripted();
  const { begin, ended, policy } = await open([engine]);
  await ended(await begin(COMMANDS));
  await policy({ allow_network: true, allow_root: true, max_execution_time_secs: 60 });
  await ended(await begin(COMMANDS));
  const limits = { allow_network: true, max_memory_mb: 64, max_disk_mb: 8, max_cpu_cores: 0.5 };
  await ended(await begin({ ...COMMANDS, kind: "build", limits }));
  const asIt = { max_time_secs: 60, max_memory_mb: 1024, max_disk_mb: 512, max_cpu_cores: 1 };
  deepEqual(
    engine.started.map((
      { limits, allow_root, ends_with_runtime, image },
    ) => [limits, allow_root, ends_with_runtime, image]),
    [
      [{ ...asIt, max_time_secs: 300, allow_network: false }, false, true, IMAGE],
      [{ ...asIt, allow_network: false }, true, true, IMAGE],
      [{ max_time_secs: 60, ...limits }, true, true, IMAGE],
    ],
  );
});

test("what a session may cost is reserved, and what it came to is spent", async (open) => {
  const more = Promise.withResolvers<void>();
  const engine = scripted(() => more.promise.then(() => 0), {
    price: { micro_usd_per_session: 7, micro_usd_per_second: 10 },
  });
  const world = await open([engine]);
  const session = await world.begin({ ...COMMANDS, limits: { max_time_secs: 100 } });
  await world.until(session, "running");
  while (engine.begun.length === 0) await Promise.resolve();
  deepEqual(await money(world), [1_007, 0]);
  await world.backend.clock.advance(2_500);
  more.resolve();
  const { status, reserved_micro_usd, cost_micro_usd } = await world.ended(session);
  deepEqual([status, reserved_micro_usd, cost_micro_usd], ["complete", 1_007, 37]);
  deepEqual(await money(world), [0, 37]);
  const result = await world.result(session);
  deepEqual([result.cost_micro_usd, result.reserved_micro_usd], [37, 1_007]);
});

test("a most that pays for less time gives it less", async (open) => {
  const engine = scripted(() => new Promise<number>(() => {}), {
    price: { micro_usd_per_session: 7, micro_usd_per_second: 10 },
  });
  const world = await open([engine]);
  const session = await world.begin({ ...COMMANDS, max_cost_micro_usd: 58 });
  await world.until(session, "running");
  while (engine.begun.length === 0) await Promise.resolve();
  deepEqual(await money(world), [58, 0]);
  await world.backend.clock.advance(5_000);
  const { error, cost_micro_usd } = await world.ended(session);
  deepEqual([error?.code, cost_micro_usd], ["timeout", 57]);
  deepEqual(await money(world), [0, 57]);
});

test("the policy's own limits hold, also for many at once", async (open) => {
  const engine = scripted(() => 0, { price: { micro_usd_per_second: 10 } });
  const world = await open([engine]);
  await world.policy({ max_cost_micro_usd_per_day: 250 });
  const asked = { ...COMMANDS, limits: { max_time_secs: 10 } };
  const all = await Promise.allSettled(Array.from({ length: 6 }, () => world.begin(asked)));
  equal(all.filter(({ status }) => status === "fulfilled").length, 2);
  equal(await sessions(world), 2);
});

test("the policy is an operator's, and a session the agent's and its operator's", async (open) => {
  const { as, begin, ended, files } = await open([scripted()]);
  const session = await begin(COMMANDS);
  await ended(session);
  for (const viewer of ["agent", "local"] as const) {
    const theirs = await as(viewer);
    await readText(theirs, "/containers/policy");
    const handle = theirs.open("/containers/policy", "write");
    await rejects(handle, { code: "permission_denied" });
  }
  const local = await as("local");
  await readText(local, session.result_path);
  await rejects(begin(COMMANDS, local), { code: "permission_denied" });
  const policy = await readJson<Record<string, unknown>>(files, "/containers/policy");
  deepEqual([policy["max_concurrent"], policy["allow_network"], policy["max_file_size_bytes"]], [
    3,
    false,
    10 * 1024 * 1024,
  ]);
});
