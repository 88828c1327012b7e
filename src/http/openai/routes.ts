/** /v1: what OpenAI's clients ask. An agent is a model; a plain model is called by an agent's `/compute` and paid from its budget. */
import type { Backend } from "../../core/backend.ts";
import type { AgentId } from "../../core/id.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Tracer } from "../../core/tracer.ts";
import type { Code } from "../../fs/error.ts";
import { filesFor } from "../agents.ts";
import { readJson } from "../form.ts";
import { paramIn, WAIT } from "../params.ts";
import { type Answer, jsonAnswer, jsonBody, type Route } from "../route.ts";
import { MAX_WAIT_S } from "../send.ts";
import { json, type Visit } from "../visit.ts";
import { type AgentAsk, agentAsk, askAgent, WAIT_MS } from "./agent.ts";
import { CHAT_FORM, type Form, TEXT_FORM } from "./answer.ts";
import {
  CHAT,
  type ChatAsk,
  chatInput,
  checkOne,
  completeInput,
  COMPLETION,
  type CompletionAsk,
  EMBEDDING,
  type EmbeddingAsk,
  promptOf,
  wrong,
} from "./ask.ts";
import { askModel, type ModelAsk } from "./compute.ts";
import { embeddingsAnswer, embeddingsInput } from "./embed.ts";
import { demandModels, modelNamed, modelsFor, PAYER_HEADER, whom } from "./models.ts";
import { ended } from "./run.ts";
import { CHAT_COMPLETION, EMBEDDINGS, MODEL, MODEL_LIST, TEXT_COMPLETION } from "./schemas.ts";
import { held, served } from "./served.ts";

const TAG = "OpenAI";
/** Segments before a model's name. */
const NAME_AT = 2;

export interface OpenAiDeps {
  readonly runtime: Runtime;
  readonly clock: Pick<Backend, "now" | "timer">;
  readonly tracer?: Tracer | undefined;
  /** Told of errors that no caller waits for. */
  readonly report: (error: unknown) => void;
}

const PAYER = {
  [PAYER_HEADER]: "The agent whose budget pays for a plain model, where the token is not for one " +
    "agent alone.",
};
const HEADERS = {
  ...PAYER,
  "idempotency-key": "Sent twice, it takes effect once and has one answer. Without it, a model " +
    "stops when its client leaves.",
};
const REFUSALS: readonly Code[] = [
  "invalid_request",
  "not_found",
  "not_ready",
  "budget_exceeded",
  "approval_required",
  "inbox_full",
  "provider_unavailable",
  "timeout",
];

export function openAiRoutes(deps: OpenAiDeps): Route[] {
  return [
    {
      at: "/v1/models",
      also: "/v1/models/",
      tag: TAG,
      methods: {
        GET: {
          id: "listModels",
          about: "Lists the agents and models that the caller is offered",
          needs: "list agents",
          headers: PAYER,
          answers: { 200: jsonAnswer("All of them, up to 1,000.", MODEL_LIST) },
          async serve(visit) {
            const data = await modelsFor(lookingUp(deps, visit), visit);
            return json({ object: "list", data });
          },
        },
      },
    },
    {
      at: "/v1/models/{model}",
      also: "/v1/models/*",
      tag: TAG,
      hasFreeNames: true,
      methods: {
        GET: {
          id: "getModel",
          about: "Tells of a model",
          needs: "list agents",
          headers: PAYER,
          answers: { 200: jsonAnswer("It is there.", MODEL) },
          refusals: ["not_found"],
          async serve(visit) {
            const name = visit.target.names.slice(NAME_AT).join("/");
            return json(await modelNamed(lookingUp(deps, visit), visit, name));
          },
        },
      },
    },
    {
      at: "/v1/chat/completions",
      tag: TAG,
      methods: {
        POST: {
          id: "createChatCompletion",
          about: "Asks an agent or a model",
          more: "`agent:<id>`: the user's last message is sent to the agent, as by " +
            "`/agents/{id}/send?wait`, and its replies are the answer. Any other model is called by " +
            "the `/compute` of an agent, which pays for it.",
          needs: "use files",
          query: [WAIT],
          headers: HEADERS,
          body: jsonBody("What is asked.", CHAT),
          answers: { 200: answerOf(CHAT_COMPLETION) },
          refusals: REFUSALS,
          serve: (visit) => chat(deps, visit),
        },
      },
    },
    {
      at: "/v1/completions",
      tag: TAG,
      methods: {
        POST: {
          id: "createCompletion",
          about: "Asks an agent, or lets a model go on with a text",
          needs: "use files",
          query: [WAIT],
          headers: HEADERS,
          body: jsonBody("What is asked.", COMPLETION),
          answers: { 200: answerOf(TEXT_COMPLETION) },
          refusals: REFUSALS,
          serve: (visit) => complete(deps, visit),
        },
      },
    },
    {
      at: "/v1/embeddings",
      tag: TAG,
      methods: {
        POST: {
          id: "createEmbeddings",
          about: "Texts as vectors, by a model",
          needs: "use files",
          headers: HEADERS,
          body: jsonBody("The texts.", EMBEDDING),
          answers: { 200: jsonAnswer("In the order of the texts.", EMBEDDINGS) },
          refusals: REFUSALS,
          serve: (visit) => embed(deps, visit),
        },
      },
    },
  ];
}

