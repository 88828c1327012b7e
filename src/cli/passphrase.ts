/** The passphrase of an agent's key: typed unseen on a terminal, or out of a file; in no argument and no variable, where others could see it. */
import type { Call } from "./call.ts";
import { EXIT, trouble, usage } from "./exit.ts";

/** Names a file that holds the passphrase. */
export const PASSPHRASE_FILE = "AGENTD_PASSPHRASE_FILE";

/**
 * Asks for it, twice where it will be needed again.
 * @throws usage error where there is neither a terminal nor a file
 */
export async function passphraseFor(
  call: Call,
  what: string,
  { twice }: { readonly twice: boolean },
): Promise<string> {
  const file = call.env(PASSPHRASE_FILE);
  if (file) return fromFile(file);
  const { terminal } = call;
  if (!terminal.canAsk) {
    throw usage(
      `A passphrase for ${what} is asked for on a terminal`,
      `Elsewhere, ${PASSPHRASE_FILE} names a file that holds it.`,
    );
  }
  const typed = await terminal.askUnseen(`passphrase for ${what}: `);
  if (typed === "") throw usage("A passphrase has at least one character");
  if (twice && await terminal.askUnseen("the same again: ") !== typed) {
    throw usage("The two passphrases differ", "Nothing was done; try again.");
  }
  return typed;
}

/** Its first line; what an editor puts at the end is no part of it. */
function fromFile(file: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    throw trouble(EXIT.failed, `Cannot read ${file}: ${(error as Error).message}`);
  }
  const [line = "", ...more] = text.split(/\r?\n/);
  if (line !== "" && more.every((rest) => rest === "")) return line;
  throw usage(`${file} holds no passphrase`, "It is one line of text.");
}
