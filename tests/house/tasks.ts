/** What deno.json's tasks promise: those that documents name are there, and the program is run in one scope however it is started. */

export interface Task {
  readonly command: string;
}
export type Tasks = Readonly<Record<string, Task>>;

/** Tasks that a text names and deno.json does not have, as sentences. */
export function unnamed(file: string, source: string, tasks: Tasks): string[] {
  const named = source.matchAll(/\bdeno(?:@[\d.]+)? task ([a-z][\w:-]*)/g);
  return [...new Set(Array.from(named, ([, name]) => name!))]
    .filter((name) => !Object.hasOwn(tasks, name))
    .map((name) => `${file} names the task "${name}": deno.json has none of this name`);
}

/** The permissions of a task that runs or compiles `main.ts`; undefined for other tasks. */
export function scopeOf({ command }: Task): string | undefined {
  if (!/ main\.ts\b/.test(command)) return undefined;
  return command.split(" ").filter((word) => /^(-A|--allow-|--deny-|--no-prompt)/.test(word))
    .join(" ");
}

/** Tasks that run the program in another scope than the first of them does, or in no scope, as sentences. */
export function otherScopes(tasks: Tasks): string[] {
  const scopes = Object.entries(tasks).flatMap(([name, task]) => {
    const scope = scopeOf(task);
    return scope === undefined ? [] : [{ name, scope }];
  });
  const [first] = scopes;
  return scopes
    .filter(({ scope }) => scope !== first?.scope || /-A\b|--allow-all/.test(scope))
    .map(({ name, scope }) =>
      `the task "${name}" runs main.ts with "${scope}": every task runs it with the same named permissions`
    );
}
