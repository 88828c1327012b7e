import assert from "../assert.ts";
import { manualClock } from "../../src/backends/manual_clock.ts";
import { digest } from "../../src/core/code.ts";
import type { HeldGrant, Tokens } from "../../src/core/tokens.ts";
import { codeOf } from "../../src/fs/error.ts";
import {
  type AuthOptions,
  createDoor,
  hostName,
  type Peer,
  STRANGER,
} from "../../src/http/auth.ts";
import { GUESS_WINDOW_MS, guesses, MAX_ADDRESSES, MAX_GUESSES } from "../../src/http/guesses.ts";
import { LOCAL, TOKEN } from "./served.ts";

const FAR: Peer = { local: false, transport: "tcp", address: "203.0.113.9" };
const UNIX: Peer = { local: true, transport: "unix" };

function door(
  options: Partial<AuthOptions> = {},
  clock = manualClock(),
  find: Tokens["find"] = () => undefined,
) {
  return createDoor({ tokenDigest: digest(TOKEN), ...options }, clock.now, find);
}
function request(headers: Record<string, string> = {}): Request {
  return new Request("http://localhost:8080/agents", { headers });
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
/** The name it is let in by, or the code it is refused with. */
function outcome(run: () => unknown): unknown {
  try {
    return run() ?? "in";
  } catch (error) {
    return codeOf(error);
  }
}

Deno.test("Host must be a name the server answers to, with any port and in any case", () => {
  const { admit } = door({ hosts: ["agents.example", "::ffff:1", "192.0.2.7"] });
  const asked = (host: string) => outcome(() => admit(request({ host })));
  for (
    const host of [
      "localhost",
      "localhost:8080",
      "LocalHost:1",
      "127.0.0.1:8080",
      "[::1]:8080",
      "[::1]",
      "agents.example",
      "192.0.2.7:80",
      "[::ffff:1]:80",
    ]
  ) assert.equal(asked(host), "in", host);
  for (
    const host of [
      "evil.example",
      "localhost.evil.example",
      "evil.example:8080",
      "localhost@evil.example",
      "localhost:80:80",
      "localhost, evil.example",
      "",
      ":8080",
      "127.0.0.1.evil.example",
      "::1",
      "agents.example.",
    ]
  ) assert.equal(asked(host), "permission_denied", host);
});

Deno.test("a refused Host is told what to add", () => {
  assert.throws(
    () => door().admit(request({ host: "box.lan:8080" })),
    /add --allow-host box\.lan\)$/,
  );
});

Deno.test("other sites' pages are refused, ours and programs are not", () => {
  const asked = (headers: Record<string, string>) =>
    outcome(() => door().admit(request({ host: "localhost:8080", ...headers })));
  assert.equal(asked({}), "in");
  assert.equal(asked({ origin: "http://localhost:8080" }), "in");
  assert.equal(asked({ origin: "https://localhost:8080" }), "in");
  assert.equal(asked({ "sec-fetch-site": "none" }), "in");
  assert.equal(asked({ "sec-fetch-site": "same-origin" }), "in");
  for (
    const origin of ["null", "http://evil.example", "http://localhost:3000", "http://localhost"]
  ) {
    assert.equal(asked({ origin }), "permission_denied", origin);
  }
  for (const site of ["cross-site", "same-site", "Cross-Site"]) {
    assert.equal(asked({ "sec-fetch-site": site }), "permission_denied", site);
  }
});

Deno.test("without a token: local on loopback, operator on the unix socket, nobody elsewhere", () => {
  const { who } = door();
  assert.deepEqual(who(request(), LOCAL), { viewer: "local", name: "local" });
  assert.deepEqual(who(request(), UNIX), { viewer: "operator", name: "operator" });
  assert.equal(outcome(() => who(request(), FAR)), "auth_required");
  assert.equal(outcome(() => who(request(), STRANGER)), "auth_required");
});

Deno.test("what came through somebody else needs the token, on loopback and on the unix socket", () => {
  const { who } = door();
  for (
    const name of [
      "Forwarded",
      "X-Forwarded-For",
      "X-Forwarded-Host",
      "X-Forwarded-Anything",
      "X-Real-IP",
      "Via",
    ]
  ) {
    for (const peer of [LOCAL, UNIX]) {
      assert.equal(outcome(() => who(request({ [name]: "x" }), peer)), "auth_required", name);
      const { viewer } = who(request({ [name]: "x", ...bearer(TOKEN) }), peer);
      assert.equal(viewer, "operator");
    }
  }
});

