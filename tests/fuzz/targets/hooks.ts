/** Messages to a hook, with signatures, times, names and bodies that are broken. */
import { ok } from "../../assert.ts";
import { BOB, hmac, SECRET, send, world } from "../../http/hooks/world.ts";
import { signaturesIn } from "../../../src/http/hooks/verify.ts";
import { mustBeGood, told } from "../answers.ts";
import { brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const HEX = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const BODIES = ['{"ref":"main"}', "payload=%7B%22a%22%3A1%7D", "plain text", '{"a":[1,2]}', ""];
const TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain", ""];
const SIGNATURES = [`sha256=${HEX}`, `v1,${HEX}`, HEX, `t=1,v1=${HEX}`];
/** What the hook looks at besides, where it is asked to. */
const TIMES = ["1767323045", "1767323045000", "2026-01-02T03:04:05Z", "soon"];

export const target: Target<{
  hook: string;
  body: string;
  type: string;
  /** Empty: signed as it should be. */
  signature: string;
  time: string;
  id: string;
}> = {
  about: "a message is let in exactly when it is signed with the secret",
  sample: 2_000,
  make: (chance) => ({
    hook: chance.weighed({ git: 5, timed: 4, none: 1 }),
    body: chance.percent(50) ? chance.pick(BODIES) : brokenText(chance, chance.pick(BODIES)),
    type: chance.percent(80) ? chance.pick(TYPES) : brokenText(chance, chance.pick(TYPES)),
    signature: chance.percent(50) ? "" : brokenText(chance, chance.pick(SIGNATURES), SIGNATURES),
    time: chance.percent(60) ? TIMES[0]! : brokenText(chance, chance.pick(TIMES), TIMES),
    id: chance.percent(60) ? "" : brokenText(chance, "7d0f1e9c-0001"),
  }),
  async begin() {
    const { app, ask, errors, runtime, close } = await world();
    await ask("PUT", "/hooks/git", { scheme: "github", agent: BOB, secret: SECRET });
    await ask("PUT", "/hooks/timed", {
      scheme: "hmac-sha256",
      agent: BOB,
      secret: SECRET,
      signature_header: "x-signature-256",
      id_header: "x-id",
      timestamp_header: "x-time",
    });
    await runtime.configure(BOB, { limits: {} }, "operator");
    let asked = 0;
    return {
      async try({ hook, body, type, signature, time, id }) {
        const isGit = hook !== "timed";
        const signed = isGit ? body : `${time}.${body}`;
        const right = `sha256=${(await hmac(SECRET, signed)).toHex()}`;
        const headers = new Headers();
        try {
          headers.set(isGit ? "x-hub-signature-256" : "x-signature-256", signature || right);
          headers.set("x-time", time);
          if (id) headers.set(isGit ? "x-github-delivery" : "x-id", id);
          headers.set("content-type", type);
        } catch {
          return;
        }
        signaturesIn(signature);
        const peer = { local: false, transport: "tcp", address: `from-${asked++}` } as const;
        const init = { method: "POST", headers, body: new TextEncoder().encode(body) };
        const answer = await told(await send(app, `/hooks/${hook}`, init, peer));
        mustBeGood(`http://localhost/hooks/${hook}`, "POST", answer);
        const { status } = answer;
        // What was signed may still be no JSON, come again with another type, or find the inbox full.
        const taken = [202, 400, 409, 503];
        if (signature || hook === "none") ok(status === 401, `${status}: ${answer.body}`);
        else if (isGit) ok(taken.includes(status), `${status}: ${answer.body}`);
        // A header loses blanks at its ends, and a time may be one that nobody would write.
        else ok([...taken, 401].includes(status), `${status}: ${answer.body}`);
        ok(!answer.body?.includes(SECRET));
        if (errors.length > 0) throw errors[0];
      },
      end: close,
    };
  },
};
