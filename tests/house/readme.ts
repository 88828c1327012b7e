/** Writes conformance/README.md from the sentences of the laws: `deno run -A tests/house/readme.ts`. */
import { type LawList, LISTS } from "../../conformance/mod.ts";
import { ROOT } from "./root.ts";

export const README = "conformance/README.md";

const HEAD = `# The laws

A law is an id, a sentence, and a function that tries to break it. It knows no test framework and nothing of the world, so the same list is tried in Deno, in a bare realm, on any backend, and over HTTP against a running server.

\`\`\`sh
deno test conformance/                      # the memory subject: no flag, no permission
deno task conformance                       # every subject here, as a table
deno task conformance S F3                  # a list, a law
deno task conformance --url http://…        # a running server, by the laws of HTTP
\`\`\`

To hold something new to a list, give the list a subject (\`law.ts\`): a name, and a way to open a fresh one. Subjects of this tree are made in \`conformance/memory.ts\` and \`tests/conformance/subjects.ts\`.

This file is written from the sentences by \`deno run -A tests/house/readme.ts\`; a test compares.
`;

/** What Markdown would take for a mark: not an underscore inside a word. */
const MARKS = /[*\\<]|(?<!\w)_+|_+(?!\w)/g;

/** A sentence of plain words and code spans, as Markdown that shows it so. */
function plain(says: string): string {
  const escape = (part: string) => part.replace(MARKS, (marks) => marks.replace(/./g, "\\$&"));
  return says.split("`").map((part, n) => n % 2 ? `\`${part}\`` : escape(part)).join("");
}

/** The whole document. */
export function readme(lists: readonly LawList[]): string {
  const parts = lists.map(({ title, about, laws }) => {
    const lines = laws.map(({ id, name, says }) => `- **${id}** \`${name}\`: ${plain(says)}`);
    return `\n## ${title}\n\n${about}\n\n${lines.join("\n")}\n`;
  });
  return HEAD + parts.join("");
}

/** Lists that do not go together: an id, a name or a sentence that another law has already, or that is missing. */
export function misnumbered(lists: readonly LawList[]): string[] {
  const laws = lists.flatMap(({ laws }) => laws);
  const faults = laws
    .filter(({ id, name, says }) => !/^[A-Z]\d+$/.test(id) || !/^[a-z0-9_]+$/.test(name) || !says)
    .map(({ id, name }) => `${id} ${name}: a law has an id like S1, a name_like_this, a sentence`);
  for (const field of ["id", "name", "says"] as const) {
    const seen = new Map<string, string>();
    for (const law of laws) {
      const other = seen.get(law[field]);
      if (other) faults.push(`${law.id} ${law.name} has the same ${field} as ${other}`);
      seen.set(law[field], `${law.id} ${law.name}`);
    }
  }
  return faults;
}

if (import.meta.main) await Deno.writeTextFile(new URL(README, ROOT), readme(LISTS));
