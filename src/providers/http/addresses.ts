/** Which addresses may be reached: public ones, and those that an operator has listed. */
import ipaddr from "ipaddr.js";
import { FileError } from "../../fs/error.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Public by their number, and yet what answers there is the machine's own host: metadata and keys. */
const HOSTS_OWN: readonly string[] = ["168.63.129.16"];
/** All that is given out for the whole Internet. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR("2000::/3");

/** Why an address may not be reached, in a few words; undefined if it may. @param listed ranges, as `rangeOf` gives them */
export function forbidden(address: string, listed: readonly string[]): string | undefined {
  const found = parsed(address);
  if (!found) return "no address";
  if (listed.some((range) => contains(range, found))) return undefined;
  if (HOSTS_OWN.includes(found.toString())) return "an address of the machine's host";
  const range = found.range();
  if (range !== "unicast") return `${KINDS[range] ?? range} address`;
  if (found.kind() === "ipv6" && !found.match(GLOBAL_IPV6)) return "reserved address";
  return undefined;
}

const KINDS: Readonly<Record<string, string>> = {
  linkLocal: "link-local",
  carrierGradeNat: "carrier-grade NAT",
  uniqueLocal: "unique-local",
  rfc6052: "NAT64",
  rfc6145: "translated",
  deprecatedSiteLocal: "site-local",
};

/** An IPv4 address that is written as IPv6 is the IPv4 address. */
function parsed(address: string): Address | undefined {
  return ipaddr.isValid(address) && !address.includes("%") ? ipaddr.process(address) : undefined;
}

function contains(range: string, address: Address): boolean {
  const [network, bits] = ipaddr.parseCIDR(range);
  return network.kind() === address.kind() && address.match(network, bits);
}

/** An address, or a range of them, as `<network>/<bits>`. @throws FileError `invalid_request` */
export function rangeOf(text: string): string {
  try {
    const isRange = text.includes("/");
    if (isRange) {
      const [network, bits] = ipaddr.parseCIDR(text);
      const isIpv4 = network.kind() === "ipv4";
      const first = isIpv4
        ? ipaddr.IPv4.networkAddressFromCIDR(text)
        : ipaddr.IPv6.networkAddressFromCIDR(text);
      if (first.toString() !== network.toString()) throw undefined;
      return `${network.toString()}/${bits}`;
    }
    const isPlain = ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
    const address = isPlain ? parsed(text) : undefined;
    if (!address) throw undefined;
    return `${address.toString()}/${address.kind() === "ipv4" ? 32 : 128}`;
  } catch {
    throw new FileError("invalid_request", "read", "address", {
      detail: `${JSON.stringify(text.slice(0, 80))} is no address and no range: write 127.0.0.1, ` +
        "::1 or 10.0.0.0/8",
    });
  }
}
