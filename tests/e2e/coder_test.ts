/** The coder by the real program: a real model writes a program that fails its test, and then the right one; a real engine runs both; and every micro-USD is accounted for. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { busyboxImage, dockerSays, MISSING_DOCKER } from "../docker/engine.ts";
import { MISSING_LLAMA, startLlama } from "../llama/server.ts";
import { needs } from "../needs.ts";
import { inPlace, type Place } from "./server.ts";

const testWithBoth = needs(MISSING_LLAMA ?? MISSING_DOCKER);
const PATH = { PATH: Deno.env.get("PATH") ?? "" };

const block = (path: string, text: string) => `${"```"}path=${path}\n${text}${"```"}\n`;
const PROGRAM = 'echo "hello, $1!"\n';
const TEST = `said=$(sh main.sh world)
if [ "$said" != "hello, world!" ]; then
  echo "it said: $said"
  exit 1
fi
echo "all is well"
`;
const WRONG = block("main.sh", 'echo "hello, $1"\n') + block("test.sh", TEST);
const RIGHT = block("main.sh", PROGRAM) + block("test.sh", TEST);

interface Budget {
  readonly mounts: Readonly<
    Record<string, {
      readonly usage: {
        readonly day: { readonly spent_micro_usd: number; readonly reserved_micro_usd: number };
      };
    }>
  >;
}
interface Proof {
  readonly attempts: number;
  readonly exit_code: number;
  readonly output: string;
  readonly command: string;
  readonly session_id: string;
  readonly cost_micro_usd: { readonly compute: number; readonly containers: number };
}

/** Two who sell: the model by the token, the engine by the second. */
function settings(url: string, image: string) {
  const prices = {
    tiny: { input_micro_usd_per_mtok: 150_000, output_micro_usd_per_mtok: 600_000 },
  };
  return {
    compute: { discover: false, cloud: [{ id: "toy", url, secret: "TOY_KEY", prices }] },
    containers: {
      docker: { price_micro_usd_per_second: 70, price_micro_usd_per_session: 3, spares: 0 },
      images: [image],
    },
  };
}

/** Runs a verb that must be done; gives its standard output. */
function doing(place: Place) {
  return async (args: readonly string[], input?: string): Promise<string> => {
    const { code, out, err } = await place.run(args, input === undefined ? {} : { input });
    equal(code, 0, `${args.join(" ")}: ${err}`);
    return out;
  };
}

testWithBoth(
  "a program is written, fails its test, is mended, and passes; code and proof are files, and both budgets fit to the micro-USD",
  async () => {
    const image = await busyboxImage();
    await using llama = await startLlama({ replies: [WRONG, RIGHT], wholeTalk: true });
    await inPlace(async (place) => {
      await Deno.mkdir(`${place.dir}/.agentd`);
      const written = JSON.stringify(settings(llama.url, image));
      await Deno.writeTextFile(`${place.dir}/.agentd/agentd.json`, written);
      const served = await place.serve(undefined, { env: PATH });
      const agentd = doing(place);
      await agentd(["secret", "set", "TOY_KEY", "--mount", "/compute"], "sk-toy-1234");
      await agentd(
        ["create", "coder", "coder", "--model", "toy/tiny", "--image", image].concat(
          ["--budget", "/compute=$1/day", "--budget", "/containers=$1/day"],
        ),
      );
      for (const at of ["compute/providers/toy", "containers/providers/docker"]) {
        await untilUp(agentd, at);
      }
      const said = await agentd(["send", "coder", "Greet whom I name.", "--wait"]);
      match(said, /^The test passed, at attempt 2 of 4\.\n/);
      ok(said.includes(block("main.sh", PROGRAM).trim()), said);
      match(said, /\n\$ sh test\.sh\nall is well\nexit code 0, \d+ ms\n/);

      const json = async <T>(path: string) => JSON.parse(await agentd(["cat", path])) as T;
      equal(await agentd(["cat", "coder/files/programs/1/main.sh"]), PROGRAM);
      equal(await agentd(["cat", "coder/files/programs/1/test.sh"]), TEST);
      const proof = await json<Proof>("coder/files/programs/1.json");
      deepEqual(
        [proof.attempts, proof.command, proof.exit_code, proof.output],
        [2, "sh test.sh", 0, "all is well"],
      );

      const sessions = (await agentd(["ls", "coder/containers/sessions"])).trim().split("\n");
      equal(sessions.length, 2);
      equal(sessions[1], `${proof.session_id}/`);
      const [failed, passed] = await Promise.all(
        sessions.map((name) =>
          json<{ exit_code: number; stdout: string }>(
            `coder/containers/sessions/${name}result`,
          )
        ),
      );
      deepEqual([failed!.exit_code, failed!.stdout], [1, "it said: hello, world\n"]);
      deepEqual([passed!.exit_code, passed!.stdout], [0, "all is well\n"]);

      const costsOf = async (at: string) => {
        const names = (await agentd(["ls", at])).trim().split("\n");
        const statuses = await Promise.all(
          names.map((name) => json<{ cost_micro_usd: number }>(`${at}/${name}status`)),
        );
        return statuses.map(({ cost_micro_usd }) => cost_micro_usd);
      };
      const sum = (all: readonly number[]) => all.reduce((a, b) => a + b, 0);
      for (
        const [mount, jobs] of [["compute", "jobs"], ["containers", "sessions"]] as const
      ) {
        const costs = await costsOf(`coder/${mount}/${jobs}`);
        equal(costs.length, 2);
        ok(costs.every((cost) => cost > 0), JSON.stringify(costs));
        const { mounts } = await json<Budget>("coder/budget/usage");
        const { spent_micro_usd, reserved_micro_usd } = mounts[`/${mount}`]!.usage.day;
        deepEqual([spent_micro_usd, reserved_micro_usd], [sum(costs), 0]);
        equal(proof.cost_micro_usd[mount], sum(costs));
      }

      equal((await served.stop()).code, 0);
      const names = ["ps", "-a", "--format", "{{.Names}}"];
      const left = await dockerSays(names);
      for (const name of sessions) ok(!left.includes(name.slice(0, -1)), left);
    });
  },
);

