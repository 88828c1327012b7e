/**
 * An agent that writes programs and shows that they are right: it asks a model for a program and its test, runs the test in a container, tells the model what
 * failed, and answers with the code and the proof. Each step is a tick: the model's answer and the session's end bring the next one.
 */
import { codeOf } from "../fs/error.ts";
import type { Agent, AgentContext, Outcome } from "../core/agent.ts";
import type { Job } from "../core/outside.ts";
import type { Trigger } from "../core/trigger.ts";
import { cancel, fieldsOf, found } from "./common/files.ts";
import { bytesOf } from "./common/text.ts";
import { goOn } from "./common/waiting.ts";
import { type Config, configOf } from "./coder/config.ts";
import { type Asked, type Memory, memorySchema, type Task, VERSION } from "./coder/memory.ts";
import { isOver, run, tested } from "./coder/testing.ts";
import { finish, spentOf, type Work } from "./coder/work.ts";
import { answered, ask } from "./coder/writing.ts";

/** Tasks that wait while it is at others. */
const MAX_WAITING = 50;
const MAX_WAITING_BYTES = 512 * 1024;
/** What is asked for goes along with every call. */
const MAX_TASK_BYTES = 128 * 1024;

export const coder: Agent<Memory> & { readonly about: string } = {
  name: "coder",
  about: "Writes a program by a model, tests it in a container, and answers with code and proof.",
  version: VERSION,
  state: memorySchema,
  onCreate(ctx) {
    configOf(ctx.agent.config);
  },
  async onTrigger(ctx, trigger) {
    let config: Config;
    try {
      config = configOf(ctx.agent.config);
    } catch (error) {
      return await refuseAll(ctx, trigger, (error as Error).message);
    }
    return await onTrigger({ ctx, config }, trigger);
  },
};

async function onTrigger(work: Work, trigger: Trigger): Promise<Outcome> {
  const { state } = work.ctx;
  switch (trigger.type) {
    case "message":
      return await onMessage(work, trigger);
    case "event": {
      const { job_id, status } = fieldsOf(trigger.data);
      if (typeof job_id === "string") await jobEnded(work, job_id, status === "cancelled");
      break;
    }
    case "alarm": {
      const { deadline, go_on } = fieldsOf(trigger.payload);
      if (typeof deadline === "string") await tooLate(work, deadline);
      else goOn(state.tasks.find(({ envelope_id }) => envelope_id === go_on));
      break;
    }
    case "manual":
      await lookAgain(work);
  }
  await stepAll(work);
}

async function onMessage(
  work: Work,
  trigger: Trigger & { readonly type: "message" },
): Promise<Outcome> {
  const { ctx } = work;
  const { state } = ctx;
  const { envelope_id, source } = trigger.meta;
  // Or two agents would talk for ever.
  if (source.kind === "agent" && trigger.parent_id !== undefined) return;
  if (trigger.payload.kind === "binary") return await ctx.reply("I read text and JSON alone.");
  const asked: Asked = { envelope_id, text: trigger.text };
  if (asked.text.trim() === "") return await ctx.reply("Say what the program is to do.");
  if (bytesOf(asked.text) > MAX_TASK_BYTES) {
    return await ctx.reply(`This is too long for me: I take ${MAX_TASK_BYTES} bytes.`);
  }
  const isBusy = state.tasks.length >= work.config.max_tasks;
  const isFull = state.waiting.length >= MAX_WAITING ||
    bytesOf([...state.waiting, asked]) > MAX_WAITING_BYTES;
  if (isBusy && isFull) {
    return await ctx.reply("Too many tasks wait for me already. Send it again later.");
  }
  state.waiting.push(asked);
  await lookAgain(work);
  await stepAll(work);
  return { pending: isOpen(state, envelope_id) };
}

