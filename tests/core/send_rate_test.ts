/** How many messages an agent sends to others in a minute. */
import { readText } from "../../src/fs/use.ts";
import { codeOf } from "../../src/fs/error.ts";
import { equal } from "../assert.ts";
import { agentId } from "../../src/core/id.ts";
import { ID, inWorld, type World } from "../services/world.ts";

const OTHER = agentId("other");

async function warned({ files }: World): Promise<unknown[]> {
  const lines = (await readText(files, "/logs/trace")).trim().split("\n");
  return lines.map((line) => JSON.parse(line)).filter(({ warning }) =>
    String(warning).includes("max_sends_per_minute")
  );
}

/** What the sender's last message came to. */
async function said({ tick }: World, text: string): Promise<unknown> {
  return ((await tick(text)).replies[0] as unknown as { text: string }).text;
}

inWorld("messages beyond the limit are refused until the next minute", async (made) => {
  const { runtime, backend } = made;
  await runtime.create({ id: OTHER, agent: "echo" });
  equal(await said(made, "7"), "sent 7");
  equal((await warned(made)).length, 0);
  equal(await said(made, "1"), "sent 1");
  equal((await warned(made)).length, 1);
  equal(await said(made, "3"), "rate_limited behind 2");
  equal(await said(made, "1"), "rate_limited behind 0");
  equal(await said(made, "self"), "sent to itself");
  await backend.clock.advance(60_000);
  equal(await said(made, "10"), "sent 10");
  equal(await said(made, "1"), "rate_limited behind 0");
  equal((await warned(made)).length, 2);
}, async (ctx, trigger) => {
  if (trigger.type !== "message" || trigger.meta.source.kind === "agent") return;
  if (trigger.text === "self") {
    for (let n = 0; n < 20; n++) await ctx.send(ID, "hello");
    return await ctx.reply("sent to itself");
  }
  const wanted = Number(trigger.text);
  for (let n = 0; n < wanted; n++) {
    try {
      await ctx.send(OTHER, "hello");
    } catch (error) {
      return await ctx.reply(`${codeOf(error)} behind ${n}`);
    }
  }
  await ctx.reply(`sent ${wanted}`);
}, { limits: { max_sends_per_minute: 10, retry_ms: [] } });
