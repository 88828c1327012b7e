import assert from "../../assert.ts";
import { type Code, hasCode } from "../../../src/fs/error.ts";
import type { CloneSpec, SessionSpec } from "../../../src/core/containers.ts";
import { type Clones, clonesOf } from "../../../src/providers/containers/clone.ts";
import { sessionsOf } from "../../../src/providers/containers/sessions.ts";
import { busyboxTree, dockerSays, image, MISSING_DOCKER } from "../../docker/engine.ts";
import { GIT_IMAGE, gitImage, MISSING_GIT } from "../../docker/git_image.ts";
import { serveGit } from "../../docker/git_server.ts";
import { needs } from "../../needs.ts";
import { inside, NEVER, type OwnHome, ownHome } from "./home.ts";

const testWithGit = needs(MISSING_DOCKER ?? MISSING_GIT);

const SECRET = "s3cret word:with@signs";

function clonesIn(home: OwnHome, protocols = ["http"], gitImage = GIT_IMAGE): Clones {
  return clonesOf(home.cli, home.house, { gitImage, protocols }, Date.now);
}

/** A session that runs, in which repositories are put. */
async function started(home: OwnHome, more: Partial<SessionSpec> = {}): Promise<SessionSpec> {
  await gitImage();
  const spec = home.spec(more);
  await sessionsOf(home.cli, home.house, () => false, Date.now).start(spec, NEVER);
  return spec;
}

const repo = (url: string, more: Partial<CloneSpec> = {}): CloneSpec => ({
  url,
  git_ref: "HEAD",
  ...more,
});

async function refused(work: Promise<void>, code: Code, says: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.match(String(error), says);
    return hasCode(error, code);
  });
}

testWithGit(
  "a repository's files come into the session, as its user's, with a history that git knows",
  async () => {
    await using home = await ownHome();
    await using server = await serveGit();
    const odd = "a dir/with 'quotes' and\nmore.txt";
    await server.commit("small", {
      "README": "hello\n",
      "bin/run": "x",
      [odd]: "odd",
      "link": "->README",
    });
    await server.git("small", "config", "core.fileMode", "false");
    await server.git("small", "update-index", "--chmod=+x", "bin/run");
    const commit = await server.commit("small", { last: "one" });
    const spec = await started(home, { image: await gitImage() });
    await clonesIn(home).clone(spec, repo(server.url("small")), NEVER);
    const seen = (script: string) => inside(spec.session_id, script);
    assert.equal(
      await seen("cat README link last; test -x bin/run && stat -c %u bin/run"),
      "hello\nhello\none65534",
    );
    assert.equal(await seen(`cat "a dir/with 'quotes' and\nmore.txt"`), "odd");
    assert.equal(await seen("git rev-parse HEAD; git status --porcelain"), commit);
    assert.equal(await seen("git rev-list --count HEAD"), "1");
    assert.equal(await seen("ls .git/hooks 2>/dev/null | wc -l"), "0");
    assert.equal(await seen("git config --get remote.origin.url"), server.url("small"));
    assert.deepEqual(await home.names(), [`agentd-${spec.session_id}`]);
  },
);

testWithGit("a branch, a tag and a commit by its number are what is asked for", async () => {
  await using home = await ownHome();
  await using server = await serveGit();
  const first = await server.commit("small", { file: "first" });
  await server.git("small", "tag", "v1");
  await server.commit("small", { file: "second" });
  await server.commit("small", { file: "branch" }, "feature/x");
  const clones = clonesIn(home);
  for (
    const [git_ref, file] of [["main", "second"], ["v1", "first"], [first, "first"], [
      "feature/x",
      "branch",
    ], ["refs/heads/main", "second"]] as const
  ) {
    const spec = await started(home);
    await clones.clone(spec, repo(server.url("small"), { git_ref }), NEVER);
    assert.equal(await inside(spec.session_id, "cat file"), file, git_ref);
  }
});

testWithGit(
  "a commit by its number also comes from a server that speaks the old protocol alone",
  async () => {
    await using home = await ownHome();
    await using server = await serveGit();
    const first = await server.commit("small", { file: "first" });
    await server.commit("small", { file: "second" });
    server.speakOldProtocol();
    const spec = await started(home);
    await clonesIn(home).clone(spec, repo(server.url("small"), { git_ref: first }), NEVER);
    assert.equal(await inside(spec.session_id, "cat file"), "first");
  },
);

testWithGit("of a directory of it, only what is in that comes", async () => {
  await using home = await ownHome();
  await using server = await serveGit();
  await server.commit("small", {
    "outer": "no",
    "a/b c/inner": "yes",
    "a/b c/d/deep": "deep",
    "a/out": "->../../..",
  });
  const clones = clonesIn(home);
  const spec = await started(home);
  await clones.clone(spec, repo(server.url("small"), { subdir: "a/b c" }), NEVER);
  assert.equal(await inside(spec.session_id, "find . -type f | sort"), "./d/deep\n./inner");
  for (const subdir of ["nothing", "outer", "a/out", "a/out/etc", "*"]) {
    const asked = repo(server.url("small"), { subdir });
    await refused(clones.clone(spec, asked, NEVER), "not_found", /no directory/);
  }
  for (const subdir of ["../etc", "/etc", "a//b", ".git", "./a", "a/../..", "a\nb"]) {
    const asked = repo(server.url("small"), { subdir });
    await refused(clones.clone(spec, asked, NEVER), "invalid_request", /directory of a repository/);
  }
});

