/** Sends a request, and follows where it is sent on to: every hop is looked at as if it were asked for, and leaves credentials behind at another's door. */
import type { Json } from "../../core/envelope.ts";
import type { Endpoint } from "../../core/hosts.ts";
import type { AgentId } from "../../core/id.ts";
import type { Header, HttpAnswer, HttpProvider } from "../../core/net.ts";
import type { Redactor } from "../../core/redact.ts";
import type { Secrets } from "../../core/secrets.ts";
import { codeOf, FileError, hasCode } from "../../fs/error.ts";
import { refusal } from "../../fs/tree.ts";
import { answerOf } from "./answer.ts";
import { type Filled, filled } from "./fill.ts";
import { type HttpPolicy, mustAllow } from "./policy.ts";
import { endpointOf, isRepeatable, urlOf, type WebRequest } from "./request.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Besides every header in which a secret was put. */
const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "cookie"]);

export interface Sending {
  readonly provider: HttpProvider;
  readonly secrets: Secrets;
  readonly agent: AgentId;
  readonly policy: HttpPolicy;
  readonly request: WebRequest;
  readonly signal: AbortSignal;
}

/** One request of the chain. */
interface Hop extends Filled {
  readonly method: string;
  readonly url: URL;
}

/**
 * Answers what the last server said. Rejects with `permission_denied`, `provider_unavailable`, `timeout` as long as nothing can have been done by it, and
 * with `interrupted` when something can, and nobody knows whether it was.
 */
export async function sent(sending: Sending): Promise<Json> {
  const { redactor } = sending.secrets;
  try {
    return await followed(sending, first(sending));
  } catch (error) {
    throw redacted(redactor, error);
  }
}

/** Looks at a request without sending it. @throws FileError as it would be refused */
export function first({ secrets, agent, policy, request }: Sending): Hop {
  const url = urlOf(request.url);
  const to = endpointOf(url);
  mustAllow(policy, request.method, to);
  return { ...filled(secrets, agent, request, to), method: request.method, url };
}

async function followed(sending: Sending, start: Hop): Promise<Json> {
  const { secrets, policy, request } = sending;
  const maxBytes = Math.min(request.max_bytes ?? policy.max_bytes, policy.max_bytes);
  const { reach } = secrets.redactor;
  let hop = start;
  for (let redirects = 0;; redirects++) {
    const answer = await asked(sending, hop, maxBytes + reach);
    const told = { answer, maxBytes, url: hop === start ? undefined : hop.url.href };
    const to = answer.headers.find(([name]) => name === "location")?.[1];
    if (to === undefined || !REDIRECTS.has(answer.status)) {
      return answerOf(secrets.redactor, told);
    }
    try {
      if (redirects === MAX_REDIRECTS) {
        throw refusal("permission_denied", `more than ${MAX_REDIRECTS} redirects are not followed`);
      }
      hop = nextHop(policy, hop, answer, to);
    } catch (error) {
      // What was asked for may have been done: who asked gets the answer to it.
      if (isRepeatable(start.method)) throw error;
      return answerOf(secrets.redactor, { ...told, redirect: (error as FileError).detail });
    }
  }
}

async function asked(
  { provider, policy, request, signal }: Sending,
  hop: Hop,
  maxBytes: number,
): Promise<HttpAnswer> {
  const to = endpointOf(hop.url);
  try {
    return await provider.exchange({
      method: hop.method,
      to,
      target: hop.url.pathname + hop.url.search,
      headers: hop.headers,
      body: hop.body,
      privateAddresses: policy.private_addresses,
      maxBytes,
      signal,
    });
  } catch (error) {
    const isSent = (error as Partial<FileError>).extra?.asked !== false;
    const mayBeDone = isSent || hop.method !== request.method || hop.url.href !== request.url;
    if (isRepeatable(request.method) || !mayBeDone) throw error;
    throw new FileError("interrupted", "ask", to.host, {
      detail: `${to.host} was asked, and nobody knows whether it did it: ${whyOf(error)}`,
    });
  }
}

function whyOf(error: unknown): string {
  if (hasCode(error, "timeout")) return "no answer came in time";
  return (error as FileError).detail ?? codeOf(error);
}

/** @throws FileError `permission_denied`, `invalid_request` */
function nextHop(policy: HttpPolicy, hop: Hop, { status }: HttpAnswer, location: string): Hop {
  const url = urlOf(location, hop.url.href);
  const to = endpointOf(url);
  const turnsToGet = status === 303
    ? !isRepeatable(hop.method)
    : (status === 301 || status === 302) && hop.method === "POST";
  const method = turnsToGet ? "GET" : hop.method;
  mustAllow(policy, method, to);
  const from = endpointOf(hop.url);
  const isElsewhere = !samePlace(from, to);
  const body = turnsToGet ? undefined : hop.body;
  const hasSecretBody = hop.hasSecretBody && body !== undefined;
  const hasSecrets = hop.secretHeaders.size > 0 || hasSecretBody;
  if (hasSecrets && from.scheme === "https" && to.scheme === "http") {
    throw refusal(
      "permission_denied",
      "a request with a secret in it is not sent on from https to http",
    );
  }
  if (isElsewhere && hasSecretBody) {
    throw refusal("permission_denied", "a body with a secret in it is not sent on elsewhere");
  }
  return {
    method,
    url,
    body,
    hasSecretBody,
    headers: hop.headers.filter((header) => goesAlong(hop, header, isElsewhere, turnsToGet)),
    secretHeaders: isElsewhere ? new Set() : hop.secretHeaders,
  };
}

function goesAlong(hop: Hop, [name]: Header, isElsewhere: boolean, turnsToGet: boolean): boolean {
  if (isElsewhere && (CREDENTIALS.has(name) || hop.secretHeaders.has(name))) return false;
  return !(turnsToGet && name.startsWith("content-"));
}

function samePlace(a: Endpoint, b: Endpoint): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port;
}

/** The same refusal; what a server says may have found its way into its words. */
function redacted(redactor: Redactor, error: unknown): unknown {
  const { code, op, path, detail, extra } = error as FileError;
  if (!hasCode(error, code)) return error;
  return new FileError(code, op, redactor.text(path), {
    ...(detail === undefined ? {} : { detail: redactor.text(detail) }),
    ...(extra === undefined ? {} : { extra: redactor.json(extra) }),
  });
}
