/** All who sell model calls to a runtime, as its settings say: those found here, those set by URL, those with a key, and the echo. */
import { z } from "zod";
import { FileError } from "../../fs/error.ts";
import type { ComputeProvider, ComputeProviders } from "../../core/compute.ts";
import type { SellerWorld } from "./carrier.ts";
import { cloudProvider, cloudUrl, type VendorName, VENDORS } from "./cloud.ts";
import { ECHO, echoProvider } from "./echo.ts";
import { discovery, type LocalOptions, setServer, type Usual, USUAL_PLACES } from "./local.ts";
import { apiBase, isOwn, providerId } from "./place.ts";

const amount = z.int().nonnegative();
const id = z.string();
const secret = z.string().min(1);
const server = z.strictObject({ id: id.optional(), url: z.string(), secret: secret.optional() });
const cloud = z.strictObject({
  id: id.optional(),
  vendor: z.enum(Object.keys(VENDORS) as [VendorName, ...VendorName[]]).optional(),
  url: z.string().optional(),
  secret: secret.optional(),
  prices: z.record(
    z.string(),
    z.strictObject({ input_micro_usd_per_mtok: amount, output_micro_usd_per_mtok: amount }),
  ).optional(),
});

/** Settings as they are written down. A secret is named here and never given. */
export const computeSettings = z.strictObject({
  /** Model servers that somebody runs; free. */
  servers: z.array(server).default([]),
  /** Whether to look for servers on this machine. */
  discover: z.boolean().default(true),
  /** Sellers by key. A vendor that is known needs no more than its name: `{ "vendor": "openai" }`. */
  cloud: z.array(cloud).default([]),
});
export type ComputeSettings = z.input<typeof computeSettings>;
type Settings = z.output<typeof computeSettings>;

export interface ComputeProvidersOptions extends ComputeSettings {
  readonly world: SellerWorld;
  /** The value of a secret at this moment; undefined if there is none that may be used here. */
  readonly secret: (name: string) => string | undefined;
  /** Where this program listens, as URLs, so that it never finds itself. */
  readonly own?: () => readonly string[];
  /** In place of the usual ones. */
  readonly places?: readonly Usual[];
  readonly stallMs?: number;
  readonly maxAnswerBytes?: number;
  readonly refreshMs?: number;
}

/**
 * Begins to look for them at once, in the background.
 * @throws FileError `invalid_request` for settings that cannot be: two of one name, a URL that is none or our own, a key in the clear
 */
export function computeProviders(options: ComputeProvidersOptions): ComputeProviders {
  const { world, secret, own = () => [], places = USUAL_PLACES, ...rest } = options;
  const { stallMs, maxAnswerBytes, refreshMs, ...written } = rest;
  const settings = settingsOf(written);
  const local: LocalOptions = { world, stallMs, maxAnswerBytes, refreshMs };
  const plans = [
    ...serverPlans(settings, secret, local, own()),
    ...cloudPlans(settings, secret, local),
  ];
  mustDiffer([...plans.map((plan) => plan.id), ECHO]);
  const taken = new Set(plans.flatMap(({ id, origin }) => [id, origin ?? id]));
  const free = places.filter(({ id, url }) => !taken.has(id) && !taken.has(new URL(url).origin));
  // Nothing is begun before everything is found to be in order.
  const set = plans.map((plan) => plan.make());
  const found = discovery(settings.discover ? free : [], own, local);
  const echo = echoProvider(world.now);
  const list = (): readonly ComputeProvider[] => [...found.list(), ...set, echo];
  return {
    list,
    get: (id) => list().find((one) => one.id === id),
    async refresh() {
      await Promise.all([found.refresh(), ...set.map((one) => one.refresh())]);
    },
    async close() {
      await Promise.all([found.close(), ...set.map((one) => one.close())]);
    },
  };
}

interface Plan {
  readonly id: string;
  /** Where it is, if nobody is to be looked for there. */
  readonly origin?: string;
  make(): ComputeProvider;
}

/** A word that is not known is a mistake that somebody wants to hear of. */
function settingsOf(written: ComputeSettings): Settings {
  const { data, error } = computeSettings.safeParse(written);
  const [issue] = error?.issues ?? [];
  if (issue) {
    throw refusal(z.core.toDotPath(["compute", ...issue.path]), issue.message.slice(0, 500));
  }
  return data!;
}

function serverPlans(
  { servers }: Settings,
  secret: ComputeProvidersOptions["secret"],
  local: LocalOptions,
  own: readonly string[],
): Plan[] {
  return servers.map((one) => {
    const id = providerId(one.id ?? "local"), url = apiBase(one.url);
    if (isOwn(url, own)) throw refusal(id, "this is where agentd itself listens");
    const named = one.secret;
    const keyed = named === undefined ? {} : { key: () => secret(named), keyName: named };
    return {
      id,
      origin: new URL(url).origin,
      make: () => setServer({ id, url, ...keyed }, local),
    };
  });
}

function cloudPlans(
  { cloud }: Settings,
  secret: ComputeProvidersOptions["secret"],
  local: LocalOptions,
): Plan[] {
  return cloud.map(({ id: name, vendor, url, secret: named, prices }) => {
    const id = providerId(name ?? vendor ?? "cloud");
    const key = named ?? (vendor && VENDORS[vendor].secret);
    if (key === undefined) throw refusal(id, "say which secret holds its key");
    const base = cloudUrl(id, vendor, url === undefined ? undefined : apiBase(url));
    const from = { key: () => secret(key), keyName: key };
    return { id, make: () => cloudProvider({ id, vendor, url: base, prices, ...from }, local) };
  });
}

function mustDiffer(ids: readonly string[]): void {
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw refusal(twice, "two providers of one id; give one another id");
}

function refusal(what: string, detail: string): FileError {
  return new FileError("invalid_request", "set up", what, { detail });
}
