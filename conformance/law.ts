/** A law is a sentence and a function that tries to break it. It knows no test framework, so it runs wherever JavaScript runs. */

export interface Law<S> {
  /** `S1`, `F3`, `T12`: a letter for the list it stands in, and its number there. */
  readonly id: string;
  /** In snake_case; the tests are called `test_<name> [<subject>]`. */
  readonly name: string;
  /** The promise, in one sentence. */
  readonly says: string;
  /** Rejects when the promise is broken. */
  readonly test: (subject: S) => Promise<void>;
}

/** Something that should keep a list of laws; each law gets a fresh one. */
export interface Subject<S> {
  readonly name: string;
  open(): Promise<{ readonly subject: S; close(): Promise<void> }>;
}

export interface Finding {
  readonly id: string;
  readonly name: string;
  readonly subject: string;
  /** Why the law is broken; absent if it is kept. */
  readonly fault?: string;
}

/** Tries one law on a fresh subject. */
export async function tryLaw<S>(law: Law<S>, subject: Subject<S>): Promise<Finding> {
  const { id, name } = law;
  const opened = await subject.open();
  try {
    await law.test(opened.subject);
    return { id, name, subject: subject.name };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { id, name, subject: subject.name, fault };
  } finally {
    await opened.close();
  }
}

/** Tries all laws, one after the other. */
export async function tryLaws<S>(
  laws: readonly Law<S>[],
  subject: Subject<S>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const law of laws) findings.push(await tryLaw(law, subject));
  return findings;
}
