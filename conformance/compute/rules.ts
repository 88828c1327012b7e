/** Laws of what may be asked: refusals that leave nothing, a policy that holds, and money. */
import { readJson, readText } from "../../src/fs/use.ts";
import type { Code } from "../../src/fs/error.ts";
import { holds, refuses, same } from "../expect.ts";
import {
  answered,
  ask,
  chunks,
  type ComputeLaw,
  type ComputeSubject,
  jobIds,
  setPolicy,
} from "./subject.ts";

type Fields = Record<string, unknown>;

const policyOf = (files: ComputeSubject["files"]) => readJson<Fields>(files, "/compute/policy");

export const ruleLaws: readonly ComputeLaw[] = [
  {
    id: "C9",
    name: "a_refusal_leaves_nothing",
    says: "a request that is malformed, of a model that there is not, or of a kind that nobody " +
      "has, is refused with its own code, and leaves no job and nothing reserved",
    async test(subject) {
      const { files } = subject;
      const before = await readText(files, "/compute/usage");
      const wrong: [Code, object][] = [
        ["invalid_request", { model: "" }],
        ["invalid_request", { kind: "none" }],
        ["invalid_request", { input: {} }],
        ["invalid_request", { input: { messages: [] } }],
        ["invalid_request", { wish: 1 }],
        ["invalid_request", { max_cost_micro_usd: 0.5 }],
        ["invalid_request", { timeout_ms: 0 }],
        ["not_found", { model: "no-such-model" }],
        ["not_found", { model: "constructor" }],
        ["not_supported", { kind: "custom:none", input: {} }],
      ];
      for (const [code, more] of wrong) {
        await refuses(code, () => ask(subject, more), JSON.stringify(more));
      }
      same(await jobIds(files), [], "the jobs");
      same(await readText(files, "/compute/usage"), before, "the usage");
    },
  },
  {
    id: "C10",
    name: "what_is_blocked_is_not_asked",
    says: "a model that the policy blocks, or does not allow, is `permission_denied`, by each of " +
      "its names, and what blocks wins",
    async test(subject) {
      const { model } = subject;
      const first = `${model.slice(0, 1)}*`;
      const denied = (what: string) => refuses("permission_denied", () => ask(subject), what);
      await setPolicy(subject, { blocked_models: [model] });
      await denied("blocked by its name");
      await setPolicy(subject, { blocked_models: [first], allowed_models: [model] });
      await denied("blocked by a pattern, and allowed by name");
      await setPolicy(subject, { blocked_models: [], allowed_models: [`${model}?`] });
      await denied("not allowed");
      await setPolicy(subject, { allowed_models: ["*"], allowed_providers: [] });
      await denied("of a provider that is not allowed");
      await setPolicy(subject, { allowed_models: [first], allowed_providers: ["*"] });
      await answered(subject);
    },
  },
  {
    id: "C11",
    name: "a_policy_can_demand",
    says: "where the policy demands a key or a most, a request without one is " +
      "`idempotency_required` or `max_cost_required`",
    async test(subject) {
      await setPolicy(subject, { require_idempotency: true });
      await refuses("idempotency_required", () => ask(subject), "without a key");
      await ask(subject, { idempotency_key: "k" });
      await setPolicy(subject, { require_idempotency: false, require_max_cost: true });
      await refuses("max_cost_required", () => ask(subject), "without a most");
      await ask(subject, { max_cost_micro_usd: 1 });
      await setPolicy(subject, { default_max_cost_micro_usd: 1 });
      await ask(subject);
    },
  },
  {
    id: "C12",
    name: "a_policy_is_changed_in_part",
    says: "a write to the policy changes the fields that it names, `null` gives one its default, " +
      "and one that is wrong in one field changes none",
    async test(subject) {
      const { files } = subject;
      const start = await policyOf(files);
      await setPolicy(subject, { prefer: "cost", max_concurrent: 7 });
      await setPolicy(subject, { blocked_models: ["x"] });
      const changed = { ...start, prefer: "cost", max_concurrent: 7, blocked_models: ["x"] };
      same(await policyOf(files), changed, "what is named changes");
      for (const wrong of [{ prefer: "luck" }, { max_concurrent: 0 }, { wish: 1 }, []]) {
        const change = Array.isArray(wrong) ? wrong : { blocked_models: ["y"], ...wrong };
        await refuses("invalid_request", () => setPolicy(subject, change), JSON.stringify(wrong));
      }
      same(await policyOf(files), changed, "what is refused changes nothing");
      await setPolicy(subject, { prefer: null, max_concurrent: null, blocked_models: null });
      same(await policyOf(files), start, "null gives the default");
    },
  },
  {
    id: "C13",
    name: "what_is_free_costs_nothing",
    says: "a free model needs no budget: it reserves and spends nothing, whatever the request " +
      "would have paid",
    async test(subject) {
      const { files } = subject;
      const before = await readText(files, "/compute/usage");
      const { job, response } = await answered(subject, { max_cost_micro_usd: 1_000_000_000 });
      same(response.cost_micro_usd, 0, "the cost");
      const status = await readJson<Fields>(files, job.status_path);
      same([status["reserved_micro_usd"], status["cost_micro_usd"]], [0, 0], "the status");
      same(await readText(files, "/compute/usage"), before, "the usage");
    },
  },
  {
    id: "C14",
    name: "providers_say_what_they_are",
    says: "every provider is a directory that tells its id, its models with their kinds and " +
      "prices, and whether it is up",
    async test(subject) {
      const { files } = subject;
      const names = (await files.list("/compute/providers")).map(({ name }) => name);
      const models: Fields[] = [];
      for (const name of names) {
        const at = `/compute/providers/${name}`;
        same((await readJson<Fields>(files, `${at}/info`))["id"], name, "the id");
        const { status } = await readJson<Fields>(files, `${at}/health`);
        holds(["up", "down", "unknown"].includes(String(status)), `${name} is ${status}`);
        models.push(...await readJson<Fields[]>(files, `${at}/models`));
      }
      const found = models.find(({ id }) => id === subject.model);
      holds(found, `${subject.model} is among the models`);
      holds((found["kinds"] as string[]).includes("chat"), "it is told that it chats");
      const free = { input_micro_usd_per_mtok: 0, output_micro_usd_per_mtok: 0 };
      same(found["price"], free, "its price");
    },
  },
  {
    id: "C15",
    name: "jobs_do_not_mix",
    says: "jobs that run at once answer each their own request",
    async test(subject) {
      const texts = Array.from({ length: 8 }, (_, i) => `${i} of eight`);
      const jobs = await Promise.all(
        texts.map((content) =>
          ask(subject, { stream: true, input: { messages: [{ role: "user", content }] } })
        ),
      );
      for (const [i, job] of jobs.entries()) {
        const text = (await chunks(subject, job)).map(({ delta }) => delta.content ?? "").join("");
        holds(text.includes(texts[i]!), `job ${i} answers ${JSON.stringify(text)}`);
      }
    },
  },
];
