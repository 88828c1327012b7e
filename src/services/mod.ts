/** The mount table: what an agent has, and how far it may go there unless its creator says otherwise. */
import type { ServiceTable } from "../core/view.ts";
import { code } from "./code.ts";
import { ctl } from "./ctl.ts";
import { deadletter } from "./deadletter.ts";
import { files } from "./files.ts";
import { goals } from "./goals.ts";
import { identity } from "./identity.ts";
import { inbox } from "./inbox.ts";
import { kv } from "./kv.ts";
import { logs } from "./logs.ts";
import { mounts } from "./mounts.ts";
import { outbox } from "./outbox.ts";
import { state } from "./state.ts";
import { status } from "./status.ts";

export const services: ServiceTable = {
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
