/** What an agent is made of, as it is named on the command line: a built-in's name, or a file that is bundled here. */
import type { Bundle } from "./bundle.ts";
import { type Call, withProgress } from "./call.ts";

export type Code =
  | { readonly kind: "builtin"; readonly name: string }
  /** `file` as it was named. */
  | { readonly kind: "module"; readonly file: string; readonly bundle: Bundle };

const SCRIPT = /[/\\]|\.[mc]?[jt]sx?$/;

/** Is a file meant, and no built-in agent? */
export function isFileName(named: string): boolean {
  return SCRIPT.test(named);
}

/** @throws an error for people, naming file, line and what to do */
export async function codeOf(call: Call, named: string): Promise<Code> {
  if (!isFileName(named)) return { kind: "builtin", name: named };
  return { kind: "module", file: named, bundle: await bundled(call, named) };
}

/** One module out of a file and all that it imports. @throws an error for people, naming file, line and what to do */
export async function bundled(call: Call, file: string): Promise<Bundle> {
  // The bundler is large, and most commands need none.
  const making = import("./bundle.ts").then(({ bundle }) => bundle(file));
  const made = await withProgress(call, `bundling ${file}`, making);
  for (const line of made.warnings) {
    call.terminal.note(`${call.terminal.paintNote("yellow", "warning:")} ${line}`);
  }
  return made;
}

/** What a request of the control plane has for it. */
export function codeBody(code: Code): string | { code: string; digest: string } {
  if (code.kind === "builtin") return code.name;
  return { code: code.bundle.code, digest: code.bundle.digest };
}

/** `41 KB in 0.4 s` */
export function bundleWords({ bytes, ms }: Bundle): string {
  return `${Math.ceil(bytes / 1000)} KB in ${(ms / 1000).toFixed(1)} s`;
}

/** As much of a digest as people compare. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 8);
}