function answerOf(schema: typeof CHAT_COMPLETION | typeof TEXT_COMPLETION): Answer {
  const whole = jsonAnswer("The answer; as events where `stream` is true.", schema);
  return { ...whole, body: { ...whole.body, "text/event-stream": "bytes" } };
}

async function chat(deps: OpenAiDeps, visit: Visit): Promise<Response> {
  const ask: ChatAsk = await readJson(visit.request, visit.target.path, CHAT.schema);
  return await answered(deps, visit, ask, CHAT_FORM, () => agentAsk(ask), () => ({
    kind: "chat",
    input: chatInput(ask),
  }));
}

async function complete(deps: OpenAiDeps, visit: Visit): Promise<Response> {
  const ask: CompletionAsk = await readJson(visit.request, visit.target.path, COMPLETION.schema);
  const asked = () => {
    const text = promptOf(ask);
    return { text, messages: [{ role: "user", content: text }] };
  };
  return await answered(deps, visit, ask, TEXT_FORM, asked, () => ({
    kind: "complete",
    input: completeInput(ask),
  }));
}

async function answered(
  deps: OpenAiDeps,
  visit: Visit,
  ask: ChatAsk | CompletionAsk,
  form: Form,
  ofAgent: () => AgentAsk,
  ofModel: () => Pick<ModelAsk, "kind" | "input">,
): Promise<Response> {
  checkOne(ask);
  const { timer, now } = deps.clock;
  const waitMs = waitOf(visit);
  const looking = lookingUp(deps, visit);
  const to = await whom(looking, visit, ask.model);
  if ("payer" in to) demandModels(visit.principal, visit.target.path);
  const files = await looking.files("payer" in to ? to.payer : to.agent);
  const told = { model: ask.model, created: Math.floor(now() / 1000) };
  return await served({ timer, report: deps.report }, visit, ask, form, told, (signal) => {
    if ("payer" in to) {
      const whole = { ...ofModel(), ...termsOf(ask, visit), model: to.model };
      return askModel(files, { ...whole, stream: ask.stream ?? false }, signal);
    }
    const agent = { runtime: deps.runtime, clock: deps.clock, files };
    const terms = { waitMs, stream: ask.stream ?? false };
    return askAgent(agent, to.agent, ofAgent(), terms, visit, signal);
  });
}

async function embed(deps: OpenAiDeps, visit: Visit): Promise<Response> {
  const { request, target: { path }, principal } = visit;
  const ask: EmbeddingAsk = await readJson(request, path, EMBEDDING.schema);
  demandModels(principal, path);
  const looking = lookingUp(deps, visit);
  const to = await whom(looking, visit, ask.model);
  const files = await looking.files("payer" in to ? to.payer : to.agent);
  if (!("payer" in to)) throw wrong("model", `${to.agent} is an agent, and gives no embeddings`);
  const { run, over } = await held(visit, deps.report, (signal) =>
    askModel(files, {
      ...termsOf(ask, visit),
      model: to.model,
      kind: "embeddings",
      input: embeddingsInput(ask),
      stream: false,
    }, signal));
  try {
    const outcome = await ended(run.parts);
    return json(embeddingsAnswer(ask, run.response(), outcome));
  } finally {
    over();
  }
}

/** `?wait=<seconds>`, in milliseconds. */
function waitOf({ target: { query } }: Visit): number {
  const seconds = paramIn(query, WAIT);
  return seconds === undefined ? WAIT_MS : Math.min(seconds, MAX_WAIT_S) * 1000;
}

function termsOf(
  ask: ChatAsk | CompletionAsk | EmbeddingAsk,
  { request }: Visit,
): Pick<ModelAsk, "key" | "timeoutMs" | "maxCostMicroUsd"> {
  return {
    key: request.headers.get("idempotency-key") ?? undefined,
    timeoutMs: ask.timeout_ms,
    maxCostMicroUsd: ask.max_cost_micro_usd,
  };
}

function lookingUp(deps: OpenAiDeps, visit: Visit) {
  return { runtime: deps.runtime, files: (id: AgentId) => filesFor(deps, id, visit) };
}
