/** Attempts to get out of a session, or to get more than it was given: what somebody with a shell in it would try. None does harm where it succeeds. */

export interface Escape {
  /** What would be got. */
  readonly name: string;
  /** Run by the session's `sh -c`, with what `Surroundings` names in its environment; a line that begins with "GOT" tells of success. */
  readonly attempt: string;
  /** Options of `docker run`, without any protection, with which it succeeds: what shows that the attempt is one. `$NAME` is filled in from the environment. */
  readonly opens?: readonly string[];
  /** Is what `allow_network` gives, or does not take away. */
  readonly networkHasIt?: true;
  /** Why a session of `allow_root` is not asked: it has this anyway, and is none the better for it. */
  readonly rootHasIt?: string;
}

/** What an attempt is told of the world outside; that an attacker knows where to look must not help him. */
export interface Surroundings {
  /** A process of the host. Its environment has `AGENTD_OTHER_SECRET`, its command line `listen-abstract`; it holds System V memory. */
  readonly HOST_PID: string;
  /** A file of the host that all may read. */
  readonly HOST_FILE: string;
  readonly HOST_DIR: string;
  /** A TCP port at which the host listens on its loopback alone, as agentd does. */
  readonly LOOPBACK_PORT: string;
  /** One at which it listens on all its addresses, and these. */
  readonly HOST_PORT: string;
  readonly HOST_ADDRESSES: string;
  /** An abstract Unix socket of the host. */
  readonly ABSTRACT: string;
  /** A file in the host's /dev/shm. */
  readonly HOST_SHM: string;
  readonly MEMORY_MB: string;
  readonly DISK_MB: string;
  readonly PIDS: string;
}

/** `attempt` is `attempts.c`, compiled. */
const program = (name: string) => `attempt ${name}`;

/** Says "GOT" of every word for which the command succeeds. */
const each = (words: string, command: string) =>
  `for one in ${words}; do if ${command}; then echo GOT "$one"; fi; done 2>/dev/null`;

const HOST: readonly Escape[] = [
  {
    name: "the engine's socket",
    attempt: each(
      "/var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock /run/crio/crio.sock",
      '[ -e "$one" ]',
    ),
    opens: ["-v", "/var/run/docker.sock:/var/run/docker.sock"],
  },
  {
    name: "a file of the host by its own name, or below where hosts are often put",
    attempt: each('"" /host /mnt /rootfs /proc/self/cwd/../../..', '[ -e "$one$HOST_FILE" ]'),
    opens: ["-v", "$HOST_DIR:$HOST_DIR"],
  },
  {
    name: "the engine's own directory",
    attempt: each(
      "/var/lib/docker /var/lib/containerd /run/docker /run/containerd",
      '[ -e "$one" ]',
    ),
  },
  {
    name: "the host's file system through the root or the directory of a process",
    attempt: each("/proc/[0-9]*/root /proc/[0-9]*/cwd /proc/1/root/..", '[ -e "$one$HOST_FILE" ]'),
    opens: ["--pid=host", "--cap-add=SYS_PTRACE"],
  },
  {
    name: "the host's file system by a file handle",
    attempt: program("by-handle"),
    opens: ["--cap-add=DAC_READ_SEARCH"],
  },
  {
    name: "files of the host's disk that the engine puts in",
    attempt: each("/etc/hosts /etc/hostname /etc/resolv.conf", 'echo "# x" >> "$one"'),
    opens: [],
  },
  {
    name: "a block or character device of one's own making",
    attempt: program("make-device"),
    opens: [],
  },
  {
    name: "a device of the host: memory, disks, the kernel's log, virtual machines, consoles",
    attempt: program("open-device"),
    opens: ["--device=/dev/null:/dev/mem"],
  },
  { name: "a terminal of somebody else", attempt: program("terminals") },
];

