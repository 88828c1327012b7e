/** A container as agentd makes it: its name, its labels, and every flag that keeps what runs in it inside. */
import { FileError } from "../../fs/error.ts";
import type { ContainerLimits, SessionSpec } from "../../core/containers.ts";
import { SECCOMP_PROFILE } from "./seccomp.ts";

export const WORKDIR = "/work";
/** For what agentd itself keeps in a container: the pipes of its commands. */
export const OWN_DIR = "/run/agentd";
const OWN_MB = 4;
/** `nobody` everywhere, and nobody's file on any host. */
export const NOBODY = 65534;
/** Room beside the work directory, in `/tmp`: a part of the disk limit, and this at the most. */
const MAX_TMP_MB = 64;
/** `/dev/shm`; what is in it counts as memory, as all files here do. */
const SHM_MB = 16;
/** Enough for a parallel build; a fork bomb ends here. */
export const MAX_PROCESSES = 512;
const MAX_OPEN_FILES = 4096;
/** How long a container outlives its session if nobody comes to remove it, in seconds. */
export const GRACE_SECS = 60;

export const LABELS = {
  home: "agentd.home",
  agent: "agentd.agent",
  session: "agentd.session",
  /** As it was asked for; the container itself is made from the image's digest. */
  image: "agentd.image",
  /** `clone` on one that only fetches a repository for the session. */
  role: "agentd.role",
  /** `true` on one that a graceful stop of the runtime ends. */
  ends: "agentd.ends_with_runtime",
} as const;

/** An image that is there, by its digest, so that nothing changes between the look and the use. */
export interface FoundImage {
  readonly name: string;
  readonly id: string;
  /** Directories for which the engine would make volumes, which no limit holds. */
  readonly volumes: readonly string[];
}

/** What is the same for all containers of a runtime. */
export interface House {
  /** The label's value: who else uses this engine has another. */
  readonly home: string;
  /** Such as `runsc`; undefined: the engine's default. */
  readonly runtime?: string | undefined;
  /** For those that may have one. */
  readonly network: string;
}

export type Role = "session" | "clone";

export interface Making {
  readonly name: string;
  readonly role: Role;
  readonly image: FoundImage;
  /** Of the session it serves. */
  readonly spec: SessionSpec;
  readonly limits: ContainerLimits;
  readonly ends: boolean;
  readonly now: number;
}

/** @throws FileError `invalid_request` for what can be no name */
export function sessionContainer(session: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(session)) {
    const detail = 'a session is named by 1 to 100 of letters, digits, "_", "." and "-"';
    throw new FileError("invalid_request", "name", session.slice(0, 140), { detail });
  }
  return `agentd-${session}`;
}

/** What the client is told on stdin with `runArguments`: the profile that they name. */
export const RUN_STDIN: Uint8Array = new TextEncoder().encode(SECCOMP_PROFILE);

/** Its arguments for `docker`, the command inside among them. */
export function runArguments(house: House, making: Making): string[] {
  const { image, spec, limits, name } = making;
  return [
    "run",
    "--detach",
    "--init",
    "--pull=never",
    `--name=${name}`,
    ...labels(house, making),
    ...(house.runtime === undefined ? [] : [`--runtime=${house.runtime}`]),
    `--network=${limits.allow_network ? house.network : "none"}`,
    ...bounds(limits),
    ...walls(owner(spec)),
    ...mounts(limits, image, owner(spec)),
    // An image may name a program of its own; here it is only a place for commands.
    "--entrypoint=sleep",
    image.id,
    String(lifeSecs(making)),
  ];
}

/** Who a session's commands are. */
function owner({ allow_root }: SessionSpec): number {
  return allow_root ? 0 : NOBODY;
}

/** It ends by itself when nobody has come for it: whoever would have removed it may be gone for good. */
function lifeSecs({ spec, now }: Making): number {
  return Math.max(0, Math.ceil((spec.expires_at - now) / 1000)) + GRACE_SECS;
}

function labels({ home }: House, { spec, role, image, ends }: Making): string[] {
  const all = {
    [LABELS.home]: home,
    [LABELS.agent]: spec.agent,
    [LABELS.session]: spec.session_id,
    [LABELS.role]: role,
    [LABELS.image]: image.name,
    [LABELS.ends]: String(ends),
  };
  return Object.entries(all).map(([name, value]) => `--label=${name}=${value}`);
}

function bounds({ max_memory_mb, max_cpu_cores }: ContainerLimits): string[] {
  return [
    `--memory=${max_memory_mb}m`,
    // The same number says: no swap.
    `--memory-swap=${max_memory_mb}m`,
    `--cpus=${max_cpu_cores}`,
    `--pids-limit=${MAX_PROCESSES}`,
    `--ulimit=nofile=${MAX_OPEN_FILES}:${MAX_OPEN_FILES}`,
    "--ulimit=core=0:0",
    `--shm-size=${SHM_MB}m`,
  ];
}

function walls(user: number): string[] {
  return [
    `--user=${user}:${user}`,
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    // Read by the client; a file of its own would have to lie somewhere.
    "--security-opt=seccomp=/dev/stdin",
    "--read-only",
    "--ipc=private",
    "--cgroupns=private",
    // By default the container's id, with which it could be named to the engine.
    "--hostname=agentd",
    "--restart=no",
    // Both would use the host for as long as it lives: a health check its processors, and a log its disk, as whatever runs inside can write to it.
    "--no-healthcheck",
    "--log-driver=none",
  ];
}

/** All that can be written to, in memory and of a fixed size; nothing of the host. */
function mounts({ max_disk_mb }: ContainerLimits, { volumes }: FoundImage, user: number): string[] {
  const common = "rw,nosuid,nodev";
  const tmp = Math.max(1, Math.min(MAX_TMP_MB, Math.ceil(max_disk_mb / 4)));
  const own = `uid=${user},gid=${user},mode=0700`;
  const taken = [WORKDIR, "/tmp", OWN_DIR];
  return [
    `--workdir=${WORKDIR}`,
    `--env=HOME=${WORKDIR}`,
    `--tmpfs=${WORKDIR}:${common},exec,size=${max_disk_mb}m,${own}`,
    `--tmpfs=/tmp:${common},exec,size=${tmp}m,mode=1777`,
    `--tmpfs=${OWN_DIR}:${common},noexec,size=${OWN_MB}m,${own}`,
    ...volumes.filter((path) => !taken.includes(path))
      .map((path) => `--tmpfs=${path}:${common},noexec,size=${tmp}m,${own}`),
  ];
}
