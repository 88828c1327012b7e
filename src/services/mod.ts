/** The mount table: what an agent has, and how far it may go there unless its creator says otherwise. */
import type { ComputeProviders } from "../core/compute.ts";
import type { ContainerProviders } from "../core/containers.ts";
import type { Secrets } from "../core/secrets.ts";
import type { ServiceTable } from "../core/view.ts";
import {
  NO_CLOCK,
  NO_CONTAINERS,
  NO_HTTP,
  NO_PROVIDERS,
  NO_SECRETS,
} from "../core/nothing_sold.ts";
import { approvals } from "./approvals.ts";
import { budget } from "./budget.ts";
import { code } from "./code.ts";
import { compute } from "./compute.ts";
import { containers } from "./containers.ts";
import { ctl } from "./ctl.ts";
import { deadletter } from "./deadletter.ts";
import { files } from "./files.ts";
import { goals } from "./goals.ts";
import { http, type HttpDeps } from "./http.ts";
import { identity } from "./identity.ts";
import { inbox } from "./inbox.ts";
import { kv } from "./kv.ts";
import { logs } from "./logs.ts";
import { mounts } from "./mounts.ts";
import { outbox } from "./outbox.ts";
import { secrets } from "./secrets.ts";
import { state } from "./state.ts";
import { status } from "./status.ts";

/** What an agent may only look at, if at all. */
const SHOWN = ["read_only", "disabled"] as const;

/** What some services sell, or keep for the whole runtime. */
export interface Sold {
  readonly compute: ComputeProviders;
  readonly containers: ContainerProviders;
  readonly secrets: Secrets;
  readonly http: HttpDeps["provider"];
  readonly clock: HttpDeps["clock"];
}

/** The table of a runtime: the same mounts whatever there is to sell. */
export function servicesWith(sold: Sold): ServiceTable {
  return {
    ...plain,
    "/compute": compute(sold.compute),
    "/containers": containers({
      providers: sold.containers,
      secrets: sold.secrets,
      clock: sold.clock,
    }),
    "/http": http({ provider: sold.http, secrets: sold.secrets, clock: sold.clock }),
    "/secrets": { service: secrets(sold.secrets), access: "read_only", accesses: SHOWN },
  };
}

const plain: ServiceTable = {
  "/approvals": { service: approvals, access: "read_only", accesses: SHOWN },
  "/budget": { service: budget, access: "read_only", accesses: SHOWN },
  "/code": { service: code, access: "read_only" },
  "/ctl": { service: ctl, access: "read_write" },
  "/deadletter": { service: deadletter, access: "read_write" },
  "/files": { service: files, access: "read_write" },
  "/goals": { service: goals, access: "read_write" },
  "/identity": { service: identity, access: "sign_only" },
  "/inbox": { service: inbox, access: "read_write" },
  "/kv": { service: kv, access: "read_write" },
  "/logs": { service: logs, access: "read_only" },
  "/mounts": { service: mounts, access: "read_only" },
  "/outbox": { service: outbox, access: "read_only" },
  "/state": { service: state, access: "read_only" },
  "/status": { service: status, access: "read_only" },
};

/** What a runtime has that was given nothing to sell. */
export const services: ServiceTable = servicesWith({
  compute: NO_PROVIDERS,
  containers: NO_CONTAINERS,
  secrets: NO_SECRETS,
  http: NO_HTTP,
  clock: NO_CLOCK,
});
