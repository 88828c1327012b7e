import { deepEqual, equal, ok } from "../../assert.ts";
import { docker, type Ran } from "../../docker/engine.ts";
import { needs } from "../../needs.ts";
import { MAX_PROCESSES, sessionContainer } from "../../../src/providers/containers/container.ts";
import { sessionsOf } from "../../../src/providers/containers/sessions.ts";
import { attackerImage, hostToSee, LIMITS, MISSING_ATTACKER } from "./attacker.ts";
import { type Escape, ESCAPES, type Surroundings } from "./escapes.ts";
import { inside, NEVER, ownHome } from "./home.ts";

const testWithAttacker = needs(MISSING_ATTACKER);
/** So many containers without protection at a time. */
const AT_ONCE = 4;
/** For how long somebody waits for what enters. */
const WATCH_SECS = 2;

function environment(surroundings: Surroundings | Record<string, string>): string[] {
  return Object.entries<string>({ ...surroundings }).map(([name, value]) =>
    `--env=${name}=${value}`
  );
}

function hasGot({ stdout }: Ran): boolean {
  return /^GOT/m.test(stdout);
}

function told(escape: Escape, { code, stdout, stderr }: Ran): string {
  const lines = stdout.split("\n").filter((line) => line.startsWith("GOT"));
  return `${escape.name}: ${lines.join(", ") || `${code} ${stdout} ${stderr}`.slice(0, 300)}`;
}

for (
  const [who, { allow_root, allow_network }] of Object.entries({
    "nobody": { allow_root: false, allow_network: false },
    "root": { allow_root: true, allow_network: false },
    "nobody, with a network,": { allow_root: false, allow_network: true },
  })
) {
  testWithAttacker(`${who} in a session gets out of it by none of the known ways`, async () => {
    const image = await attackerImage();
    await using host = await hostToSee(MAX_PROCESSES);
    await using home = await ownHome();
    const sessions = sessionsOf(home.cli, home.house, () => false, Date.now);
    const limits = { ...home.spec().limits, ...LIMITS, max_cpu_cores: 1, allow_network };
    const spec = home.spec({ image, limits, allow_root });
    const other = home.spec({ image });
    await Promise.all([spec, other].map((one) => sessions.start(one, NEVER)));
    await inside(other.session_id, "touch other-session-file");

    const tried = ESCAPES.filter(({ rootHasIt, networkHasIt }) =>
      !(allow_root && rootHasIt) && !(allow_network && networkHasIt)
    );
    const succeeded: string[] = [];
    for (const escape of tried) {
      const ran = await docker([
        "exec",
        ...environment(host.surroundings),
        sessionContainer(spec.session_id),
        "sh",
        "-c",
        escape.attempt,
      ]);
      if (hasGot(ran)) succeeded.push(told(escape, ran));
      // An attempt that could not be made shows nothing.
      ok(ran.code !== 2 && ran.code < 126 || ran.code === 137, told(escape, ran));
    }
    console.log(`${who}: ${tried.length} attempts, ${succeeded.length} succeeded`);
    deepEqual(succeeded, []);
    equal(await sessions.state(other.session_id), "running");
  });
}

testWithAttacker(
  "who waits inside for the commands that the host begins there gets nothing of the host by them",
  async () => {
    const image = await attackerImage();
    await using host = await hostToSee(MAX_PROCESSES);
    await using home = await ownHome();
    const sessions = sessionsOf(home.cli, home.house, () => false, Date.now);
    const limits = { ...home.spec().limits, ...LIMITS, max_cpu_cores: 1 };
    for (const allow_root of [false, true]) {
      const spec = home.spec({ image, limits, allow_root });
      await sessions.start(spec, NEVER);
      const name = sessionContainer(spec.session_id);
      const env = environment({ ...host.surroundings, SECONDS: String(WATCH_SECS) });
      const watching = docker(["exec", ...env, name, "attempt", "entrants"]);
      let begun = 0;
      let isOver = false;
      watching.finally(() => isOver = true);
      while (!isOver) {
        await docker(["exec", name, "true"]);
        begun++;
      }
      const ran = await watching;
      equal(ran.code, 0, ran.stderr);
      ok(!hasGot(ran), ran.stdout);
      const seen = Number(/^no: (\d+) came$/m.exec(ran.stdout)?.[1]);
      ok(seen >= begun / 2, `${seen} of ${begun} were seen`);
    }
  },
);

testWithAttacker(
  "every attempt of which it can be shown succeeds where its wall is not",
  async () => {
    const image = await attackerImage();
    await using host = await hostToSee(MAX_PROCESSES);
    const all = ESCAPES.filter((one): one is Escape & { opens: readonly string[] } =>
      one.opens !== undefined
    );
    const failed: string[] = [];
    const left = [...all];
    async function worker(): Promise<void> {
      for (let one = left.shift(); one !== undefined; one = left.shift()) {
        const opens = one.opens.map((option) => filled(option, host.surroundings));
        const network = opens.some((option) => option.startsWith("--network"))
          ? []
          : ["--network=none"];
        const how = ["run", "--rm", "--init", ...network, ...environment(host.surroundings)];
        const ran = await docker([...how, ...opens, image, "sh", "-c", one.attempt]);
        if (!hasGot(ran)) failed.push(told(one, ran));
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    console.log(`${all.length} of ${ESCAPES.length} attempts shown to be able to succeed`);
    deepEqual(failed, []);
  },
);

function filled(option: string, surroundings: Surroundings): string {
  return option.replace(/\$([A-Z_]+)/g, (_, name) => surroundings[name as keyof Surroundings]);
}
