/** A runtime that sells nothing and keeps no secret: every mount is there, and says so when it is used. */
import { FileError } from "../fs/error.ts";
import type { Backend } from "./backend.ts";
import type { ComputeProviders } from "./compute.ts";
import type { ContainerProviders } from "./containers.ts";
import type { HttpProvider } from "./net.ts";
import { NO_REDACTION } from "./redact.ts";
import type { Secrets } from "./secrets.ts";

const nothing = () => Promise.resolve();

export const NO_PROVIDERS: ComputeProviders = {
  list: () => [],
  get: () => undefined,
  refresh: nothing,
  close: nothing,
};

export const NO_CONTAINERS: ContainerProviders = {
  list: () => [],
  get: () => undefined,
  refresh: nothing,
  close: nothing,
};

export const NO_SECRETS: Secrets = {
  list: () => [],
  set: (name) => Promise.reject(none("not_supported", name)),
  remove: (name) => Promise.reject(none("not_found", name)),
  use: (name) => {
    throw none("not_found", name);
  },
  redactor: NO_REDACTION,
};

export const NO_HTTP: HttpProvider = {
  exchange: ({ to }) =>
    Promise.reject(
      new FileError("not_supported", "ask", to.host, {
        detail: "this runtime was started without a way to the web",
        extra: { asked: false },
      }),
    ),
  range: (text) => text,
};

/** For tables that are only looked at. */
export const NO_CLOCK: Pick<Backend, "now" | "timer"> = { now: () => 0, timer: () => () => {} };

function none(code: "not_supported" | "not_found", name: string): FileError {
  return new FileError(code, "use", name, { detail: "this runtime was started without secrets" });
}
