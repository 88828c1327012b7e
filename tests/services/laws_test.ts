/** The laws of files, kept by an agent's real services: its files, its outbox, and its whole namespace. */
import { fileLaws, type FileSubject } from "../../conformance/files.ts";
import type { Subject } from "../../conformance/law.ts";
import { must, trials } from "../../conformance/trial.ts";
import type { Viewer } from "../../src/core/view.ts";
import { subtree } from "../../src/fs/namespace.ts";
import { writeJson, writeText } from "../../src/fs/use.ts";
import { world } from "./world.ts";

const FEATURES = [
  "scratch",
  "append",
  "parts",
  "versions",
  "nested",
  "watch",
  "watch_dir",
  "stream",
];
const laws = fileLaws.filter(({ needs }) => needs.every((need) => FEATURES.includes(need)));

/** Something in every directory; and an agent that emits an event each time it is told to. */
async function filled(viewer: Viewer) {
  const made = await world(async (ctx) => {
    await ctx.broadcast("told");
    await ctx.kv.set("constructor", { n: 1 });
    await ctx.kv.set("ä b", "text");
  });
  const { files } = made;
  await made.tick();
  await writeJson(files, "/goals/g1.json", { description: "learn" });
  for (const path of ["/files/a", "/files/b/c", "/files/b/d/e"]) await writeText(files, path, path);
  return { made, files: await made.as(viewer) };
}

function subject(
  name: string,
  viewer: Viewer,
  make: (from: Awaited<ReturnType<typeof filled>>) => FileSubject,
): Subject<FileSubject> {
  return {
    name,
    async open() {
      const from = await filled(viewer);
      return { subject: make(from), close: () => from.made.stop() };
    },
  };
}

const subjects = [
  subject("an operator's namespace", "operator", ({ made, files }) => ({
    files,
    scratch: { dir: "/files/scratch" },
    stream: { path: "/outbox", emit: async () => void await made.tick() },
  })),
  subject("a local caller's namespace", "local", ({ made, files }) => ({
    files,
    scratch: { dir: "/files/scratch" },
    stream: { path: "/outbox", emit: async () => void await made.tick() },
  })),
  subject("/files", "operator", ({ made, files }) => ({
    files: subtree(files, "/files"),
    scratch: { dir: "/x/scratch" },
    stream: { path: "/none", emit: async () => void await made.tick() },
  })),
];

for (const trial of trials(laws, subjects)) {
  if (
    trial.subject === "/files" && laws.some((l) => l.id === trial.id && l.needs.includes("stream"))
  ) {
    continue;
  }
  Deno.test(trial.name, () => must(trial));
}
