/** A connection to one of the addresses that a host has, each looked at first; with TLS, the certificate is the name's and not the address's. */
import { lookup } from "node:dns/promises";
import { FileError } from "../../fs/error.ts";
import type { Endpoint } from "../../core/hosts.ts";
import { forbidden } from "./addresses.ts";
import { reasonOf, unreached, within } from "./fault.ts";

/** The addresses of a name; asked once a connection. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface ConnectOptions {
  readonly resolve: Resolve;
  /** Certificates, in PEM, that are trusted besides the platform's. */
  readonly caCerts: readonly string[];
}

/** So many addresses of one host are tried. */
const MAX_ADDRESSES = 8;

/** As every program of this machine looks names up. */
export const platformResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** @throws FileError `permission_denied`, `provider_unavailable`, both with `extra.asked: false` */
export async function connectTo(
  to: Endpoint,
  listed: readonly string[],
  signal: AbortSignal,
  options: ConnectOptions,
): Promise<Deno.Conn> {
  const addresses = await fitAddresses(to.host, listed, signal, options.resolve);
  let fault: unknown;
  for (const address of addresses) {
    try {
      return await open(to, address, signal, options);
    } catch (error) {
      if (signal.aborted) throw error;
      fault ??= error;
    }
  }
  throw unreached(to.host, reasonOf(fault));
}

async function fitAddresses(
  host: string,
  listed: readonly string[],
  signal: AbortSignal,
  resolve: Resolve,
): Promise<string[]> {
  const isAddress = host.includes(":") || /^[\d.]+$/.test(host);
  let all: readonly string[];
  try {
    all = isAddress ? [host] : await within(signal, resolve(host));
  } catch (error) {
    if (signal.aborted) throw error;
    throw unreached(host, `its name could not be looked up: ${reasonOf(error)}`);
  }
  if (all.length === 0) throw unreached(host, "it has no address");
  const faults = all.map((address) => forbidden(address, listed));
  const fit = all.filter((_, i) => faults[i] === undefined);
  if (fit.length > 0) return fit.slice(0, MAX_ADDRESSES);
  throw new FileError("permission_denied", "reach", host, {
    detail: `${host} is at ${all[0]!.slice(0, 60)}, a ${faults[0]!}, which is refused unless ` +
      "private_addresses of /http/policy lists it",
    extra: { asked: false },
  });
}

async function open(
  to: Endpoint,
  address: string,
  signal: AbortSignal,
  { caCerts }: ConnectOptions,
): Promise<Deno.Conn> {
  const shut = (conn: Deno.Conn) => conn.close();
  const plain = await within(
    signal,
    Deno.connect({ hostname: address, port: to.port, transport: "tcp" }),
    shut,
  );
  if (to.scheme === "http") return plain;
  const secured = async () => {
    const tls = await Deno.startTls(plain, {
      hostname: to.host,
      caCerts: [...caCerts],
      alpnProtocols: ["http/1.1"],
    });
    try {
      // A server that never shakes hands is left when the signal aborts.
      await within(signal, tls.handshake());
      return tls;
    } catch (error) {
      tls.close();
      throw error;
    }
  };
  return await secured();
}
