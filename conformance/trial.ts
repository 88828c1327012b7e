/** A law and a subject, ready to be tried. What the subject is made of is hidden, so that every list fits into one table. */
import { type Finding, type Law, type Subject, tryLaw } from "./law.ts";

export interface Trial {
  readonly id: string;
  /** `test_<law> [<subject>]`. */
  readonly name: string;
  readonly says: string;
  readonly subject: string;
  /** Never rejects for a broken law; the finding tells. */
  run(): Promise<Finding>;
}

/** Every law on every subject, subject by subject. */
export function trials<S>(
  laws: readonly Law<S>[],
  subjects: readonly Subject<S>[],
): Trial[] {
  return subjects.flatMap((subject) =>
    laws.map((law) => ({
      id: law.id,
      name: `test_${law.name} [${subject.name}]`,
      says: law.says,
      subject: subject.name,
      run: () => tryLaw(law, subject),
    }))
  );
}

/** The trial as the body of a test. Rejects, with the sentence and the reason, when the law is broken. */
export async function must(trial: Trial): Promise<void> {
  const { fault } = await trial.run();
  if (fault !== undefined) {
    throw new Error(`${trial.subject} breaks ${trial.id} ("${trial.says}"): ${fault}`);
  }
}