const FILE_SYSTEM: readonly Escape[] = [
  {
    name: "mounts: of kernel file systems, disks, binds, remounts",
    attempt: program("mount"),
    opens: ["--cap-add=SYS_ADMIN"],
  },
  {
    name: "mounts by the newer calls",
    attempt: program("mount-anew"),
    opens: ["--cap-add=SYS_ADMIN"],
  },
  {
    name: "what lies below the masks of /proc, by unmounting them",
    attempt: program("unmount"),
    opens: ["--cap-add=SYS_ADMIN"],
  },
  { name: "another root: chroot, pivot_root", attempt: program("change-root"), opens: [] },
  {
    name: "to write to the image's files",
    attempt: each("/ /bin /etc /usr /usr/bin /root /sbin /var /opt /home /lib", 'touch "$one/x"') +
      "\n" + each("/bin/sh /bin/busybox /etc/passwd", 'true >> "$one"'),
    opens: [],
  },
  {
    name:
      "to write to the kernel's files: sysrq-trigger, core_pattern, modprobe, uevent_helper, release_agent, all below /sys and /proc/sys",
    attempt: program("kernel-files"),
    opens: ["--security-opt=systempaths=unconfined"],
  },
  {
    name: "a control group of one's own, or none",
    attempt: each(
      "/sys/fs/cgroup /sys/fs/cgroup/memory /sys/fs/cgroup/pids /sys/fs/cgroup/rdma /sys/fs/cgroup/systemd",
      'mkdir "$one/agentd-x" && rmdir "$one/agentd-x" && [ "$(stat -f -c %T "$one")" != tmpfs ]',
    ) +
      "\n" +
      each(
        "/sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/*/notify_on_release /sys/fs/cgroup/cgroup.procs",
        'true >> "$one"',
      ),
  },
  {
    name: "what the kernel keeps from others: memory, addresses, keys, tables",
    attempt: program("kernel-secrets"),
    opens: ["--security-opt=systempaths=unconfined"],
    rootHasIt:
      "page counts and the kernel's own tables are root's to read, and Docker has no option to mask them",
  },
  { name: "the kernel's log", attempt: program("kernel-log"), opens: ["--cap-add=SYSLOG"] },
];

const RIGHTS: readonly Escape[] = [
  { name: "any capability", attempt: program("capabilities"), opens: [] },
  { name: "to take a capability", attempt: program("capset"), opens: [] },
  {
    name: "to become root",
    attempt: program("become-root"),
    opens: [],
    rootHasIt: "it is root, without a capability",
  },
  {
    name: "a set-user-id program of the image",
    attempt: "suid-attempt who",
    opens: ["--user=65534:65534"],
  },
  { name: "namespaces by unshare", attempt: program("unshare"), opens: ["--cap-add=SYS_ADMIN"] },
  {
    name: "a user namespace by clone or clone3",
    attempt: program("clone-user"),
    opens: ["--cap-add=SYS_ADMIN"],
  },
  {
    name: "another process's namespaces",
    attempt: program("setns"),
    opens: ["--cap-add=SYS_ADMIN"],
  },
  {
    name: "another map of users",
    attempt: each(
      "/proc/self/uid_map /proc/self/gid_map /proc/self/loginuid",
      'echo "0 0 1" > "$one"',
    ),
  },
  {
    name: "the keyring of the user or of others",
    attempt: program("keyring"),
    opens: ["--security-opt=seccomp=unconfined"],
  },
];

const KERNEL: readonly Escape[] = [
  { name: "kernel modules", attempt: program("modules") },
  { name: "another kernel", attempt: program("kernel-images") },
  { name: "programs in the kernel: bpf", attempt: program("bpf") },
  { name: "the kernel's performance events", attempt: program("perf") },
  { name: "io_uring, which no seccomp filter sees into", attempt: program("uring") },
  { name: "userfaultfd, with which kernel races are won", attempt: program("faults") },
  {
    name: "to watch whole file systems: fanotify",
    attempt: program("fanotify"),
    opens: ["--cap-add=SYS_ADMIN"],
  },
  { name: "the clock", attempt: program("clock") },
  { name: "the machine's name", attempt: program("names"), opens: ["--cap-add=SYS_ADMIN"] },
  { name: "the machine's power", attempt: program("power") },
  {
    name: "swap and accounting",
    attempt: program("swap"),
    opens: ["--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined"],
  },
  { name: "the ports of the hardware", attempt: program("ports") },
];

const OTHERS: readonly Escape[] = [
  {
    name: "a process of the host: to signal, trace, read, or rank it",
    attempt: program("foreign-process"),
    opens: ["--pid=host"],
  },
  {
    name: "the command lines of the host",
    attempt: each(
      "/proc/[0-9]*/cmdline",
      'tr "\\0" " " < "$one" | grep -q "[a]ttempt listen-abstract"',
    ),
    opens: ["--pid=host"],
  },
  {
    name: "the environment of others",
    attempt: each("/proc/[0-9]*/environ", 'grep -q AGENTD_OTHER_SECRET= "$one"'),
  },
  {
    name: "what began the session knows nothing of agentd",
    attempt:
      "if tr '\\0' '\\n' </proc/1/environ | grep -v ^HOSTNAME= | grep -iE 'agentd|secret|token|key|docker'; then echo GOT; fi",
  },
  {
    name: "the files of another session",
    attempt: 'if find / -name "other-session-*" 2>/dev/null | grep .; then echo GOT; fi',
  },
  {
    name: "System V memory of the host",
    attempt: "if [ $(wc -l < /proc/sysvipc/shm) -gt 1 ]; then echo GOT; fi",
    opens: ["--ipc=host"],
  },
  {
    name: "shared memory of the host",
    attempt: 'if [ -e "$HOST_SHM" ]; then echo GOT; fi',
    opens: ["--ipc=host"],
  },
];

