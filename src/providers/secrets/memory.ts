/** Secrets that live as long as the program: for tests, and where agents end with it. */
import type { KeptSecret, SecretStore } from "../../core/secrets.ts";

export function memorySecrets(first: readonly KeptSecret[] = []): SecretStore {
  let kept = first;
  return {
    load: () => Promise.resolve(kept),
    save(secrets) {
      kept = secrets;
      return Promise.resolve();
    },
  };
}
