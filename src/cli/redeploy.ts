/** One agent and the file that it was made of: deploys it again when the file, or one that it imports, has changed. */
import { dirname, relative } from "node:path";
import { hasCode } from "../fs/error.ts";
import type { AgentId } from "../core/id.ts";
import type { Deployed } from "../core/view.ts";
import type { Client } from "../http/client.ts";
import { type Bundle, bundle, type Inputs, stampOf } from "./bundle.ts";
import { sendCode } from "./deploy.ts";
import type { SourceNote } from "./sources.ts";

export type Outcome =
  | { readonly kind: "same" }
  | {
    readonly kind: "deployed";
    readonly bundle: Bundle;
    readonly deployed: Deployed;
    /** How many files have changed; undefined where they did while nobody looked. */
    readonly files: number | undefined;
  }
  /** The old code stays. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** It was deleted. */
  | { readonly kind: "gone" }
  /** Its code is not the file's any more, and not for us to replace. */
  | { readonly kind: "others" };

export interface Redeploy {
  /** Looks at the files; `note` is what is known of the agent now. @throws what the server's being gone is told by */
  look(note: SourceNote): Promise<Outcome>;
  /** Have files changed since they were read? */
  stale(): boolean;
  /** Where its files are. */
  dirs(): Iterable<string>;
}

export function redeploy(server: Client, id: AgentId): Redeploy {
  let known: SourceNote | undefined;
  let inputs: Inputs = new Map();
  let failed = false;
  /** The code that others gave it: until the note is another one, the files are not looked at. */
  let left: SourceNote | undefined;

  const changedInputs = () => [...inputs].filter(([path, stamp]) => stampOf(path) !== stamp).length;

  async function look(note: SourceNote): Promise<Outcome> {
    if (left && same(left, note)) return { kind: "same" };
    left = undefined;
    const isNew = known?.file !== note.file;
    const files = isNew ? undefined : changedInputs();
    known = note;
    if (files === 0 && !failed) return { kind: "same" };
    const read: Inputs = new Map();
    let made: Bundle;
    try {
      made = await bundle(near(note.file), read);
    } catch (error) {
      // What could not be read this time may be the one that is mended next.
      inputs = new Map(
        [...inputs].map(([path]) => [path, stampOf(path)] as const).concat([...read]),
      );
      return failing(error);
    }
    inputs = read;
    return await sent(note, made, files);
  }

  async function sent(note: SourceNote, made: Bundle, files: number | undefined): Promise<Outcome> {
    if (made.digest === note.digest) {
      failed = false;
      return { kind: "same" };
    }
    try {
      const { code_digest } = await server.info(id);
      if (code_digest !== note.digest) {
        left = note;
        return { kind: "others" };
      }
      const deployed = await sendCode(server, id, made);
      known = { file: note.file, digest: made.digest };
      failed = false;
      return { kind: "deployed", bundle: made, deployed, files };
    } catch (error) {
      if (hasCode(error, "not_found")) return { kind: "gone" };
      return failing(error);
    }
  }

  function failing(error: unknown): Outcome {
    failed = true;
    return { kind: "failed", error };
  }

  return {
    look,
    stale: () => !left && changedInputs() > 0,
    dirs: () => left ? [] : [...inputs.keys()].map((path) => dirname(path)),
  };
}

/** As a person here would write it. */
function near(file: string): string {
  const short = relative(Deno.cwd(), file);
  return short.startsWith("..") ? file : short;
}

function same(a: SourceNote, b: SourceNote): boolean {
  return a.file === b.file && a.digest === b.digest;
}
