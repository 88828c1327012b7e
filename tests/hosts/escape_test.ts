/** Hostile agents against the process host: none gets out, and nobody else feels it. */
import { processHost } from "../../src/hosts/process.ts";
import { ATTEMPTS } from "./escapes.ts";
import { attempt } from "./sandbox.ts";

for (const group of Object.keys(ATTEMPTS)) {
  Deno.test(`no way out: ${group}`, async () => {
    const host = processHost({ spares: 0 });
    try {
      await attempt(host, group);
    } finally {
      await host.stop();
    }
  });
}
