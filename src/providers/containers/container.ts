/** A container as agentd makes it: its name, its labels, and every flag that keeps what runs in it inside. */
import { FileError } from "../../fs/error.ts";
import type { ContainerLimits, SessionSpec } from "../../core/containers.ts";
import { SECCOMP_PROFILE } from "./seccomp.ts";

export const WORKDIR = "/work";
/** For what agentd itself keeps in a container: the pipes of its commands. */
export const OWN_DIR = "/run/agentd";
const MAX_OWN_MB = 16;
/** `nobody` everywhere, and nobody's file on any host. */
export const NOBODY = 65534;
/** Room beside the work directory, in `/tmp`: a part of the disk limit, and this at the most. */
const MAX_TMP_MB = 64;
/** `/dev/shm` */
const MAX_SHM_MB = 16;
/** All files count as memory. This much of it they leave, so that who fills them up is told that the disk is full, and the session goes on. */
const KEPT_MB = 8;
/** Enough for a parallel build; a fork bomb ends here. */
export const MAX_PROCESSES = 512;
const MAX_OPEN_FILES = 4096;
/** A spare that nobody takes ends by itself after so many seconds; long before, it is removed. */
const SPARE_WAITS_SECS = 600;
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
  /** `true` on one that was made ahead: whose it is now is told by its name alone, as labels stay what they were. */
  spare: "agentd.spare",
} as const;

/** An image that is there, by its digest, so that nothing changes between the look and the use. */
export interface FoundImage {
  readonly name: string;
  readonly id: string;
  /** Directories for which the engine would make volumes, which no limit holds. */
  readonly volumes: readonly string[];
  /** Its own variables: `NAME=value`. */
  readonly env: readonly string[];
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

export type Role = "session" | "clone" | "spare";

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

/** Names that no session's container has, as none has a "_" there. */
export function cloneContainer(session: string): string {
  return sessionContainer(session).replace(/^agentd-/, "agentd_clone-");
}

export function spareContainer(id: string): string {
  return `agentd_spare-${id}`;
}

/** What a container of ours is by its name. */
export function called(name: string): { readonly role: Role | "other"; readonly session: string } {
  const [, clone, spare, session = ""] = /^agentd(?:(_clone-)|(_spare-)|-)(.+)$/.exec(name) ?? [];
  if (session === "") return { role: "other", session };
  return { role: clone ? "clone" : spare ? "spare" : "session", session };
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
    ...(making.role === "clone" ? [] : ownProxies(image)),
    ...program(making),
  ];
}

/** An image may name a program of its own; here it is only a place for commands. */
function program(making: Making): string[] {
  const { id } = making.image;
  if (making.role !== "spare") return ["--entrypoint=sleep", id, String(lifeSecs(making))];
  return ["--entrypoint=sh", id, "-c", SPARE, "sh", String(spareLifeSecs(making))];
}

/**
 * What a spare runs, given the seconds that its session may live: it waits to be taken, which a signal says, and from then on it is as any session's. The signal is heard once;
 * what runs in the session later changes nothing by it. The file says that it is heard.
 */
const SPARE = `trap taken=1 USR1
sleep ${SPARE_WAITS_SECS} &
: >${OWN_DIR}/waits
[ "$taken" ] || wait $!
[ "$taken" ] || exit 0
trap '' USR1
kill $!
wait $!
exec sleep "$1"`;

/** Ends when the spare in which it is run can be taken, and leaves nothing behind. */
export const SPARE_READY =
  `until [ -e ${OWN_DIR}/waits ]; do sleep 0.05 || sleep 1; done 2>/dev/null
rm ${OWN_DIR}/waits`;

/** Who a session's commands are. */
function owner({ allow_root }: SessionSpec): number {
  return allow_root ? 0 : NOBODY;
}

/** It ends by itself when nobody has come for it: whoever would have removed it may be gone for good. */
function lifeSecs({ spec, now }: Making): number {
  return Math.max(0, Math.ceil((spec.expires_at - now) / 1000)) + GRACE_SECS;
}