testWithGit("a credential opens the repository and is left nowhere", async () => {
  await using home = await ownHome();
  await using server = await serveGit();
  await server.commit("private", { file: "private" });
  server.lock("someone", SECRET);
  const spec = await started(home), clones = clonesIn(home);
  const url = server.url("private");
  await refused(clones.clone(spec, repo(url), NEVER), "permission_denied", /repo\.auth/);
  const wrong = { username: "someone", password: "wrong" };
  await refused(
    clones.clone(spec, repo(url, { credential: wrong }), NEVER),
    "permission_denied",
    /repo\.auth/,
  );
  const credential = { username: "someone", password: SECRET };
  await clones.clone(spec, repo(url, { credential }), NEVER);
  assert.equal(await inside(spec.session_id, "cat file"), "private");
  assert.equal(
    await inside(spec.session_id, "grep -rlE 's3cret|someone' . /tmp /run/agentd; true"),
    "",
  );
  assert.deepEqual(await home.names(), [`agentd-${spec.session_id}`]);
});

testWithGit(
  "while git fetches, its credential stands in no argument, environment or description of the container",
  async () => {
    await using home = await ownHome();
    await using server = await serveGit();
    await server.commit("private", { file: "private" });
    const spec = await started(home), clones = clonesIn(home);
    const looked = Promise.withResolvers<string>();
    const name = `agentd_clone-${spec.session_id}`;
    // Git's first question is answered when the look from outside is over.
    const held = Deno.serve({
      hostname: new URL(server.origin).hostname,
      port: 0,
      onListen: () => {},
    }, async () => {
      const seen = [
        await dockerSays(["inspect", name]),
        await dockerSays([
          "exec",
          "--user=0",
          name,
          "sh",
          "-c",
          "cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' '\\n'",
        ]),
        new TextDecoder().decode(
          (await new Deno.Command("ps", { args: ["axeww"] }).output()).stdout,
        ),
      ];
      looked.resolve(seen.join("\n"));
      return new Response("no", { status: 404 });
    });
    const url = `http://${held.addr.hostname}:${held.addr.port}/x`;
    const credential = { username: "someone", password: SECRET };
    await refused(
      clones.clone(spec, repo(url, { credential }), NEVER),
      "not_found",
      /no repository/,
    );
    const seen = await looked.promise;
    assert.match(seen, /fetch/);
    assert.ok(!seen.includes(SECRET));
    await held.shutdown();
  },
);

testWithGit("a credential is told to its own server and to no other that it leads to", async () => {
  await using home = await ownHome();
  await using server = await serveGit();
  await using other = await serveGit();
  await other.commit("private", { file: "private" });
  other.lock("someone", SECRET);
  server.redirect("/moved", `${other.origin}/private`);
  const spec = await started(home);
  const credential = { username: "someone", password: SECRET };
  const asked = repo(`${server.origin}/moved/.git`, { credential });
  await refused(clonesIn(home).clone(spec, asked, NEVER), "permission_denied", /let us in/);
  assert.ok(other.asked.length > 0);
  assert.deepEqual(other.asked.filter(({ user }) => user !== undefined), []);
});

testWithGit("what is no repository, no branch or no URL is told apart", async () => {
  await using home = await ownHome();
  await using server = await serveGit();
  await server.commit("small", { file: "x" });
  const spec = await started(home), clones = clonesIn(home);
  const url = server.url("small");
  const clone = (one: CloneSpec) => clones.clone(spec, one, NEVER);
  await refused(
    clone(repo(url, { git_ref: "absent" })),
    "not_found",
    /no such branch, tag or commit/,
  );
  await refused(clone(repo(url, { git_ref: "0".repeat(40) })), "not_found", /no such branch/);
  await refused(clone(repo(`${server.origin}/absent`)), "not_found", /no repository/);
  const free = Deno.listen({ port: 0 });
  const { port } = free.addr;
  free.close();
  await refused(clone(repo(`http://127.0.0.1:${port}/x`)), "io", /cannot be reached/);
  for (
    const ref of [
      "--upload-pack=touch /tmp/x",
      "a..b",
      "a:b",
      "+main",
      "a b",
      "",
      "x\ny",
      "-x",
      "a~1",
      "@{0}",
    ]
  ) {
    await refused(clone(repo(url, { git_ref: ref })), "invalid_request", /branch, tag or commit/);
  }
  for (
    const bad of ["file:///etc", "ssh://h/x", "ext::sh -c x", "--help", "/etc", "", "https://h/x"]
  ) {
    await refused(clone(repo(bad)), "invalid_request", /URL with http/);
  }
  await refused(
    clone(repo(url.replace("//", `//someone:${"tok"}@`))),
    "invalid_request",
    /no credential in the URL/,
  );
  await refused(
    clone(repo(url, { credential: { username: "a\nb", password: "c" } })),
    "invalid_request",
    /line breaks/,
  );
  assert.deepEqual(await home.names(), [`agentd-${spec.session_id}`]);
});

