/** A watch that is asked to go on somewhere: by `Last-Event-ID`, by `?after=`, by `?tail=`. */
import { createAgentd } from "../../../src/agentd.ts";
import { memoryBackend } from "../../../src/backends/memory.ts";
import { agentId } from "../../../src/core/id.ts";
import { createApp } from "../../../src/http/app.ts";
import { memorySigner } from "../../../src/providers/signer/memory.ts";
import { callText } from "../../../src/fs/use.ts";
import { deepEqual, equal, ok } from "../../assert.ts";
import { LOCAL } from "../../http/served.ts";
import { mustBeGood, told } from "../answers.ts";
import { brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const ID = agentId("bob");
const NUMBERS = ["0", "1", "7", "12", "9007199254740991", "99999999999999999", "007"];
const URLS = [
  `/agents/${ID}/stream?after=`,
  `/agents/${ID}/logs/trace?watch=1&after=`,
  `/agents/${ID}/logs/trace?tail=`,
  `/agents/${ID}/outbox?watch=1&after=`,
];

/** The numbers of a watch's events, until `last` has come. */
async function idsOf(answer: Response, last: number): Promise<number[]> {
  const ids: number[] = [];
  const reader = answer.body!.getReader();
  let text = "";
  while ((ids.at(-1) ?? 0) < last) {
    const { done, value } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
    ids.length = 0;
    // What is only an id says where it begins, and is no event.
    for (const [, id] of text.matchAll(/^id: (\d+)\nevent: /gm)) ids.push(Number(id));
  }
  await reader.cancel();
  return ids;
}

export const target: Target<{ url: string; number: string; header: string }> = {
  about: "a watch goes on right behind where it was asked to, or is refused",
  make: (chance) => ({
    url: chance.pick(URLS),
    number: chance.percent(60) ? chance.pick(NUMBERS) : brokenText(chance, chance.pick(NUMBERS)),
    header: chance.percent(60)
      ? ""
      : chance.percent(40)
      ? chance.pick(NUMBERS)
      : brokenText(chance, chance.pick(NUMBERS)),
  }),
  async begin() {
    const backend = memoryBackend();
    const runtime = await createAgentd({ backend, signer: memorySigner() });
    await runtime.create({ id: ID, agent: "echo" });
    const files = await runtime.files(ID, { viewer: "operator", name: "operator" });
    for (let n = 0; n < 3; n++) {
      const { envelope_id } = JSON.parse(await callText(files, "/inbox", `hello ${n}`));
      await runtime.wait(ID, envelope_id, new AbortController().signal);
    }
    const app = createApp({ runtime, auth: {}, clock: backend });
    const all = await app(new Request(`http://localhost/agents/${ID}/logs/trace?watch=0`), LOCAL);
    const last = JSON.parse((await all.text()).trim().split("\n").at(-1)!).seq as number;
    ok(last > 10);
    return {
      async try({ url, number, header }) {
        if (/[#&]/.test(number)) return;
        const headers = new Headers();
        try {
          headers.set("last-event-id", header);
        } catch {
          return;
        }
        const request = new Request("http://localhost/", { headers });
        const asked = `http://localhost${url}${number}`;
        Object.defineProperty(request, "url", { value: asked });
        const answer = await app(request, LOCAL);
        const given = (headers.get("last-event-id") || undefined) ??
          (url.endsWith("after=") ? new URLSearchParams(`n=${number}`).get("n")! : undefined);
        const from = given === undefined ? undefined : Number(given);
        const isNumber = given !== undefined && /^\d{1,16}$/.test(given) &&
          Number.isSafeInteger(from);
        if (given !== undefined && !isNumber) {
          equal(answer.status, 400);
        } else if (answer.status === 200 && from !== undefined && !url.includes("outbox")) {
          const ids = await idsOf(answer, from < last ? last : 0);
          deepEqual(ids, Array.from({ length: Math.max(0, last - from) }, (_, i) => from + 1 + i));
          return;
        }
        mustBeGood(asked, "GET", await told(answer));
      },
      end: () => runtime.stop(0),
    };
  },
};