/** Of whole minutes, so that sessions that begin at different moments are alike. */
function spareLifeSecs({ spec, now }: Making): number {
  return Math.max(0, Math.ceil((spec.expires_at - now) / 60_000)) * 60 + GRACE_SECS;
}

function labels({ home }: House, { spec, role, image, ends }: Making): string[] {
  const whose = role === "spare"
    ? { [LABELS.spare]: "true" }
    : { [LABELS.agent]: spec.agent, [LABELS.session]: spec.session_id };
  const all = {
    [LABELS.home]: home,
    ...whose,
    [LABELS.role]: role === "clone" ? role : "session",
    [LABELS.image]: image.name,
    [LABELS.ends]: String(ends),
  };
  return Object.entries(all).map(([name, value]) => `--label=${name}=${value}`);
}

/** Of all that can be written to, in MiB. */
function sizes({ max_memory_mb, max_disk_mb }: ContainerLimits) {
  const part = Math.max(1, Math.floor(max_memory_mb / 8));
  const tmp = Math.max(1, Math.min(MAX_TMP_MB, part, Math.ceil(max_disk_mb / 4)));
  const shm = Math.min(MAX_SHM_MB, part), own = Math.min(MAX_OWN_MB, part);
  const most = max_memory_mb - tmp - shm - own - KEPT_MB;
  return { tmp, shm, own, work: Math.max(1, Math.min(max_disk_mb, most)) };
}

function bounds(limits: ContainerLimits): string[] {
  const { max_memory_mb, max_cpu_cores } = limits;
  return [
    `--memory=${max_memory_mb}m`,
    // The same number says: no swap.
    `--memory-swap=${max_memory_mb}m`,
    // The engine takes no finer number.
    `--cpus=${Math.floor(max_cpu_cores * 1000) / 1000}`,
    `--pids-limit=${MAX_PROCESSES}`,
    `--ulimit=nofile=${MAX_OPEN_FILES}:${MAX_OPEN_FILES}`,
    "--ulimit=core=0:0",
    `--shm-size=${sizes(limits).shm}m`,
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

/** What its commands do not have where it is empty. */
export const PROXIES: readonly string[] = ["HTTP", "HTTPS", "FTP", "NO", "ALL"]
  .map((one) => `${one}_PROXY`).flatMap((name) => [name, name.toLowerCase()]);
const MAX_PROXY_CHARS = 4096;

/**
 * Docker's client gives each container it makes the operator's own proxies, with their passwords, from its settings; unless it is told what these variables are. They are what the
 * image says, or empty, which is as good as none. What fetches repositories keeps the operator's: no code of others runs there.
 */
function ownProxies({ env }: FoundImage): string[] {
  const own = new Map(env.map((one) => [one.slice(0, one.indexOf("=")), one]));
  return PROXIES.map((name) => {
    const set = own.get(name) ?? "";
    return `--env=${set !== "" && set.length <= MAX_PROXY_CHARS ? set : `${name}=`}`;
  });
}

/** All that can be written to, in memory and of a fixed size; nothing of the host. */
function mounts(limits: ContainerLimits, { volumes }: FoundImage, user: number): string[] {
  const common = "rw,nosuid,nodev";
  const size = sizes(limits);
  const own = `uid=${user},gid=${user},mode=0700`;
  const taken = [WORKDIR, "/tmp", OWN_DIR];
  return [
    `--workdir=${WORKDIR}`,
    `--env=HOME=${WORKDIR}`,
    `--tmpfs=${WORKDIR}:${common},exec,size=${size.work}m,${own}`,
    `--tmpfs=/tmp:${common},exec,size=${size.tmp}m,mode=1777`,
    `--tmpfs=${OWN_DIR}:${common},noexec,size=${size.own}m,${own}`,
    ...volumes.filter((path) => !taken.includes(path))
      .map((path) => `--tmpfs=${path}:${common},noexec,size=${size.tmp}m,${own}`),
  ];
}