/** Is it still to be answered? */
function isOpen({ tasks, waiting }: Memory, envelopeId: string): boolean {
  return [...tasks, ...waiting].some(({ envelope_id }) => envelope_id === envelopeId);
}

/** Each task goes on until it waits for something; as one ends, the next one begins. */
async function stepAll(work: Work): Promise<void> {
  const { ctx: { state }, config } = work;
  while (true) {
    const ready = state.tasks.find(({ waits }) => waits === null);
    if (ready) await (ready.phase === "write" ? ask : run)(work, ready);
    else if (state.tasks.length < config.max_tasks && state.waiting.length > 0) {
      await begin(work, state.waiting.shift()!);
    } else return;
  }
}

async function begin({ ctx, config }: Work, asked: Asked): Promise<void> {
  const { state } = ctx;
  state.tasks.push({
    ...asked,
    number: ++state.count,
    attempt: 1,
    phase: "write",
    model: null,
    written: null,
    fault: "",
    spent: {
      compute: { times: 0, cost_micro_usd: 0 },
      containers: { times: 0, cost_micro_usd: 0 },
    },
    steps: 0,
    repeats: 0,
    absences: 0,
    waits: null,
    alarm: await ctx.alarm(config.max_answer_ms, { deadline: asked.envelope_id }),
  });
}

/** A model call or a session has ended; of one that nobody waits for any more, nothing is taken. */
async function jobEnded(work: Work, id: string, isCancelled = false): Promise<void> {
  const task = work.ctx.state.tasks.find(({ waits }) => waits?.kind === "job" && waits.id === id);
  if (!task) return;
  task.waits = null;
  await (task.phase === "write" ? answered : tested)(work, task, { id, isCancelled });
}

/**
 * Looks whether what is waited for has come without a word of it: what tells of it may lie in the dead letters, and a copy of an agent waits for
 * what only the original has begun.
 */
async function lookAgain(work: Work): Promise<void> {
  const { ctx } = work;
  for (const task of [...ctx.state.tasks]) {
    const { waits } = task;
    if (waits?.kind === "tick" && waits.due <= ctx.now()) goOn(task);
    if (waits?.kind !== "job") continue;
    if (task.phase === "test" ? await isOver(work, waits.id) : await hasEnded(work, waits.id)) {
      await jobEnded(work, waits.id);
    }
  }
}

async function hasEnded({ ctx }: Work, id: string): Promise<boolean> {
  const job = await found<Job>(ctx, `/compute/jobs/${id}/status`);
  return !job || job.ended_at !== null;
}

/** The time of a task is over. */
async function tooLate(work: Work, envelopeId: string): Promise<void> {
  const { ctx, config } = work;
  const task = ctx.state.tasks.find(({ envelope_id }) => envelope_id === envelopeId);
  if (!task) return;
  if (task.waits?.kind === "job") await end(ctx, task, task.waits.id);
  const seconds = Math.ceil(config.max_answer_ms / 1000);
  await finish(
    work,
    task,
    `I stopped at attempt ${task.attempt}: there was no answer within ${seconds} s (max_answer_ms).\n\n${
      spentOf(task)
    }`,
  );
}

async function end(ctx: AgentContext, { phase }: Task, id: string): Promise<void> {
  if (phase === "write") await cancel(ctx, `/compute/jobs/${id}/ctl`, "cancel");
  else await cancel(ctx, `/containers/sessions/${id}/ctl`, "stop");
}

/** Its config was changed to one that is none: everybody who waits is told. */
async function refuseAll(ctx: AgentContext<Memory>, trigger: Trigger, why: string): Promise<void> {
  const { state } = ctx;
  for (const task of [...state.tasks]) await finish({ ctx }, task, why);
  for (const { envelope_id } of state.waiting.splice(0)) {
    await ctx.reply(why, { to: envelope_id }).catch((error) => {
      if (codeOf(error) !== "not_found") throw error;
    });
  }
  if (trigger.type === "message") await ctx.reply(why);
}
