/** What a coder keeps between its ticks: the tasks that it is at, and those that wait. Code and output stay where they are, in the jobs that made them. */
import { z } from "zod";
import { patience, waitsForJob, waitsForTick } from "../common/waiting.ts";

/** Of the state; what is older is brought up by `migrate`. */
export const VERSION = 1;

const asked = z.object({
  /** Which envelope is answered. */
  envelope_id: z.string(),
  text: z.string(),
});
export type Asked = z.infer<typeof asked>;

const spent = z.object({
  /** Requests that have ended. */
  times: z.number().int(),
  cost_micro_usd: z.number().int(),
});

const task = asked.extend({
  /** Where its program is kept: `/files/programs/<number>`. */
  number: z.number().int(),
  attempt: z.number().int(),
  /** What is done next, or waited for. */
  phase: z.enum(["write", "test"]),
  /** Null until one is found. */
  model: z.string().nullable(),
  /** The model call whose answer is tested, or was. */
  written: z.string().nullable(),
  /** What was wrong with it, in words for the model; short. */
  fault: z.string(),
  spent: z.object({ compute: spent, containers: spent }),
  ...patience,
  waits: z.discriminatedUnion("kind", [waitsForJob, waitsForTick]).nullable(),
  /** The alarm that ends it. */
  alarm: z.string(),
});
export type Task = z.infer<typeof task>;

export const memorySchema = z.object({
  /** Tasks so far. */
  count: z.number().int().default(0),
  tasks: z.array(task).default([]),
  waiting: z.array(asked).default([]),
});
export type Memory = z.infer<typeof memorySchema>;
