/** Laws of what may be asked for: answered at once, refused without a trace, allowed by two, paid, and nobody else's. */
import type { Code } from "../../src/fs/error.ts";
import { readText, watch, writeText } from "../../src/fs/use.ts";
import { holds, refuses, same } from "../expect.ts";
import {
  type Accepted,
  begin,
  type ContainerLaw,
  type ContainerSubject,
  ctl,
  exec,
  fileIn,
  interactive,
  PRICE,
  ran,
  refusesWith,
  resultOf,
  runs,
  sessionIds,
  SESSIONS,
  setPolicy,
  statusOf,
  until,
  usageOf,
} from "./subject.ts";

const FILES = ["ctl", "exec", "files", "output", "result", "status", "usage"];

/** Says something, and ends. */
function words(subject: ContainerSubject): object {
  return { commands: [subject.command([{ say: "words" }])] };
}

/** No session, and nothing reserved. */
async function leavesNothing(subject: ContainerSubject, run: () => Promise<void>): Promise<void> {
  const before = await readText(subject.files, "/containers/usage");
  await run();
  same(await sessionIds(subject.files), [], "the sessions");
  same(await readText(subject.files, "/containers/usage"), before, "the usage");
}

export const requestLaws: readonly ContainerLaw[] = [
  {
    id: "X1",
    name: "new_never_waits",
    says: "`new` answers with a session's id, its status and the paths of its status, output and " +
      "result, under which it is found and listed, also while it waits for its turn",
    async test(subject) {
      const { files } = subject;
      await setPolicy(subject, { max_concurrent: 1 });
      const waits = subject.command([{ until: "go" }]);
      const one = await begin(subject, { commands: [waits] });
      await runs(subject, one);
      const two = await begin(subject, words(subject));
      for (const { session_id, ...told } of [one, two]) {
        const at = `${SESSIONS}/${session_id}`;
        same(told, {
          status: "provisioning",
          status_path: `${at}/status`,
          output_path: `${at}/output`,
          result_path: `${at}/result`,
        }, "the answer");
        same((await files.list(at)).map(({ name }) => name), FILES, "the files of a session");
      }
      same(await sessionIds(files), [one, two].map((of) => of.session_id), "the sessions");
      same((await statusOf(subject, two)).status, "provisioning", "one that waits for its turn");
      await writeText(files, fileIn(one, "go"), "");
      for (const session of [one, two]) {
        same((await until(subject, session)).status, "complete", "its end");
      }
    },
  },
  {
    id: "X2",
    name: "one_key_is_one_session",
    says: "the same request with the same idempotency key is the same session, also at once and " +
      "when it has ended, and another request with it is a conflict",
    async test(subject) {
      const keyed = { ...words(subject), idempotency_key: "k" };
      const ask = (more: object = {}) => begin(subject, { ...keyed, ...more });
      const [first, second] = await Promise.all([ask(), ask()]);
      same(second, first, "two at once");
      await until(subject, first);
      same(await ask(), first, "again, when it has ended");
      await refuses("conflict", () => ask({ env: { A: "b" } }), "another request");
      const other = await ask({ idempotency_key: "l" });
      holds(other.session_id !== first.session_id, "another key");
      await until(subject, other);
      same((await sessionIds(subject.files)).length, 2, "how many sessions");
    },
  },
  {
    id: "X3",
    name: "a_refused_session_leaves_nothing",
    says: "a request that is malformed, leads out of the work directory, wants more than the " +
      "policy gives, or what nobody has, is refused with its own code, and leaves no session and " +
      "nothing reserved",
    async test(subject) {
      const wrong: readonly [Code, object][] = [
        ["invalid_request", { commands: [] }],
        ["invalid_request", { wish: 1 }],
        ["invalid_request", { kind: "none" }],
        ["invalid_request", { kind: "interactive", artifacts: ["*"] }],
        ["invalid_request", { limits: { max_memory_mb: 0 } }],
        ["invalid_request", { env: { "1": "x" } }],
        ["invalid_request", { env: { A: "\ud800" } }],
        ["invalid_request", { env: { ["__proto__"]: "x" } }],
        ["invalid_request", { image: "x; y" }],
        ["invalid_request", { files: { a: "x", "a/b": "y" } }],
        ["invalid_request", { timeout_ms: 0 }],
        ["invalid_request", { max_cost_micro_usd: 1 }],
        ["invalid_path", { files: { "../x": "y" } }],
        ["invalid_path", { files: { "/x": "y" } }],
        ["invalid_path", { workdir: "a/../.." }],
        ["invalid_path", { artifacts: ["../*"] }],
        ["not_found", { provider: "nobody" }],
        ["not_supported", { kind: "custom:none" }],
        ["permission_denied", { limits: { max_time_secs: 3_600 } }],
        ["permission_denied", { limits: { max_memory_mb: 65_536 } }],
        ["too_large", { files: { x: "four" } }],
      ];
      await setPolicy(subject, { max_file_size_bytes: 3 });
      await leavesNothing(subject, async () => {
        for (const [code, more] of wrong) {
          const ask = () => begin(subject, { ...words(subject), ...more });
          await refuses(code, ask, JSON.stringify(more));
        }
        await setPolicy(subject, { require_idempotency: true });
        await refuses("idempotency_required", () => begin(subject, words(subject)), "no key");
        await setPolicy(subject, { require_idempotency: false, require_max_cost: true });
        await refuses("max_cost_required", () => begin(subject, words(subject)), "no most");
      });
    },
  },
  {
    id: "X4",
    name: "a_refusal_says_what_to_do",
    says: "an image that is not there is told with the verb that fetches it, what the policy " +
      "forbids with the file where an operator changes it, and neither leaves anything",
    async test(subject) {
      await leavesNothing(subject, async () => {
        const absent = { ...words(subject), image: "agentd.test/absent:1" };
        await refusesWith("permission_denied", "/containers/policy", () => begin(subject, absent));
        await setPolicy(subject, { allowed_images: ["*"] });
        const pull = "agentd images pull agentd.test/absent:1";
        await refusesWith("provider_unavailable", pull, () => begin(subject, absent));
      });
    },
  },
  {
    id: "X5",
    name: "it_takes_a_request_and_a_policy",
    says:
      "an image is run if the policy allows it, and what blocks wins; a network is had if the " +
      "request and the policy want it, and not by one of them",
    async test(subject) {
      const { image } = await statusOf(subject, await ran(subject, [{ say: "words" }]));
      const ask = (more: object = {}) => begin(subject, { ...words(subject), image, ...more });
      const denied = (what: string, more: object = {}) =>
        refuses("permission_denied", () => ask(more), what);
      await setPolicy(subject, { allowed_images: [`${image}x`] });
      await denied("an image that is not allowed");
      await setPolicy(subject, {
        allowed_images: [image],
        blocked_images: [`${image.slice(0, 3)}*`],
      });
      await denied("one that is allowed and blocked");
      await setPolicy(subject, { allowed_images: null, blocked_images: null });
      const network = { limits: { allow_network: true } };
      await denied("a network that the policy does not give", network);
      await setPolicy(subject, { allow_network: true });
      for (const [more, want] of [[{}, false], [network, true]] as const) {
        const session = await ask(more);
        const { status, limits } = await until(subject, session);
        same([status, limits.allow_network], ["complete", want], "a network");
      }
    },
  },
  {
    id: "X6",
    name: "what_it_costs_is_reserved_and_settled",
    says: "the most that a session may cost is reserved while it runs and given back at its end, " +
      "what it has cost stands in its result and its status and is spent, also where it fails, and " +
      "what would pass the limit is `budget_exceeded`",
    async test(subject) {
      const [slow, spent] = [subject.command([{ until: "go" }]), [] as number[]];
      const session = await begin(subject, { commands: [slow], limits: { max_time_secs: 100 } });
      await runs(subject, session);
      const most = PRICE.micro_usd_per_session + 100 * PRICE.micro_usd_per_second;
      same((await statusOf(subject, session)).reserved_micro_usd, most, "what is reserved");
      same((await usageOf(subject)).day.reserved_micro_usd, most, "what is reserved in the day");
      await setPolicy(subject, { max_cost_micro_usd_per_day: most });
      await refuses("budget_exceeded", () => begin(subject, words(subject)), "beyond the limit");
      await setPolicy(subject, { max_cost_micro_usd_per_day: null });
      await writeText(subject.files, fileIn(session, "go"), "");
      const failing = await begin(subject, { commands: [subject.command([{ exit: 3 }])] });
      for (const one of [session, failing]) {
        const { cost_micro_usd: cost, reserved_micro_usd: reserved } = await until(subject, one);
        holds(Number.isSafeInteger(cost) && cost! <= reserved, `a cost of at most ${reserved}`);
        holds(cost! >= PRICE.micro_usd_per_session, `at least the price of a session, not ${cost}`);
        const { cost_micro_usd, reserved_micro_usd } = await resultOf(subject, one);
        same([cost_micro_usd, reserved_micro_usd], [cost, reserved], "its result");
        spent.push(cost!);
      }
      const { day } = await usageOf(subject);
      const total = spent.reduce((sum, cost) => sum + cost, 0);
      same([day.spent_micro_usd, day.reserved_micro_usd], [total, 0], "the day");
    },
  },
  {
    id: "X7",
    name: "a_session_is_its_agents",
    says:
      "another agent finds no file of a session, gives it no command, cannot stop it and does " +
      "not see it listed, and a key is its agent's too",
    async test(subject) {
      const { files, other } = subject;
      const session = await interactive(subject, { idempotency_key: "k" });
      await writeText(files, fileIn(session, "secret"), "mine");
      for (const file of [...FILES, "files/secret", "exec/new"]) {
        const path = `${SESSIONS}/${session.session_id}/${file}`;
        await refuses("not_found", () => other.stat(path), `stat ${file}`);
        await refuses("not_found", () => readText(other, path), `read ${file}`);
      }
      const theirs = { ...subject, files: other };
      await refuses("not_found", () => exec(theirs, session, { command: "x" }), "a command");
      const write = () => writeText(other, fileIn(session, "secret"), "theirs");
      await refuses("not_found", write, "a file that is written");
      await refuses("not_found", () => ctl(theirs, session, "stop"), "stop");
      same(await sessionIds(other), [], "the other's sessions");
      same((await statusOf(subject, session)).status, "running", "it runs all the same");
      const own = await begin(theirs, { kind: "interactive", idempotency_key: "k" });
      holds(own.session_id !== session.session_id, "the same key, of another agent");
      await runs(theirs, own);
      await ctl(theirs, own, "stop");
      await ctl(subject, session, "stop");
    },
  },
  {
    id: "X8",
    name: "its_end_is_told_once",
    says: "a session and a command that end enqueue one `job:<id>:done` with the path of the " +
      "result, unless the request says `notify: false`",
    async test(subject) {
      const { files } = subject;
      const quiet = await ran(subject, [{ say: "quiet" }]);
      const session = await interactive(subject, { notify: true });
      const silent = await exec(subject, session, { command: subject.command([{ say: "a" }]) });
      await until(subject, silent);
      const loud = await exec(subject, session, {
        command: subject.command([{ say: "b" }]),
        notify: true,
      });
      await until(subject, loud);
      await ctl(subject, session, "stop");
      const last = await begin(subject, { ...words(subject), notify: true });
      const heard: Heard[] = [];
      for await (const event of heardBy(subject)) {
        heard.push(event);
        if (event.job_id === last.session_id) break;
      }
      same(
        heard.map(({ job_id, result_path }) => [job_id, result_path]),
        [[loud.exec_id, loud.result_path], ...[session, last].map(ended)],
        "who was told of, once each and in order",
      );
      const ids = await readText(files, "/logs/trajectory");
      for (const { job_id } of heard) holds(ids.includes(`job:${job_id}:done`), "its envelope");
      holds(!ids.includes(quiet.session_id), "a session that is not to be told of");
    },
  },
];

interface Heard {
  readonly job_id: string;
  readonly result_path: string;
}

function ended({ session_id, result_path }: Accepted): [string, string] {
  return [session_id, result_path];
}

/** What the agent has heard of jobs that ended. */
async function* heardBy({ files }: ContainerSubject): AsyncGenerator<Heard> {
  const stop = new AbortController();
  const outbox = await watch<{ type: string; data: Heard }>(files, "/outbox", {
    after: 0,
    signal: stop.signal,
  });
  try {
    for await (const { type, data } of outbox) if (type === "event") yield data;
  } finally {
    stop.abort();
  }
}
