/** What Docker's client prints about containers and images, and why it fails. */
import type { DockerCli } from "../../../src/providers/containers/cli.ts";
import { engineFailure } from "../../../src/providers/containers/failure.ts";
import { findImage, isReference, listImages } from "../../../src/providers/containers/images.ts";
import { listed, look, lossOf } from "../../../src/providers/containers/listed.ts";
import { codeOf, CODES } from "../../../src/fs/error.ts";
import { ok } from "../../assert.ts";
import { isRefusal, refusingLater } from "../expect.ts";
import { anyJson, brokenJson, brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const IMAGE = {
  Id: `sha256:${"ab".repeat(32)}`,
  RepoTags: ["busybox:1.37", "registry.test:5000/team/box:latest", "<none>:<none>"],
  RepoDigests: [`busybox@sha256:${"cd".repeat(32)}`],
  Size: 4_261_502,
  Created: "2026-01-02T03:04:05.678901234Z",
  Config: { Volumes: { "/data": {}, "/var/lib/x/": {} }, Env: ["PATH=/bin", "A"] },
};
const LOOKED = [false, true, 137, "home", ""];
const LISTED = "agentd-019b\ttrue\nagentd_clone-019c\t\nagentd_spare-1\tfalse\nother\t<no value>\n";
const ERRORS = [
  "",
  "Error: No such container: agentd-1\n",
  "Error response from daemon: No such image: x:1\n",
  "docker: Error response from daemon: \u001b[31mOCI runtime create failed\u001b[0m: no space left on device\nSee 'docker run --help'.\n",
  "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
  "panic: runtime error\u202e\n\u0007\n",
];
const PRINTED = [
  LISTED,
  `${JSON.stringify(LOOKED)}\n`,
  `${JSON.stringify(IMAGE)}\n${JSON.stringify({ Id: "sha256:1", RepoTags: null, Config: null })}\n`,
  JSON.stringify(IMAGE),
];
/** May be said of what is printed; a fault of the program is none of them. */
const REFUSALS = Object.keys(CODES).filter((code) => code !== "internal") as (keyof typeof CODES)[];

/** A client whose every command ends like this. */
function clientOf(ended: { code: number; stdout: string; stderr: string }): DockerCli {
  return {
    run: () => Promise.resolve(ended),
    ask(args, on) {
      if (ended.code !== 0) return Promise.reject(engineFailure(args[0]!, on, ended));
      return Promise.resolve(ended.stdout.trim());
    },
    open: () => {
      throw new Error("nothing is opened");
    },
  };
}

export const target: Target<{ stdout: string; stderr: string; code: number }> = {
  about: "whatever Docker prints becomes what is known of its containers and images, or a refusal",
  make(chance) {
    const printed = chance.percent(30)
      ? JSON.stringify(brokenJson(chance, chance.percent(50) ? IMAGE : LOOKED))
      : chance.percent(10)
      ? JSON.stringify(anyJson(chance, 3))
      : brokenText(chance, chance.pick(PRINTED), PRINTED);
    return {
      stdout: printed,
      stderr: chance.percent(30) ? brokenText(chance, chance.pick(ERRORS), ERRORS) : "",
      code: chance.percent(75) ? 0 : chance.pick([1, 125, 126, 127, 137, 255]),
    };
  },
  begin: () => ({
    async try(ended) {
      const cli = clientOf(ended);
      const house = { home: "home" } as Parameters<typeof listed>[1];
      const asking = <T>(run: () => Promise<T>) => refusingLater(run, ...REFUSALS);
      for (const { name, role, session, ends } of await asking(() => listed(cli, house)) ?? []) {
        ok(name !== "\n" && typeof ends === "boolean");
        ok(role === "other" ? session === "" : name.endsWith(session) && session !== "");
      }
      const seen = await asking(() => look(cli, "agentd-1"));
      if (seen) {
        ok(typeof seen.isRunning === "boolean" && typeof seen.isOutOfMemory === "boolean");
        ok(Number.isSafeInteger(seen.exitCode) && typeof seen.wasSpare === "boolean");
        ok(seen.home === undefined || typeof seen.home === "string");
      }
      ok(isRefusal(await lossOf(cli, "agentd-1"), REFUSALS));
      for (const image of await asking(() => listImages(cli)) ?? []) {
        ok(isReference(image.name), image.name);
        ok(Number.isSafeInteger(image.size_bytes) && image.size_bytes >= 0);
        ok(image.created_at === null || !Number.isNaN(Date.parse(image.created_at)));
        ok(!/\p{Cc}/u.test(image.id) && image.id.length <= 100, image.id);
      }
      const found = await asking(() => findImage(cli, "busybox:1.37"));
      for (const volume of found?.volumes ?? []) {
        ok(/^\/[^,:\0]+$/.test(volume) && !volume.split("/").includes(".."), volume);
      }
      ok((found?.env ?? []).every((one) => typeof one === "string"));
      const failure = engineFailure("run", "agentd-1", ended);
      ok(codeOf(failure) !== "internal" && failure.message.length < 2_000);
      ok(!/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(failure.message), failure.message);
    },
  }),
};
