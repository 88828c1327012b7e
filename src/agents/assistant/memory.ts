/** What an assistant keeps between its ticks: the conversation, the question that it is at, and those that wait. */
import { z } from "zod";
import { patience, waitsForJob, waitsForTick } from "../common/waiting.ts";

const toolCall = z.looseObject({
  id: z.string(),
  type: z.literal("function"),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});

const message = z.object({
  role: z.enum(["user", "assistant", "tool"]),
  content: z.string().nullable(),
  /** As the model gave them; some servers want back what else they wrote there. */
  tool_calls: z.array(toolCall).exactOptional(),
  tool_call_id: z.string().exactOptional(),
});
export type Message = z.infer<typeof message>;

/** A message of a user, and all that followed from it up to the answer. */
export type Turn = Message[];

const asked = z.object({
  /** Which envelope is answered. */
  envelope_id: z.string(),
  text: z.string(),
});
export type Asked = z.infer<typeof asked>;

const waitsFor = z.discriminatedUnion("kind", [
  waitsForJob,
  /** A person's yes to the model call, or to the first of `calls`. */
  z.object({ kind: z.literal("approval"), id: z.string() }),
  waitsForTick,
]);

const question = z.object({
  envelope_id: z.string(),
  /** Milliseconds since the Unix epoch: from when on the time is counted, of which so much is left. */
  since: z.number(),
  left_ms: z.number(),
  /** Null as long as there is none that it could ask. */
  model: z.string().nullable(),
  /** The first message of every call; made with the first one. */
  system: z.string(),
  ...patience,
  /** What the model wants done and what is not done yet. */
  calls: z.array(toolCall),
  waits: waitsFor.nullable(),
  /** The alarm that ends it. */
  alarm: z.string(),
});
export type Question = z.infer<typeof question>;

export const memorySchema = z.object({
  /** Oldest first. The last one is the open question's, if there is one. */
  turns: z.array(z.array(message)).default([]),
  /** Turns that were given up for lack of room, and parts of the oldest one kept. */
  dropped: z.number().int().default(0),
  question: question.nullable().default(null),
  waiting: z.array(asked).default([]),
  /** The model that has no tool calls, and whether the user has been told. */
  plain: z.object({ model: z.string(), told: z.boolean() }).nullable().default(null),
});
export type Memory = z.infer<typeof memorySchema>;
