/** What a target may say to an input that it does not take: the error that is documented, and no other. */
import type { Code } from "../../src/fs/error.ts";

/** Runs it; undefined where it refused with one of the codes. @throws whatever else it throws */
export function refusing<T>(run: () => T, ...codes: readonly Code[]): T | undefined {
  try {
    return run();
  } catch (error) {
    if (isRefusal(error, codes)) return undefined;
    throw error;
  }
}

/** The same of what answers later. */
export async function refusingLater<T>(
  run: () => Promise<T>,
  ...codes: readonly Code[]
): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (isRefusal(error, codes)) return undefined;
    throw error;
  }
}

export function isRefusal(error: unknown, codes: readonly Code[]): boolean {
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  return name === "FileError" && codes.includes(code as Code);
}

/** A command that was mistyped, as the command line tells it: a line that is none of a broken program. */
export function mistyped<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    const { name, exit } = error as { readonly name?: unknown; readonly exit?: unknown };
    if (name === "Trouble" && exit === 2) return undefined;
    throw error;
  }
}
