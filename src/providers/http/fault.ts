/** What goes wrong between here and a server, told so that it is known whether the server was asked. */
import { FileError, hasCode } from "../../fs/error.ts";

/** Nothing was sent. */
export function unreached(host: string, why: string): FileError {
  return new FileError("provider_unavailable", "reach", host, {
    detail: `${host} was not reached: ${why}`,
    extra: { asked: false },
  });
}

/** The signal aborted before anything was sent. */
export function givenUp(host: string, reason: unknown): FileError {
  const isLate = hasCode(reason, "timeout");
  return new FileError(isLate ? "timeout" : "provider_unavailable", "reach", host, {
    detail: `${host} was not reached ${isLate ? "in time" : "before it was given up"}`,
    extra: { asked: false },
  });
}

/** Something was sent, and no whole answer came. */
export function broken(host: string, why: string): FileError {
  return new FileError("provider_unavailable", "ask", host, {
    detail: `${host} was asked, and gave no whole answer: ${why}`,
  });
}

/** The platform's error in one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ ?\(os error \d+\)/, "").slice(0, 300);
}

/** Ends with what is run, or at once with the signal's reason. What is run goes on by itself, and `late` clears up after it. */
export async function within<T>(
  signal: AbortSignal,
  run: Promise<T>,
  late: (value: T) => void = () => {},
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  let isOver = false;
  run.then((value) => isOver && late(value), () => {});
  const left = () => reject(signal.reason);
  if (signal.aborted) left();
  else signal.addEventListener("abort", left, { once: true });
  try {
    return await Promise.race([promise, run]);
  } finally {
    isOver = true;
    signal.removeEventListener("abort", left);
  }
}