const NETWORK: readonly Escape[] = [
  {
    name: "an interface beside lo",
    networkHasIt: true,
    attempt: "if ls /sys/class/net | grep -v '^lo$'; then echo GOT; fi",
    opens: ["--network=bridge"],
  },
  {
    name: "a route to anywhere",
    networkHasIt: true,
    attempt: "if [ $(wc -l < /proc/net/route) -gt 1 ]; then echo GOT; fi",
    opens: ["--network=bridge"],
  },
  {
    name: "a network of one's own",
    attempt:
      "if ip link add x0 type dummy || ip link set lo down || ip addr add 10.9.9.9/32 dev lo; then echo GOT; fi",
    opens: ["--cap-add=NET_ADMIN"],
  },
  {
    name: "a port of this machine, at its own addresses",
    networkHasIt: true,
    attempt: each("127.0.0.1 $HOST_ADDRESSES", 'nc -w 2 "$one" $HOST_PORT </dev/null'),
    opens: ["--network=host"],
  },
  {
    name: "agentd's port, on this machine's loopback",
    attempt: each("127.0.0.1 $HOST_ADDRESSES", 'nc -w 2 "$one" $LOOPBACK_PORT </dev/null'),
    opens: ["--network=host"],
  },
  {
    name: "the engine over TCP",
    attempt: each(
      "127.0.0.1 $HOST_ADDRESSES",
      'nc -w 2 "$one" 2375 </dev/null || nc -w 2 "$one" 2376 </dev/null',
    ),
  },
  {
    name: "the metadata address of clouds",
    networkHasIt: true,
    attempt: each("169.254.169.254", 'nc -w 2 "$one" 80 </dev/null'),
  },
  {
    name: "names of the world",
    networkHasIt: true,
    attempt: "if timeout 10 nslookup example.com 2>/dev/null | grep -i '^name'; then echo GOT; fi",
  },
  { name: "packets of any form: raw sockets", attempt: program("raw-sockets"), opens: [] },
  {
    name: "the hypervisor's socket, which is behind no network namespace",
    attempt: program("vsock"),
  },
  {
    name: "an abstract Unix socket of the host",
    attempt: program("abstract-socket"),
    opens: ["--network=host"],
  },
];

const MORE: readonly Escape[] = [
  { name: "more memory", attempt: program("memory"), opens: [] },
  { name: "more processes", attempt: program("processes"), opens: [] },
  {
    name: "more of the processor",
    attempt:
      "if grep -qE '^(-1|max)' /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; then echo GOT; fi",
    opens: [],
  },
  {
    name: "more disk",
    attempt:
      "dd if=/dev/zero of=fill bs=1M count=$((DISK_MB + 16)) 2>/dev/null; if [ $(stat -c %s fill) -gt $((DISK_MB << 20)) ]; then echo GOT; fi; rm -f fill",
    opens: [],
  },
  {
    name: "swap in place of memory",
    attempt:
      "if grep -q . /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes && [ $(cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes) -gt $((MEMORY_MB << 20)) ]; then echo GOT; fi 2>/dev/null; if [ -e /sys/fs/cgroup/memory.swap.max ] && [ $(cat /sys/fs/cgroup/memory.swap.max) != 0 ]; then echo GOT; fi",
  },
  {
    name: "higher limits and ranks",
    attempt: program("limits"),
    opens: ["--cap-add=SYS_NICE"],
  },
  {
    name: "core dumps, which the host's own handler would be given",
    attempt: 'if [ "$(ulimit -H -c)" != 0 ]; then echo GOT; fi',
    opens: [],
  },
];

export const ESCAPES: readonly Escape[] = [
  ...HOST,
  ...FILE_SYSTEM,
  ...RIGHTS,
  ...KERNEL,
  ...OTHERS,
  ...NETWORK,
  ...MORE,
];
