/** What a session has used, as the kernel counts it for its control group; read from within, as there is no other way for whoever is no root of the host. */
import type { ContainerUsage } from "../../core/containers.ts";
import type { DockerCli } from "./cli.ts";

const LOOK_MS = 20_000;
/** Nobody's, and not the session's: what runs there can neither trace nor end who reads. */
const READER = "65533:65533";

/** Control groups of version 1, then of version 2; each line says what it is. */
const SCRIPT = `
one() { [ -r "$2" ] && while read -r a b; do echo "$1 $a $b"; done < "$2"; }
cd /sys/fs/cgroup
one cpu_ns cpuacct/cpuacct.usage
one peak memory/memory.max_usage_in_bytes
one io1 blkio/blkio.throttle.io_service_bytes
one cpu2 cpu.stat
one now memory.current
one peak memory.peak
one io2 io.stat
one net /proc/net/dev
true
`;

/** What cannot be read counts as 0. @throws FileError `provider_unavailable`, `interrupted` (it has ended) */
export async function usageOf(cli: DockerCli, container: string): Promise<ContainerUsage> {
  const args = ["exec", `--user=${READER}`, "--workdir=/", container, "sh", "-c", SCRIPT];
  return usageIn(await cli.ask(args, container, { withinMs: LOOK_MS }));
}

/** From what the script printed, which is a stranger's text like all that comes out of a container. */
export function usageIn(printed: string): ContainerUsage {
  const rows = printed.split("\n").map((line) => line.trim().split(/\s+/));
  const of = (what: string) => rows.filter(([name]) => name === what).map((row) => row.slice(1));
  const cpuNs = sum(of("cpu_ns").map(([value]) => value));
  const cpuUs = sum(of("cpu2").filter(([name]) => name === "usage_usec").map(([, us]) => us));
  const peaks = [...of("peak"), ...of("now")].map(([value]) => whole(value));
  return {
    cpu_time_ms: Math.round(cpuNs / 1e6 + cpuUs / 1e3),
    peak_memory_bytes: Math.max(0, ...peaks),
    disk_writes_bytes: sum(of("io1").filter(([, kind]) => kind === "Write").map(([, , n]) => n)) +
      sum(of("io2").flatMap((row) => row.map((word) => /^wbytes=(\d+)$/.exec(word)?.[1]))),
    network_bytes: sum(of("net").flatMap(carried)),
  };
}

/** A row of `/proc/net/dev`: its interface, eight counts of what came and eight of what went, bytes first. */
function carried([name = "", ...counts]: string[]): (string | undefined)[] {
  // The first count stands without a space behind the colon on some kernels.
  const [device, first] = name.split(":");
  if (first === undefined || device === "lo") return [];
  const all = first === "" ? counts : [first, ...counts];
  return [all[0], all[8]];
}

function sum(values: readonly (string | undefined)[]): number {
  return Math.min(
    Number.MAX_SAFE_INTEGER,
    values.reduce((total, value) => total + whole(value), 0),
  );
}

function whole(value: string | undefined): number {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : 0;
}
