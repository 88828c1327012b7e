/** The register of the laws: every list, in the order in which it is told. Who keeps them is said where the subjects are made. */
import { computeLaws } from "./compute.ts";
import { containerLaws } from "./containers.ts";
import { crashLaws } from "./crash.ts";
import { fileLaws } from "./files.ts";
import { httpLaws } from "./http.ts";
import { namespaceLaws } from "./namespace.ts";
import { storageLaws } from "./storage.ts";
import { tickLaws } from "./ticks.ts";

/** A list as people read it; how it is tried is in `trial.ts`. */
export interface LawList {
  readonly title: string;
  /** What the list is of, in a sentence. */
  readonly about: string;
  readonly laws: readonly { readonly id: string; readonly name: string; readonly says: string }[];
}

export const LISTS: readonly LawList[] = [
  {
    title: "S: storage",
    about:
      "What every backend keeps of the rows of its owners, so that the core need not know which one carries it.",
    laws: storageLaws,
  },
  {
    title: "F: files",
    about:
      "What every `FileService` keeps, be it a service, a namespace, a subtree, or a client at the other end of a wire. A subject is asked only for what it has.",
    laws: fileLaws,
  },
  {
    title: "M: namespaces",
    about: "What a namespace keeps: who serves a path, who may, from when and until when.",
    laws: namespaceLaws,
  },
  {
    title: "H: the control plane over HTTP",
    about:
      "What a server keeps, whoever asks. Some laws can be tried only with the operator's token.",
    laws: httpLaws,
  },
  {
    title: "T: ticks",
    about:
      "What a runtime keeps of its agents: turns, commits, retries, messages, alarms, lives, and what it tells of them. A subject brings a clock that stands, and is cut off as by a crash.",
    laws: tickLaws,
  },
  {
    title: "C: compute",
    about:
      "What `/compute` keeps of requests to models, jobs and their policy, whoever sells, and wherever its files are read. A subject brings a free model.",
    laws: computeLaws,
  },
  {
    title: "X: containers",
    about:
      "What `/containers` keeps of sessions, commands and files, whoever runs them, and wherever its files are read. A subject brings an engine, and puts the few words in which the laws say what a command does into the engine's own.",
    laws: containerLaws,
  },
  {
    title: "K: after a crash",
    about:
      "What holds of every runtime that died at any point and began again, whatever it was doing: asked of what is there once nothing moves any more. `deno task crash` dies at every point there is.",
    laws: crashLaws,
  },
];
