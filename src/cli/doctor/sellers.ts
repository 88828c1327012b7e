/** Model sellers that the settings name: is the key there with which they are asked? */
import { join } from "node:path";
import { VENDORS } from "../../providers/compute/cloud.ts";
import { computeSettings } from "../../providers/compute/mod.ts";
import { mountsOfSecrets } from "../../providers/secrets/file.ts";
import type { Call } from "../call.ts";
import type { Home } from "../home.ts";
import type { Found } from "../settings.ts";
import { type Finding, look } from "./finding.ts";

const SECRETS = "secrets";
const MOUNT = "/compute";

/** @param found undefined where the settings cannot be read, which is told elsewhere */
export async function lookAtSellers(
  call: Call,
  home: Home,
  found: Found | undefined,
): Promise<Finding[]> {
  const settings = computeSettings.safeParse(found?.settings.compute ?? {});
  if (!settings.success) {
    const [{ path, message } = { path: [], message: "not what is expected" }] =
      settings.error.issues;
    const found = `${["compute", ...path].join(".")}: ${message}`;
    const todo = "Mend it in the settings file: no server starts with it.";
    return [{ name: "sellers", state: "broken", found, todo }];
  }
  const keys = settings.data.cloud.map(({ id, vendor, secret }) => ({
    name: id ?? vendor ?? "cloud",
    secret: secret ?? (vendor && VENDORS[vendor].secret),
  }));
  return await Promise.all(
    keys.map(({ name, secret }) => look(name, () => lookAtKey(call, home, name, secret))),
  );
}

async function lookAtKey(
  call: Call,
  home: Home,
  name: string,
  secret: string | undefined,
): Promise<Finding> {
  if (secret === undefined) {
    const todo = "Say which secret holds its key: no server starts without.";
    return { name, state: "broken", found: "no secret is named", todo };
  }
  const mounts = (await mountsOfSecrets(join(home.dir, SECRETS))).get(secret);
  if (mounts?.includes(MOUNT)) return { name, state: "ok", found: `its key is ${secret}` };
  const set = `${call.program} secret set ${secret}`;
  if (!mounts) {
    const found = `there is no secret ${secret}`;
    return { name, state: "absent", found, todo: `${set} --mount ${MOUNT}` };
  }
  const bound = [...mounts, MOUNT].map((mount) => `--mount ${mount}`).join(" ");
  const found = `${secret} is not bound to ${MOUNT}`;
  return { name, state: "absent", found, todo: `${set} ${bound} --keep-value` };
}
