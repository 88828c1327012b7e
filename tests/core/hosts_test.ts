/** Which places a pattern of hosts means. */
import { type Endpoint, hostMatches, hostPattern } from "../../src/core/hosts.ts";
import { equal, throws } from "../assert.ts";

const at = (url: string): Endpoint => {
  const { protocol, hostname, port } = new URL(url);
  const scheme = protocol.slice(0, -1) as Endpoint["scheme"];
  const own = scheme === "https" ? 443 : 80;
  return { scheme, host: hostname.replace(/^\[|\]$/g, ""), port: port ? Number(port) : own };
};
const means = (pattern: string, url: string, strict = false) =>
  hostMatches([pattern], at(url), { strict });

Deno.test("hosts: a name means itself, at the scheme's own port", () => {
  equal(means("api.example.com", "https://api.example.com/x"), true);
  equal(means("API.Example.com", "http://api.example.com"), true);
  equal(means("api.example.com", "https://API.EXAMPLE.COM"), true);
  for (
    const other of [
      "https://example.com",
      "https://x.api.example.com",
      "https://api.example.com:8443",
      "https://api.example.com.evil.test",
      "https://evil-api.example.com",
      "https://api.example.com./",
    ]
  ) equal(means("api.example.com", other), false, other);
});

Deno.test("hosts: a star means what is below a name, at any depth, and not the name", () => {
  equal(means("*.example.com", "https://a.example.com"), true);
  equal(means("*.example.com", "https://a.b.example.com"), true);
  for (const other of ["https://example.com", "https://aexample.com", "https://example.com.x"]) {
    equal(means("*.example.com", other), false, other);
  }
});

Deno.test("hosts: ports and schemes are as they are said", () => {
  equal(means("api.example.com:8443", "https://api.example.com:8443"), true);
  equal(means("api.example.com:8443", "https://api.example.com"), false);
  equal(means("api.example.com:*", "http://api.example.com:1"), true);
  equal(means("http://api.example.com", "https://api.example.com"), false);
  equal(means("[::1]:80", "http://[0:0:0:0:0:0:0:1]/"), true);
});

Deno.test("hosts: an address in another spelling is the same address", () => {
  for (
    const url of ["http://127.0.0.1", "http://2130706433", "http://0x7f.1", "http://0177.0.0.1"]
  ) {
    equal(means("127.0.0.1", url), true, url);
  }
  equal(hostPattern("[0:0::1]:80"), "[::1]:80");
});

Deno.test("hosts: for secrets plain http must be said, unless it stays on this machine", () => {
  equal(means("api.example.com", "http://api.example.com", true), false);
  equal(means("http://api.example.com", "http://api.example.com", true), true);
  equal(means("127.0.0.1:9", "http://127.0.0.1:9", true), true);
  equal(means("localhost:9", "http://localhost:9", true), true);
  equal(means("[::1]:9", "http://[::1]:9", true), true);
  equal(means("127.evil.test", "http://127.evil.test", true), false);
});

Deno.test("hosts: what is no pattern is refused", () => {
  for (
    const text of [
      "",
      "*",
      "*.",
      "*.*.example.com",
      "a.*.com",
      "ex ample.com",
      "user@example.com",
      "example.com/path",
      "example.com:0",
      "example.com:65536",
      "ftp://example.com",
      "*.1.2.3.4",
      "*.127.1",
      "::1",
      "[::1",
      "x".repeat(400),
    ]
  ) throws(() => hostPattern(text), { code: "invalid_request" }, text);
});
