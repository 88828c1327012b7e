/** Real shells complete real commands, by the scripts that the program gives them. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { withShell } from "./on_path.ts";
import { inPlace, type Place } from "./server.ts";

async function missing(shell: string): Promise<string | undefined> {
  try {
    await new Deno.Command(shell, { args: ["-c", "true"], stdout: "null" }).output();
  } catch {
    return `there is no ${shell} here`;
  }
}

/** A place with a server, two agents, files of theirs and of the place, and `agentd` on PATH. */
async function prepared(
  test: (place: Place, env: Readonly<Record<string, string>>) => Promise<void>,
) {
  await inPlace(async (place) => {
    await place.serve();
    for (const words of [["create", "bob", "counter"], ["create", "bot-2", "echo"]]) {
      equal((await place.run(words)).code, 0);
    }
    for (const path of ["bob/files/a b.txt", "bob/files/notes/x.txt"]) {
      equal((await place.run(["write", path, "x"])).code, 0);
    }
    Deno.mkdirSync(`${place.dir}/here`);
    Deno.writeTextFileSync(`${place.dir}/here/my agent.ts`, "");
    await withShell(place.dir, ({ env }) => test(place, env));
  });
}

async function shell(
  name: string,
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { stdout, stderr, success } = await new Deno.Command(name, {
    args: ["-c", script],
    cwd,
    env,
    clearEnv: true,
  }).output();
  ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

/** Lines as they are typed, and what is offered for their last word. */
const LINES: readonly (readonly [string, readonly string[]])[] = [
  ["agentd se", ["secret", "send", "serve"]],
  ["agentd send bo", ["bob", "bot-2"]],
  ["agentd cat bob/fi", ["bob/files/"]],
  ["agentd cat bob/files/", ["bob/files/a b.txt", "bob/files/notes/"]],
  ["agentd goals bob pro", ["progress"]],
  ["agentd list --state pau", ["paused"]],
  ["agentd send bob --wa", ["--wait"]],
  ["agentd create x e", ["echo"]],
  ["agentd status nobo", []],
];

needs(await missing("bash"))("bash", async () => {
  await prepared(async ({ dir }, env) => {
    const asked = LINES.map(([line]) => `try ${line}`).join("\n");
    const script = `source <(agentd completions bash)
      try() {
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _agentd 2>/dev/null
        (IFS='|'; echo "\${COMPREPLY[*]}")
      }
      ${asked}
      try agentd create x ./here/
      complete -p agentd agentctl`;
    const lines = await shell("bash", script, dir, env);
    for (const [line, offered] of LINES) {
      const found = lines.shift()!.split("|").filter(Boolean).sort();
      deepEqual(found, offered.map((one) => one.replaceAll(" ", "\\ ")), line);
    }
    equal(lines.shift(), "./here/my agent.ts");
    deepEqual(lines, ["complete -F _agentd agentd", "complete -F _agentd agentctl"]);
  });
});

needs(await missing("fish"))("fish", async () => {
  await prepared(async ({ dir }, env) => {
    const asked = LINES.map(([line]) =>
      `complete -C '${line}' | cut -f1 | sort | string join '|'; echo`
    );
    const script = `agentd completions fish | source; ${asked.join("; ")}`;
    const lines = await shell("fish", script, dir, env);
    for (const [line, offered] of LINES) {
      const found: string[] = [];
      for (let next = lines.shift(); next; next = lines.shift()) found.push(...next.split("|"));
      deepEqual(found, offered, line);
    }
  });
});

needs(await missing("zsh"))("zsh, as it is typed", async () => {
  await prepared(async ({ dir }, env) => {
    // Tab at a prompt, then the line as it stands is shown with what was typed.
    const typed = [
      ["agentd sen", "agentd send "],
      ["agentd cat bob/fi", "agentd cat bob/files/"],
      ["agentd cat bob/files/a", "agentd cat bob/files/a\\ b.txt "],
      ["agentd list --state pau", "agentd list --state paused "],
      ["agentd create x ./he", "agentd create x ./here/"],
    ] as const;
    const script = `zmodload zsh/zpty; zpty z zsh -f -i
      zpty -w z 'PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; source <(agentd completions zsh)'
      zpty -w z 'show() { zle -I; print -r -- "<$BUFFER>"; BUFFER=; }; zle -N show; bindkey "^G" show; echo re''ady'
      zpty -r z out '*ready*'
      ${
      typed.map(([line]) =>
        `zpty -w -n z '${line}'$'\\t\\a'; zpty -r z out '*<*>*'; print -r -- "$out"`
      ).join("\n")
    }
      zpty -d z`;
    const shown = (await shell("zsh", script, dir, env)).join("\n");
    const lines = [...shown.matchAll(/<(agentd [^>]*)>/g)].map(([, line]) => line);
    deepEqual(lines, typed.map(([, line]) => line), shown);
  });
});

needs(await missing("bash"))(
  "without a server nothing is offered, and nothing is said",
  async () => {
    await inPlace(async (place) => {
      const env = { HOME: place.dir };
      for (
        const words of [["send", "b"], ["cat", "bob/x"], ["nope", ""], [], ["--url", "x", "ls", ""]]
      ) {
        const { code, out, err } = await place.run(["__complete", "bash", "--", ...words], { env });
        equal(code, 0, err);
        equal(err, "");
        if (words.length > 0) equal(out, "");
      }
      const bad = await place.run(["completions", "fihs"], { env });
      equal(bad.code, 2);
      match(bad.err, /Did you mean fish\?$/m);
    });
  },
);