testWithGit("by default a repository comes by https or not at all", async () => {
  await using home = await ownHome();
  const spec = home.spec();
  const clones = clonesIn(home, ["https"]);
  await refused(clones.clone(spec, repo("http://h/x"), NEVER), "invalid_request", /URL with https/);
});

testWithGit(
  "one that is larger than the session's disk is refused, and nothing stays of it",
  async () => {
    await using home = await ownHome();
    await using server = await serveGit();
    const bytes = crypto.getRandomValues(new Uint8Array(48 * 1024));
    const noise = Array.from(
      { length: 64 },
      (_, i) => [`file${i}`, `${i}${btoa(String.fromCharCode(...bytes.map((b) => b ^ i)))}`],
    );
    await server.commit("large", Object.fromEntries(noise));
    const { limits } = home.spec();
    const spec = await started(home, { limits: { ...limits, max_disk_mb: 3 } });
    await refused(
      clonesIn(home).clone(spec, repo(server.url("large")), NEVER),
      "quota_exceeded",
      /max_disk_mb/,
    );
    assert.deepEqual(await home.names(), [`agentd-${spec.session_id}`]);
  },
);

testWithGit(
  "what fetches stands behind the same walls, and a sweep spares it while it does",
  async () => {
    await using home = await ownHome();
    await using server = await serveGit();
    const spec = await started(home), clones = clonesIn(home);
    const sessions = sessionsOf(home.cli, home.house, clones.isBusy, Date.now);
    sessions.hold(spec.session_id);
    const name = `agentd_clone-${spec.session_id}`;
    const seen = Promise.withResolvers<readonly [number, string]>();
    const held = Deno.serve({
      hostname: new URL(server.origin).hostname,
      port: 0,
      onListen: () => {},
    }, async () => {
      seen.resolve([await sessions.sweep(false), await dockerSays(["inspect", name])]);
      return new Response("no", { status: 404 });
    });
    const asked = repo(`http://${held.addr.hostname}:${held.addr.port}/x`);
    await refused(clones.clone(spec, asked, NEVER), "not_found", /no repository/);
    const [swept, inspected] = await seen.promise;
    assert.equal(swept, 0);
    const [{ Config, HostConfig, Mounts }] = JSON.parse(inspected);
    assert.partialDeepStrictEqual(HostConfig, {
      NetworkMode: "bridge",
      CapDrop: ["ALL"],
      ReadonlyRootfs: true,
      PidsLimit: 512,
      LogConfig: { Type: "none" },
      Memory: (64 + 128) * 2 ** 20,
    });
    assert.deepEqual([Config.User, Config.Labels["agentd.role"], Mounts], [
      "65534:65534",
      "clone",
      [],
    ]);
    // What a crash has left of one is an orphan.
    await dockerSays([
      "run",
      "-d",
      "--name",
      name,
      "--label",
      `agentd.home=${home.house.home}`,
      "--label",
      `agentd.session=${spec.session_id}`,
      "--label",
      "agentd.role=clone",
      spec.image,
      "sleep",
      "60",
    ]);
    assert.equal(await sessions.sweep(false), 1);
    assert.deepEqual(await home.names(), [`agentd-${spec.session_id}`]);
    await held.shutdown();
  },
);

testWithGit("who aborts a fetch is answered at once, and its container goes", async () => {
  await using home = await ownHome();
  await using server = await serveGit();
  const spec = await started(home), clones = clonesIn(home);
  const control = new AbortController(), reason = new Error("enough");
  const over = Promise.withResolvers<Response>();
  const held = Deno.serve({
    hostname: new URL(server.origin).hostname,
    port: 0,
    onListen: () => {},
  }, () => {
    control.abort(reason);
    return over.promise;
  });
  const asked = repo(`http://${held.addr.hostname}:${held.addr.port}/x`);
  await assert.rejects(clones.clone(spec, asked, control.signal), reason);
  await clones.idle();
  assert.deepEqual(await home.names(), [`agentd-${spec.session_id}`]);
  over.resolve(new Response());
  await held.shutdown();
});

testWithGit(
  "without the image that fetches, it is said how to get it; without tar in the session's, that it is missing",
  async () => {
    await using home = await ownHome();
    await using server = await serveGit();
    await server.commit("small", { file: "x" });
    const spec = await started(home);
    const absent = clonesIn(home, ["http"], "agentd-test/absent:1");
    await refused(
      absent.clone(spec, repo(server.url("small")), NEVER),
      "not_found",
      /agentd images pull agentd-test\/absent:1/,
    );
    const bare = await image("agentd-test/no-tar:1", "1", async (dir) => {
      await busyboxTree(dir);
      await Deno.remove(`${dir}/bin/tar`);
    });
    const without = await started(home, { image: bare });
    await refused(
      clonesIn(home).clone(without, repo(server.url("small")), NEVER),
      "invalid_request",
      /no-tar:1 has no tar/,
    );
  },
);
