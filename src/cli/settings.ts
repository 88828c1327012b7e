/** Settings of the server: a file in the data directory, then the environment, then flags; each remembers where it came from. */
import { usage } from "./exit.ts";
import { type Home, readSmall, shownIn } from "./home.ts";
import { parseJsonc } from "./jsonc.ts";
import { didYouMean } from "./similar.ts";

export const FILE_NAMES = ["agentd.json", "agentd.jsonc"] as const;
const ENV_PREFIX = "AGENTD_";
/** Variables that are no settings of the server but belong to the command line. */
export const CLIENT_ENV = ["AGENTD_HOME", "AGENTD_URL", "AGENTD_TOKEN"] as const;
const MAX_GRACE_MS = 600_000;

export interface Settings {
  /** `127.0.0.1:8080`, `[::1]:8080`, `:0`, or `unix:PATH`. */
  readonly listen: string;
  readonly require_token: boolean;
  /** Host names beside the loopback ones that the server answers to. */
  readonly allow_host: readonly string[];
  /** Milliseconds that running ticks get when the server stops. */
  readonly grace_ms: number;
  /** Incoming webhooks by name, as `PUT /hooks/<name>` takes them, with a secret that is named and not written. */
  readonly hooks: Readonly<Record<string, unknown>>;
  /** URLs of OpenAI-compatible model servers, beside those that are found on this machine. */
  readonly model_server: readonly string[];
  /** Who sells model calls: `{ servers, discover, cloud }`, with keys by the names of secrets. */
  readonly compute: Readonly<Record<string, unknown>>;
  /** Where agents' code runs: `{ docker, images, git_image }`. */
  readonly containers: Readonly<Record<string, unknown>>;
}
export type SettingName = keyof Settings;

export interface Found {
  readonly settings: Settings;
  /** `default`, a file's name, a variable or a flag. */
  readonly from: Readonly<Record<SettingName, string>>;
}

interface Kind<T> {
  readonly fallback: T;
  readonly rule: string;
  /** undefined: not such a value. Text comes from the environment and from flags. */
  read(value: unknown): T | undefined;
  /** Neither a variable nor a flag can say it. */
  readonly inFileAlone?: boolean;
}

const KINDS: { readonly [K in SettingName]: Kind<Settings[K]> } = {
  listen: {
    fallback: "127.0.0.1:8080",
    rule: "HOST:PORT or unix:PATH",
    read: (value) => typeof value === "string" && value !== "" ? value : undefined,
  },
  require_token: { fallback: false, rule: "true or false", read: readBoolean },
  allow_host: { fallback: [], rule: "a list of host names", read: readNames },
  grace_ms: {
    fallback: 10_000,
    rule: `whole milliseconds, at most ${MAX_GRACE_MS}`,
    read: (value) => {
      const n = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
      return typeof n === "number" && Number.isInteger(n) && n >= 0 && n <= MAX_GRACE_MS
        ? n
        : undefined;
    },
  },
  hooks: { fallback: {}, rule: "an object of hooks", read: readObject, inFileAlone: true },
  model_server: { fallback: [], rule: "a list of URLs, http or https", read: readUrls },
  compute: {
    fallback: {},
    rule: "an object of servers, discover, cloud",
    read: readObject,
    inFileAlone: true,
  },
  containers: {
    fallback: {},
    rule: "an object of docker, images, git_image",
    read: readObject,
    inFileAlone: true,
  },
};
export const SETTING_NAMES = Object.keys(KINDS) as SettingName[];

/** What a flag or variable of a setting is called. */
export const flagName = (name: SettingName): string => `--${name.replaceAll("_", "-")}`;
export const envName = (name: SettingName): string => ENV_PREFIX + name.toUpperCase();

/**
 * Reads all three. `names` are the names of the environment, if the program may see them.
 * @throws usage error for an unknown setting or a bad value, naming where it stands
 */
