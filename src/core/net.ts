/** Requests to the web as `/http` asks for them: one exchange with one server, at an address that was looked at before anything was sent. */
import type { Endpoint } from "./hosts.ts";

export type Header = readonly [name: string, value: string];

export interface HttpRequest {
  readonly method: string;
  readonly to: Endpoint;
  /** Path and query, as a URL writes them. */
  readonly target: string;
  /** Without those of the connection itself (`host`, `content-length` …), which the provider writes. */
  readonly headers: readonly Header[];
  readonly body: Uint8Array | undefined;
  /** Addresses and ranges (`10.0.0.0/8`) that may be reached although they are no public ones. */
  readonly privateAddresses: readonly string[];
  /** Bytes of the body that are read at the most. */
  readonly maxBytes: number;
  /** Aborts the exchange; it rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case, in the order in which they came. */
  readonly headers: readonly Header[];
  /** Decompressed. */
  readonly body: Uint8Array;
  /** There was more than `maxBytes`. */
  readonly truncated: boolean;
}

/** Does what it is asked and follows nothing. It heeds no proxy of the environment. */
export interface HttpProvider {
  /**
   * One request and its answer. The host is looked up once, and the connection goes to an address that was found fit. Rejects with
   * `permission_denied` (no address of the host may be reached) or `provider_unavailable`; `extra.asked` is `false` as long as nothing was sent.
   */
  exchange(request: HttpRequest): Promise<HttpAnswer>;
  /** An address or range in its one form. @throws FileError `invalid_request` */
  range(text: string): string;
}
