import assert from "../../assert.ts";
import { engineFailure } from "../../../src/providers/containers/failure.ts";
import { isReference } from "../../../src/providers/containers/images.ts";
import { usageIn } from "../../../src/providers/containers/usage.ts";
import { lines, plain } from "../../../src/providers/containers/words.ts";

Deno.test("a stranger's text is shown on one line, short, and without what a terminal obeys", () => {
  assert.equal(plain("\x1b[31mred\x1b[0m \x1b]0;title\x07and\tmore\r\n\0end"), "red and more end");
  assert.equal(plain("a\u202egnp.exe\u2028b\x9b31mc"), "a gnp.exe b 31mc");
  assert.equal(plain("x".repeat(1e6)).length, 300);
  assert.equal(plain("😀".repeat(10), 6), "😀😀\ufffd…");
  assert.deepEqual(lines("\n a \r\n\r b\n"), ["a", "b"]);
});

Deno.test("what Docker says is told by a code of ours with what to do", () => {
  const codeOf = (stderr: string) => {
    const { code, detail, extra } = engineFailure("try", "x", { code: 1, stderr });
    return [code, extra?.asked ?? true, detail] as const;
  };
  const cases: [string, string, boolean, RegExp][] = [
    [
      "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
      "provider_unavailable",
      false,
      /start it/,
    ],
    [
      "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
      "provider_unavailable",
      false,
      /group docker/,
    ],
    [
      "docker: Error response from daemon: No such image: x:1.",
      "not_found",
      true,
      /agentd images pull/,
    ],
    [
      "Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login'",
      "not_found",
      true,
      /registry/,
    ],
    [
      "Error response from daemon: manifest for x:9 not found: manifest unknown: manifest unknown",
      "not_found",
      true,
      /registry/,
    ],
    ["Error response from daemon: No such container: agentd-7", "interrupted", true, /has ended/],
    ["Error response from daemon: Container abc is not running", "interrupted", true, /has ended/],
    [
      "write /var/lib/docker/tmp/x: no space left on device",
      "quota_exceeded",
      true,
      /disk is full/,
    ],
    [
      "docker: Error response from daemon: Unknown runtime specified runsc.",
      "provider_unavailable",
      true,
      /docker\.runtime/,
    ],
    [
      "docker: Error response from daemon: network agents not found.",
      "provider_unavailable",
      true,
      /docker\.network/,
    ],
    ["toomanyrequests: You have reached your pull rate limit", "rate_limited", true, /pause/],
    [
      'Error response from daemon: Get "https://h/v2/": dial tcp: lookup h on 1.1.1.1:53: no such host',
      "io",
      true,
      /cannot be reached/,
    ],
    [
      "\x1b[31mdocker: Error response from daemon: something new\x1b[0m\nSee 'docker run --help'.",
      "provider_unavailable",
      true,
      /^docker: something new$/,
    ],
    ["", "provider_unavailable", true, /said nothing/],
  ];
  for (const [stderr, code, asked, says] of cases) {
    const [found, was, detail] = codeOf(stderr);
    assert.deepEqual([found, was], [code, asked], stderr);
    assert.match(detail ?? "", says);
  }
});

Deno.test("no host's path and no socket gets into the sentence of a failure that is known", () => {
  const stderr = "Cannot connect to the Docker daemon at unix:///run/user/1000/docker.sock.";
  assert.doesNotMatch(String(engineFailure("try", "x", { code: 1, stderr })), /user|sock/);
});

Deno.test("names of images are what people write, and never an option", () => {
  const good = [
    "busybox",
    "python:3.13-slim",
    "alpine/git:2.49.1",
    "localhost:5000/a/b:c",
    "ghcr.io/a/b_c/d__e:V1.2",
    `x@sha256:${"0".repeat(64)}`,
  ];
  const bad = [
    "",
    "-x",
    "--all",
    "A",
    "a b",
    "a\nb",
    "a:",
    ":a",
    "a//b",
    "a/",
    "/a",
    "a:b:c",
    "a@b",
    "a;b",
    "$(a)",
    "a".repeat(257),
    "é",
  ];
  for (const name of good) assert.ok(isReference(name), name);
  for (const name of bad) assert.ok(!isReference(name), name);
});

Deno.test("usage is read of control groups of both versions", () => {
  const net =
    "net Inter-| Receive\nnet face |bytes\nnet lo: 5 0 0 0 0 0 0 0 5 0\nnet eth0: 100 1 0 0 0 0 0 0 23 1\nnet eth1:200 1 0 0 0 0 0 0 7 1\n";
  const one =
    "cpu_ns 30716516\npeak 3821568\nio1 253:0 Read 4096\nio1 253:0 Write 8192\nio1 Total 12288\n";
  const two =
    "cpu2 usage_usec 30716\ncpu2 user_usec 20000\nnow 1000\npeak 3821568\nio2 253:0 rbytes=4096 wbytes=8192 rios=1\n";
  for (const told of [one, two]) {
    assert.deepEqual(usageIn(told + net), {
      cpu_time_ms: 31,
      peak_memory_bytes: 3821568,
      disk_writes_bytes: 8192,
      network_bytes: 330,
    });
  }
});

Deno.test("usage of a stranger's making is no more than numbers", () => {
  const none = { cpu_time_ms: 0, peak_memory_bytes: 0, disk_writes_bytes: 0, network_bytes: 0 };
  assert.deepEqual(usageIn(""), none);
  assert.deepEqual(
    usageIn("cpu_ns -5\npeak 1e99\nio2 wbytes=x\nnet a:b c\nnet\ncpu_ns 99999999999999999999\n\0"),
    none,
  );
  const many = usageIn("peak 999999999999999\n" + "net x: 999999999999999 0\n".repeat(1e4));
  assert.ok(Object.values(many).every(Number.isSafeInteger));
});