for (const end of ["kill", "stop"] as const) {
  const what = end === "kill"
    ? "a power cut in the middle of the test: the session goes on, and the answer comes"
    : "a stop in the middle of the test ends the session: it is run again, and the answer comes";
  testWithBoth(what, async () => {
    const image = await busyboxImage();
    const waits = "echo begun\nuntil [ -f go ]; do sleep 0.1; done\nsh main.sh world\n";
    const answer = block("main.sh", PROGRAM) + block("test.sh", waits);
    await using llama = await startLlama({ replies: [answer] });
    await inPlace(async (place) => {
      await Deno.mkdir(`${place.dir}/.agentd`);
      await Deno.writeTextFile(
        `${place.dir}/.agentd/agentd.json`,
        JSON.stringify({
          compute: { discover: false, servers: [{ id: "here", url: llama.url }] },
          containers: { images: [image], docker: { spares: 0 } },
        }),
      );
      const agentd = doing(place);
      const sessions = async (wanted: number) => {
        while (true) {
          const all = (await agentd(["ls", "coder/containers/sessions"])).split("/\n").slice(0, -1);
          if (all.length >= wanted) return all;
        }
      };
      const first = await place.serve(undefined, { env: PATH });
      await agentd(["create", "coder", "coder", "--model", "here/tiny", "--image", image]);
      for (const at of ["compute/providers/here", "containers/providers/docker"]) {
        await untilUp(agentd, at);
      }
      const send = ["send", "coder", "Greet whom I name.", "--id", "the-one"];
      const sent = place.start([...send, "--wait"]);
      const [session] = await sessions(1);
      const output = place.start(["watch", `coder/containers/sessions/${session}/output`]);
      await output.line(/begun/);
      await first[end]();
      for (const client of [sent, output]) {
        client.kill("SIGKILL");
        await client.ended;
      }

      const second = await place.serve(undefined, { env: PATH });
      const runs = end === "kill" ? 1 : 2;
      const now = (await sessions(runs)).at(-1)!;
      const again = place.start(["watch", `coder/containers/sessions/${now}/output`]);
      await again.line(/begun/);
      again.kill("SIGKILL");
      await again.ended;
      await agentd(["write", `coder/containers/sessions/${now}/files/go`], "");
      const said = await agentd([...send, "--wait"]);
      match(said, /^The test passed, at attempt 1 of 4\.\n/);
      match(said, /\n\$ sh test\.sh\nbegun\nhello, world!\nexit code 0, \d+ ms\n/);
      ok(
        said.includes(`It was free: 1 model call, ${runs} session${runs === 1 ? "" : "s"}.`),
        said,
      );
      equal((await sessions(runs)).length, runs);
      equal((await second.stop()).code, 0);
    });
  });
}

/** Whoever sells is looked at in the background. */
async function untilUp(
  agentd: (args: readonly string[]) => Promise<string>,
  at: string,
): Promise<void> {
  for (let status = "unknown"; status !== "up";) {
    const health = JSON.parse(await agentd(["cat", `coder/${at}/health`])) as { status: string };
    status = health.status;
    ok(status !== "down", JSON.stringify(health));
  }
}
