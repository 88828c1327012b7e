/** Which of the listed agents ask something: they are looked at when something has happened with them, and besides now and then. */
import { openQuestions } from "./asks.js";

/** Agents that are asked at a time. */
const AT_ONCE = 4;
/** A question that no tick has asked shows itself after so long, in milliseconds. */
const AGAIN_MS = 30_000;

/** @param changed is told when an agent asks more or less than before */
export function lookForQuestions(changed) {
  /** By agent: how it was when it was looked at, and how much it asked. */
  const seen = new Map();

  /** One that asks is looked at again and again: its questions are answered elsewhere too, or expire. */
  function isNew(agent) {
    const before = seen.get(agent.id);
    return before === undefined || before.count > 0 || before.at !== stateOf(agent) ||
      Date.now() - before.lookedMs > AGAIN_MS;
  }
  async function look(agent) {
    const { length } = await openQuestions(`/agents/${encodeURIComponent(agent.id)}`);
    told(agent.id, length, stateOf(agent));
  }
  function told(id, count, at = seen.get(id)?.at) {
    const before = seen.get(id)?.count ?? 0;
    seen.set(id, { count, at, lookedMs: Date.now() });
    if (before !== count) changed();
  }

  return {
    /** Somebody else has looked at this one. */
    told: (id, count) => told(id, count),
    count: (id) => seen.get(id)?.count ?? 0,
    async refresh(agents) {
      const waiting = agents.filter(isNew);
      const worker = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) await look(next);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    },
  };
}

function stateOf({ tick_count, last_tick_at, queue_depth, state }) {
  return [tick_count, last_tick_at, queue_depth, state].join();
}
