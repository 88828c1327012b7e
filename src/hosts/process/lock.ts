/**
 * How an agent's process gives up everything, before it sees a line of the agent's code. Two walls: Deno's permissions, and the kernel's limits. The second
 * stands because the first has doors: a compiled program's module loader reads any file that is named in an import, whatever was revoked; so nothing
 * can be opened at all.
 */

/** `prctl` and `setrlimit` of Linux, which no interface of Deno's gives. */
const PR_SET_PDEATHSIG = 1, PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9n;
const RLIMIT_FSIZE = 1, RLIMIT_DATA = 2, RLIMIT_CORE = 4, RLIMIT_NOFILE = 7;

const PERMISSIONS = ["read", "write", "net", "env", "sys", "run", "ffi", "import"] as const;
const MIB = 1024 * 1024;

/** A name and not a literal, or it would be loaded beforehand with this module. */
const A_FILE = "file:///dev/null";

export interface Kernel {
  /** From here on this process does not outlive its parent. */
  dieWithParent(): void;
  /** From here on nothing is opened, no file is written and memory grows by so many bytes at most. */
  close(growthBytes: number): void;
}

/** Opens the C library, which needs the permission that `revokeAll` gives up. @throws Error where it cannot be had */
export function openKernel(): Kernel {
  const { symbols } = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    open: { parameters: ["buffer", "i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });

  function control(option: number, value: bigint): void {
    if (symbols.prctl(option, value, 0n, 0n, 0n) !== 0) throw new Error(`prctl ${option} failed`);
  }

  function limit(resource: number, value: number): void {
    const pair = new BigUint64Array(2).fill(BigInt(value));
    if (symbols.setrlimit(resource, pair) !== 0) throw new Error(`setrlimit ${resource} failed`);
  }

  /** Deno keeps /proc to itself unless everything is allowed, which is why the file is read by hand. */
  function readOwnStatus(): string {
    const file = symbols.open(new TextEncoder().encode("/proc/self/status\0"), 0);
    if (file < 0) throw new Error("/proc/self/status cannot be opened");
    const text = new Uint8Array(16 * 1024);
    const length = Number(symbols.read(file, text, BigInt(text.length)));
    symbols.close(file);
    return new TextDecoder().decode(text.subarray(0, Math.max(0, length)));
  }

  return {
    dieWithParent() {
      control(PR_SET_PDEATHSIG, SIGKILL);
      control(PR_SET_NO_NEW_PRIVS, 1n);
    },
    close(growthBytes) {
      const has = /^VmData:\s+(\d+) kB$/m.exec(readOwnStatus())?.[1];
      if (has === undefined) throw new Error("the size of this process cannot be told");
      limit(RLIMIT_DATA, Number(has) * 1024 + growthBytes);
      limit(RLIMIT_CORE, 0);
      limit(RLIMIT_FSIZE, 0);
      limit(RLIMIT_NOFILE, 0);
    },
  };
}

/** What a process may take beyond the agent's own memory: young objects, buffers on their way, threads, compiled code. */
const OVERHEAD_MB = 128;

/** How much a blank process may grow by. */
export function growthBytes(memoryMb: number): number {
  return (memoryMb + OVERHEAD_MB) * MIB;
}

/** Cannot be undone. */
export function revokeAll(): void {
  for (const name of PERMISSIONS) {
    Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
  }
}

/** Why the walls do not stand; undefined if they do. Tries what an agent might try. */
export async function openDoor(): Promise<string | undefined> {
  for (const name of PERMISSIONS) {
    const { state } = Deno.permissions.querySync({ name } as Deno.PermissionDescriptor);
    if (state === "granted") return `it has ${name} permission`;
  }
  const tries: Record<string, () => unknown> = {
    "open a file": () => Deno.openSync("/dev/null"),
    "import a file": () => import(A_FILE),
    "see the environment": () => Deno.env.toObject(),
    "start a program": () => new Deno.Command("/bin/true").outputSync(),
    "open a socket": () => Deno.listen({ port: 0 }),
  };
  for (const [what, attempt] of Object.entries(tries)) {
    try {
      await attempt();
    } catch {
      continue;
    }
    return `it can ${what}`;
  }
}

/** What Deno's own code opens late is opened now, or it would panic when nothing can be opened any more. */
export function warmUp(): void {
  Deno.addSignalListener("SIGUSR2", () => {});
}
