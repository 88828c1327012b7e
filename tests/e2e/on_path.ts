/** The program as `agentd` on PATH, for lines that a person types into a shell. */
import { CACHE, programWords } from "./program.ts";

export interface Shell {
  /** Runs a line in `sh`; what it leaves running in the background is waited for as long as it holds its streams. */
  run(line: string): Promise<{ code: number; out: string; err: string }>;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a test with a shell in `cwd` that finds `agentd`, and has nothing else in its environment but PATH and HOME. */
export async function withShell(cwd: string, test: (shell: Shell) => Promise<void>): Promise<void> {
  const bin = await Deno.makeTempDir({ prefix: "agentd-bin-" });
  const words = programWords().map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${bin}/agentd`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  const env = { ...CACHE, PATH: `${bin}:${Deno.env.get("PATH")}`, HOME: cwd };
  try {
    await test({
      env,
      async run(line) {
        const { code, stdout, stderr } = await new Deno.Command("sh", {
          args: ["-c", line],
          cwd,
          env,
          clearEnv: true,
        }).output();
        const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
        return { code, out: out!, err: err! };
      },
    });
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
}
