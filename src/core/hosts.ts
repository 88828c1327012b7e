/** Patterns of hosts: `api.example.com`, `*.example.com`, with a port (`:8443`, `:*`) and a scheme (`http://`) where others than the usual are meant. */
import { FileError } from "../fs/error.ts";

/** Where a request goes. */
export interface Endpoint {
  readonly scheme: "http" | "https";
  /** Lower case, without brackets: a name, or an address as the URL standard writes it. */
  readonly host: string;
  readonly port: number;
}

interface Pattern {
  readonly scheme: "http" | "https" | undefined;
  readonly host: string;
  /** Undefined: the scheme's own. */
  readonly port: number | "*" | undefined;
}

export const MAX_PATTERN = 300;
const PATTERN =
  /^(?:(https?):\/\/)?((?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(\d{1,5}|\*))?$/i;
const OWN_PORT = { http: 80, https: 443 } as const;
const MAX_PORT = 65_535;

/** The pattern in the one form in which it is kept. @throws FileError `invalid_request` */
export function hostPattern(text: string): string {
  const { scheme, host, port } = parse(text);
  const shown = host.includes(":") ? `[${host}]` : host;
  return `${scheme ? `${scheme}://` : ""}${shown}${port === undefined ? "" : `:${port}`}`;
}

/** Does one of the patterns mean this place? `strict`: those without a scheme mean https, and http only where it does not leave the machine. */
export function hostMatches(
  patterns: readonly string[],
  to: Endpoint,
  { strict = false }: { readonly strict?: boolean } = {},
): boolean {
  return patterns.map(parse).some((pattern) => {
    if (pattern.scheme !== undefined && pattern.scheme !== to.scheme) return false;
    if (strict && !pattern.scheme && to.scheme === "http" && !isThisMachine(to.host)) return false;
    const { port = OWN_PORT[to.scheme] } = pattern;
    return (port === "*" || port === to.port) && sameHost(pattern.host, to.host);
  });
}

/** Names and addresses whose packets stay on the machine. */
export function isThisMachine(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** `*.example.com` means names below `example.com`, and not that name itself. */
function sameHost(pattern: string, host: string): boolean {
  return pattern.startsWith("*.")
    ? host.length > pattern.length - 1 && host.endsWith(pattern.slice(1))
    : host === pattern;
}

function parse(text: string): Pattern {
  const found = text.length <= MAX_PATTERN ? PATTERN.exec(text) : null;
  const [, scheme, host = "", port] = found ?? [];
  const isNumber = port !== undefined && port !== "*";
  if (!found || isNumber && (Number(port) < 1 || Number(port) > MAX_PORT)) throw refuse(text);
  return {
    scheme: scheme?.toLowerCase() as Pattern["scheme"],
    host: canonical(host, text),
    port: isNumber ? Number(port) : port as "*" | undefined,
  };
}

/** As the URL standard writes it, so that an address in another spelling is the same. */
function canonical(host: string, text: string): string {
  const star = host.startsWith("*.") ? "*." : "";
  try {
    const { hostname } = new URL(`http://${host.slice(star.length)}`);
    if (star && /^[\d.]+$|:/.test(hostname)) throw refuse(text);
    return star + hostname.replace(/^\[|\]$/g, "");
  } catch {
    throw refuse(text);
  }
}

function refuse(text: string): FileError {
  return new FileError("invalid_request", "read", "host", {
    detail: `${JSON.stringify(text.slice(0, 80))} is no host: write api.example.com, ` +
      "*.example.com, api.example.com:8443 or [::1]:8080",
  });
}
