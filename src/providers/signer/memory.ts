/** Keys that live as long as the program: for tests, and for embedding where agents end with it. */
import type { AgentId } from "../../core/id.ts";
import type { SigningService } from "../../core/provider.ts";
import { newSecret, platformRandom, type Random, signer } from "./nostr.ts";

export function memorySigner(random: Random = platformRandom): SigningService {
  const secrets = new Map<AgentId, Uint8Array>();
  return signer({
    get: (agent) => Promise.resolve(secrets.get(agent)),
    create(agent) {
      const secret = secrets.get(agent) ?? newSecret(random);
      secrets.set(agent, secret);
      return Promise.resolve(secret);
    },
    set(agent, secret) {
      secrets.set(agent, secret);
      return Promise.resolve();
    },
    remove(agent) {
      secrets.delete(agent);
      return Promise.resolve();
    },
  });
}
