/** Which laws a subject breaks. */
import { type Law, type Subject, tryLaws } from "../../../conformance/law.ts";

/** Their ids, in the order of the list. */
export async function tripped<S>(laws: readonly Law<S>[], subject: Subject<S>): Promise<string> {
  const findings = await tryLaws(laws, subject);
  return findings.filter(({ fault }) => fault !== undefined).map(({ id }) => id).join(" ");
}