export function readSettings(input: {
  readonly home: Home;
  readonly env: (name: string) => string | undefined;
  readonly names: readonly string[];
  readonly flags: Readonly<Partial<Record<SettingName, unknown>>>;
}): Found {
  const found = new Map<SettingName, { value: unknown; from: string }>();
  for (const { name, value, from } of fromFile(input.home)) found.set(name, { value, from });
  refuseMisspelt(input.names);
  for (const name of SETTING_NAMES.filter(isAnywhere)) {
    const text = input.env(envName(name));
    if (text !== undefined && text !== "") found.set(name, { value: text, from: envName(name) });
    const flag = input.flags[name];
    if (flag !== undefined) found.set(name, { value: flag, from: flagName(name) });
  }
  const value = <K extends SettingName>(name: K): Settings[K] => {
    const here = found.get(name);
    if (!here) return KINDS[name].fallback;
    const read = KINDS[name].read(here.value);
    if (read !== undefined) return read;
    throw usage(`${here.from}: ${JSON.stringify(here.value)} is not ${KINDS[name].rule}`);
  };
  return {
    settings: {
      listen: value("listen"),
      require_token: value("require_token"),
      allow_host: value("allow_host"),
      grace_ms: value("grace_ms"),
      hooks: value("hooks"),
      model_server: value("model_server"),
      compute: value("compute"),
      containers: value("containers"),
    },
    from: Object.fromEntries(
      SETTING_NAMES.map((name) => [name, found.get(name)?.from ?? "default"]),
    ) as Record<SettingName, string>,
  };
}

/** The names of the environment, where the program may see all of it; it does not ask to. */
export function envNames(): string[] {
  const { state } = Deno.permissions.querySync({ name: "env" });
  return state === "granted" ? Object.keys(Deno.env.toObject()) : [];
}

function fromFile(home: Home): { name: SettingName; value: unknown; from: string }[] {
  const texts = FILE_NAMES.map((name) => ({ name, text: readSmall(home, name) }))
    .filter((f) => f.text !== undefined);
  if (texts.length > 1) {
    throw usage(`${home.shown} has both ${FILE_NAMES.join(" and ")}`, "Keep one of them.");
  }
  const [file] = texts;
  if (!file) return [];
  const from = shownIn(home, file.name);
  const value = parseFile(from, file.text!);
  return Object.entries(value).map(([name, value]) => {
    if (!Object.hasOwn(KINDS, name)) {
      throw usage(
        `${from}: there is no setting ${JSON.stringify(name)}`,
        didYouMean(name, SETTING_NAMES) ?? `There are: ${SETTING_NAMES.join(", ")}.`,
      );
    }
    return { name: name as SettingName, value, from: `${from}: ${name}` };
  });
}

function parseFile(from: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJsonc(text);
  } catch (error) {
    throw usage(`${from} is ${(error as Error).message.replace(/^(?!not JSON)/, "not JSON: ")}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw usage(`${from} is not a JSON object`);
}

/**
 * A variable that is nearly one of ours was meant to be one. Others that begin alike are left alone: a container
 * platform sets such names for a service called agentd (`AGENTD_PORT`, `AGENTD_SERVICE_HOST`).
 */
function refuseMisspelt(names: readonly string[]): void {
  const known = [...SETTING_NAMES.filter(isAnywhere).map(envName), ...CLIENT_ENV];
  for (const name of names) {
    if (!name.startsWith(ENV_PREFIX) || known.includes(name)) continue;
    const near = didYouMean(
      name.slice(ENV_PREFIX.length),
      known.map((k) => k.slice(ENV_PREFIX.length)),
    );
    if (near) {
      throw usage(`There is no setting ${name}`, near.replace("mean ", `mean ${ENV_PREFIX}`));
    }
  }
}

function isAnywhere(name: SettingName): boolean {
  return KINDS[name].inFileAlone !== true;
}

function readObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value as Record<string, unknown> : undefined;
}

function readBoolean(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (value === "1" || value === "true") return true;
  if (value === "0" || value === "false") return false;
}

function readUrls(value: unknown): readonly string[] | undefined {
  const list = typeof value === "string" ? value.split(",").map((part) => part.trim()) : value;
  if (!Array.isArray(list)) return undefined;
  const isUrl = (one: unknown) =>
    typeof one === "string" && /^https?:/.test(one) && URL.canParse(one);
  return list.every(isUrl) ? list : undefined;
}

function readNames(value: unknown): readonly string[] | undefined {
  const names = typeof value === "string" ? value.split(",").map((n) => n.trim()) : value;
  if (!Array.isArray(names)) return undefined;
  return names.every((n) => typeof n === "string" && /^[A-Za-z0-9.:[\]_-]+$/.test(n))
    ? names
    : undefined;
}
