/** Replies with what it got. A reply of another agent is the end of a talk, and a manual trigger only counts as a tick. */
import type { Agent, Sendable } from "../core/agent.ts";
import type { Payload } from "../core/envelope.ts";

export const echo: Agent & { readonly about: string } = {
  name: "echo",
  about: "Replies with the payload that it got.",
  async onTrigger(ctx, trigger) {
    switch (trigger.type) {
      case "message":
        // Or two echoes would go on for ever.
        if (trigger.meta.source.kind === "agent" && trigger.parent_id !== undefined) return;
        return await ctx.reply(asSent(trigger.payload));
      case "alarm":
        return await ctx.broadcast("alarm", trigger.payload);
      case "event":
        return await ctx.broadcast("event", { event: trigger.event, data: trigger.data });
    }
  },
};

/** What comes from agents and relays is wrapped by the runtime, which does not take its wrapping from an agent. */
function asSent(payload: Payload): Sendable {
  if (payload.kind === "agent_message") return payload.data;
  if (payload.kind === "nostr_event") return { kind: "json", data: payload.event };
  return payload.kind === "tick" ? null : payload;
}
