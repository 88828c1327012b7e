/** A runtime that sells nothing and keeps no secret: every mount is there, and says so when it is used. */
import { FileError } from "../fs/error.ts";
import type { ComputeProviders } from "./compute.ts";
import { NO_REDACTION } from "./redact.ts";
import type { Secrets } from "./secrets.ts";

const nothing = () => Promise.resolve();

export const NO_PROVIDERS: ComputeProviders = {
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

function none(code: "not_supported" | "not_found", name: string): FileError {
  return new FileError(code, "use", name, { detail: "this runtime was started without secrets" });
}
