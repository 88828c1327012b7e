import type { Subject } from "../../conformance/law.ts";
import { namespaceLaws, type NamespaceSubject } from "../../conformance/namespace.ts";
import { must, trials } from "../../conformance/trial.ts";
import { namespace, subtree } from "../../src/fs/namespace.ts";

const ours: Subject<NamespaceSubject> = {
  name: "namespace",
  open: () => Promise.resolve({ subject: { namespace, subtree }, close: () => Promise.resolve() }),
};

for (const trial of trials(namespaceLaws, [ours])) {
  Deno.test(trial.name, () => must(trial));
}
