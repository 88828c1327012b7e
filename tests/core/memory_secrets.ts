/** A store of secrets that lives as long as the test. */
import type { KeptSecret, SecretStore } from "../../src/core/secrets.ts";

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
