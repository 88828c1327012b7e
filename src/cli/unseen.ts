/** What nobody else on the machine may see: typed unseen, or on standard input; never a word of the command line. */
import type { Call } from "./call.ts";
import { usage } from "./exit.ts";

/**
 * Of standard input all but its last newline.
 * @param how the command that gives it on standard input
 * @throws usage error where there is nothing
 */
export async function unseen(call: Call, question: string, how: string): Promise<string> {
  const { canAsk, askUnseen, input, inputIsTerminal } = call.terminal;
  if (canAsk) return await askUnseen(question);
  if (inputIsTerminal) throw usage("The value comes from standard input", how);
  const value = (await new Response(input).text()).replace(/\r?\n$/, "");
  if (value === "") throw usage("There is nothing on standard input", how);
  return value;
}