Deno.test("--require-token asks it of loopback; the unix socket is its owner's", () => {
  const { who } = door({ requireToken: true });
  assert.equal(outcome(() => who(request(), LOCAL)), "auth_required");
  assert.equal(who(request(), UNIX).viewer, "operator");
  assert.equal(who(request(bearer(TOKEN)), LOCAL).viewer, "operator");
});

Deno.test("the token is a bearer token and nothing else, wrong ones are refused on loopback too", () => {
  const asked = (authorization: string, options: Partial<AuthOptions> = {}) =>
    outcome(() => door(options).who(request({ authorization }), LOCAL));
  assert.deepEqual(asked(`Bearer ${TOKEN}`), { viewer: "operator", name: "operator" });
  assert.deepEqual(asked(`bearer   ${TOKEN}`), { viewer: "operator", name: "operator" });
  for (
    const wrong of [
      "Bearer wrong",
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      "Bearer",
      `Basic ${TOKEN}`,
      TOKEN,
      `Bearer ${TOKEN} x`,
      `Bearer ${digest(TOKEN)}`,
    ]
  ) assert.equal(asked(wrong), "auth_required", wrong);
  const none = outcome(() =>
    createDoor({}, () => 0, () => undefined).who(request(bearer(TOKEN)), LOCAL)
  );
  assert.equal(none, "auth_required", "no token is right where there is none");
});

Deno.test("wrong tokens are limited by address, the right one never is", async () => {
  const clock = manualClock();
  const { who } = door({}, clock);
  const guess = (peer: Peer) => outcome(() => who(request(bearer("guess")), peer));
  for (let n = 0; n < MAX_GUESSES; n++) assert.equal(guess(FAR), "auth_required");
  assert.equal(guess(FAR), "rate_limited");
  assert.equal(guess(LOCAL), "auth_required", "another address");
  assert.equal(who(request(bearer(TOKEN)), FAR).viewer, "operator");
  await clock.advance(GUESS_WINDOW_MS - 1);
  assert.equal(guess(FAR), "rate_limited");
  await clock.advance(1);
  assert.equal(guess(FAR), "auth_required");
});

Deno.test("a scoped token is its grant, as long as it stands", () => {
  const granted: HeldGrant = {
    id: "1",
    name: "reader",
    agents: "*",
    can: "read",
    created_at: "2026-01-01T00:00:00.000Z",
    revoked: new AbortController().signal,
  };
  let grant: HeldGrant | undefined = granted;
  const find = (token: string) => token === "scoped" ? grant : undefined;
  const { who } = door({ requireToken: true }, manualClock(), find);
  const entered = who(request(bearer("scoped")), FAR);
  assert.deepEqual(entered, { viewer: "operator", name: "reader", grant: granted });
  assert.equal(who(request(bearer(TOKEN)), FAR).grant, undefined, "the operator has no limit");
  grant = undefined;
  assert.equal(outcome(() => who(request(bearer("scoped")), FAR)), "auth_required");
});

Deno.test("a missing token is no wrong one", () => {
  const { who } = door();
  for (let n = 0; n < 2 * MAX_GUESSES; n++) {
    assert.equal(outcome(() => who(request(), FAR)), "auth_required");
  }
});

Deno.test("memory of wrong tokens is bounded: the oldest address is forgotten first", () => {
  const known = guesses(() => 0);
  for (let n = 0; n <= MAX_GUESSES; n++) known.count("first");
  assert.equal(known.count("first"), GUESS_WINDOW_MS);
  for (let n = 0; n < MAX_ADDRESSES - 1; n++) known.count(`address ${n}`);
  assert.equal(known.count("first"), GUESS_WINDOW_MS, "still known");
  known.count("one more");
  assert.equal(known.count("first"), 0, "forgotten");
});

Deno.test("a listening address is named as Host names it", () => {
  assert.deepEqual(["::1", "[::1]", "Box", "10.0.0.1"].map(hostName), [
    "[::1]",
    "[::1]",
    "box",
    "10.0.0.1",
  ]);
});
