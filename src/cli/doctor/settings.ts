/** Which settings hold, and where each came from. */
import type { Call } from "../call.ts";
import type { Home } from "../home.ts";
import { envNames, type Found, readSettings, SETTING_NAMES } from "../settings.ts";
import { failed, type Finding, type Group } from "./finding.ts";

/** Undefined where they cannot be read; the group says why. */
export function lookAtSettings(call: Call, home: Home): { group: Group; found: Found | undefined } {
  const title = "Settings";
  const client = clientSettings(call);
  try {
    const found = readSettings({ home, env: call.env, names: envNames(), flags: {} });
    const findings = SETTING_NAMES.map((name): Finding => {
      const value = found.settings[name];
      return { name, state: "ok", found: shown(value), from: found.from[name] };
    });
    return { group: { title, findings: [...findings, ...client] }, found };
  } catch (error) {
    return { group: { title, findings: [failed("settings", error), ...client] }, found: undefined };
  }
}

/** A list by its items, an object by its names. */
function shown(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return (Array.isArray(value) ? value : Object.keys(value)).join(", ") || "none";
}

/** What a client uses in place of what the data directory says. */
function clientSettings({ env }: Call): Finding[] {
  const url = env("AGENTD_URL");
  const findings: Finding[] = [];
  if (url) findings.push({ name: "url", state: "ok", found: url, from: "AGENTD_URL" });
  if (env("AGENTD_TOKEN")) {
    findings.push({ name: "token", state: "ok", found: "set", from: "AGENTD_TOKEN" });
  }
  return findings;
}
