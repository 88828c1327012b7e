/*
 * Attempts of a program to get out of its container, one a name: a line that begins with "GOT" says that it got what it must not get, and "no" says what was in
 * its way. None does harm where it succeeds: what would be written is what is there, or nothing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAST_CAPABILITY 40
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void got(const char *what) { printf("GOT %s\n", what); }

/* An error that tells of anything else than a refusal says that nobody was in the way. */
static int is_refusal(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EROFS;
}

static void tried(const char *what, long result) {
  if (result >= 0)
    got(what);
  else if (is_refusal(errno))
    printf("no %s: %s\n", what, strerror(errno));
  else
    printf("GOT %s as far as: %s\n", what, strerror(errno));
}

/* Where the thing may be missing altogether. */
static void tried_existing(const char *what, long result) {
  if (result >= 0)
    got(what);
  else
    printf("no %s: %s\n", what, strerror(errno));
}

static const char *given(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) {
    fprintf(stderr, "%s is not given\n", name);
    exit(2);
  }
  return value;
}

static void capabilities(void) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{0}};
  if (syscall(SYS_capget, &head, sets) < 0) perror("capget");
  for (int i = 0; i < 2; i++)
    if (sets[i].effective | sets[i].permitted | sets[i].inheritable) got("a capability");
  for (int cap = 0; cap <= LAST_CAPABILITY; cap++) {
    if (prctl(PR_CAPBSET_READ, cap) == 1) printf("GOT capability %d in the bounding set\n", cap);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1) got("an ambient capability");
  }
}

static void capset_any(void) {
  for (int cap = 0; cap <= LAST_CAPABILITY; cap++) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0}};
    sets[cap / 32].effective = sets[cap / 32].permitted = 1U << (cap % 32);
    if (syscall(SYS_capset, &head, sets) == 0) printf("GOT capability %d\n", cap);
  }
}

static void become_root(void) {
  tried("setuid", setuid(0));
  tried("setresuid", setresuid(-1, 0, -1));
  tried("setgid", setgid(0));
  gid_t groups[] = {0};
  tried("setgroups", setgroups(1, groups));
}

/* Run from a file that is root's and set-user-id. */
static void who(void) {
  if (geteuid() != getuid()) got("another user by a set-user-id file");
  if (getegid() != getgid()) got("another group by a set-group-id file");
  if (geteuid() != getuid()) capabilities();
}

static void unshare_any(void) {
  static const struct { const char *name; int flag; } kinds[] = {
      {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS},     {"pid", CLONE_NEWPID}, {"network", CLONE_NEWNET},
      {"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},      {"cgroup", 0x02000000}, {"time", 0x00000080}};
  for (size_t i = 0; i < COUNT(kinds); i++) {
    pid_t child = fork();
    if (child == 0) {
      tried(kinds[i].name, unshare(kinds[i].flag));
      fflush(stdout);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
}

static void clone_user(void) {
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  tried("clone into a user namespace", child);
  unsigned long long args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  child = syscall(SYS_clone3, args, sizeof args);
  if (child == 0) _exit(0);
  tried("clone3 into a user namespace", child);
}

static void setns_any(void) {
  static const char *kinds[] = {"mnt", "net", "pid", "uts", "ipc", "cgroup"};
  for (size_t i = 0; i < COUNT(kinds); i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[i]);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
      printf("no %s: %s\n", path, strerror(errno));
    else
      tried(path, setns(fd, 0));
  }
}

static void mount_any(void) {
  static const char *kinds[] = {"tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "debugfs", "mqueue"};
  for (size_t i = 0; i < COUNT(kinds); i++)
    tried(kinds[i], mount("none", "/work", kinds[i], 0, NULL));
  tried("the disk", mount("/dev/vda", "/work", "ext4", MS_RDONLY, NULL));
  tried("bind", mount("/", "/work", NULL, MS_BIND, NULL));
  tried("remount", mount(NULL, "/", NULL, MS_REMOUNT, NULL));
  tried("remount of /proc/sys", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
  tried("propagation", mount(NULL, "/", NULL, MS_SHARED, NULL));
}

static void mount_anew(void) {
  tried("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  tried("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
  tried("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  tried("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/work", 0));
  unsigned long long attributes[4] = {0, 1, 0, 0};
  tried("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, attributes, sizeof attributes));
}

static void unmount_any(void) {
  static const char *places[] = {"/proc/sys", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/irq", "/etc/hosts", "/"};
  for (size_t i = 0; i < COUNT(places); i++) tried(places[i], umount2(places[i], MNT_DETACH));
}

static void change_root(void) {
  tried("chroot", chroot("/work"));
  tried("pivot_root", syscall(SYS_pivot_root, "/work", "/work"));
}

static void make_device(void) {
  static const char *places[] = {"/work", "/tmp", "/dev/shm", "/dev", "/run/agentd"};
  const struct { const char *name; mode_t mode; dev_t device; } devices[] = {
      {"mem", S_IFCHR | 0666, makedev(1, 1)}, {"kmsg", S_IFCHR | 0666, makedev(1, 11)},
      {"vda", S_IFBLK | 0666, makedev(254, 0)}, {"sda", S_IFBLK | 0666, makedev(8, 0)}};
  for (size_t i = 0; i < COUNT(places); i++)
    for (size_t j = 0; j < COUNT(devices); j++) {
      char path[64];
      snprintf(path, sizeof path, "%s/%s", places[i], devices[j].name);
      tried_existing(path, mknod(path, devices[j].mode, devices[j].device));
      unlink(path);
    }
}

static void open_device(void) {
  static const char *names[] = {"mem", "kmem", "port", "kmsg", "vda", "vda1", "sda", "nvme0n1", "xvda", "kvm", "fuse", "loop-control",
      "loop0", "net/tun", "mapper/control", "vsock", "vhost-net", "vhost-vsock", "btrfs-control", "autofs", "hwrng", "snapshot", "uinput",
      "tty0", "tty1", "ttyS0", "console", "cpu/0/msr", "nvidia0", "dri/card0", "bus/usb/001/001", "userfaultfd"};
  for (size_t i = 0; i < COUNT(names); i++) {
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", names[i]);
    tried_existing(path, open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  }
}

static void terminals(void) {
  tried_existing("/dev/tty", open("/dev/tty", O_RDWR | O_NOCTTY));
  for (int i = 0; i < 8; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", i);
    tried_existing(path, open(path, O_RDWR | O_NOCTTY));
  }
}

static void modules(void) {
  tried("init_module", syscall(SYS_init_module, "", 0, ""));
  tried("finit_module", syscall(SYS_finit_module, 0, "", 0));
  tried("delete_module", syscall(SYS_delete_module, "none_of_this_name", O_NONBLOCK));
}

static void kernel_images(void) { tried("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0)); }

static void bpf_any(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  tried("map", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
  struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (unsigned long)program, .license = (unsigned long)"GPL"};
  tried("program", syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
}

static void perf(void) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK};
  tried("of its own", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
  tried("of everybody", syscall(SYS_perf_event_open, &event, -1, 0, -1, 0));
}

static void keyring(void) {
  tried("add_key", syscall(SYS_add_key, "user", "agentd", "x", 1, -3));
  tried("keyctl of the session", syscall(SYS_keyctl, 0, -3, 0));
  tried("keyctl of the user", syscall(SYS_keyctl, 0, -4, 0));
  tried("request_key", syscall(SYS_request_key, "user", "agentd", NULL, 0));
}

/* Whether the process of this number is one of another session or of the host. */
static int is_foreign(long pid) {
  char path[64], own[64] = "", its[64] = "";
  if (readlink("/proc/self/ns/pid", own, sizeof own - 1) < 0) return 0;
  snprintf(path, sizeof path, "/proc/%ld/ns/pid", pid);
  if (readlink(path, its, sizeof its - 1) > 0) return strcmp(own, its) != 0;
  return 1;
}

static void foreign_process(void) {
  long pid = atol(given("HOST_PID"));
  if (!is_foreign(pid)) {
    puts("no: that number is a process of this session");
    return;
  }
  if (kill(pid, 0) == 0 || errno == EPERM) got("a process of the host to be seen by kill");
  tried_existing("ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
  char byte, path[64];
  struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
  long read = syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0);
  if (read < 0 && errno == EFAULT) read = 0;
  tried_existing("process_vm_readv", read);
  tried_existing("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
  tried_existing("getpriority", getpriority(PRIO_PROCESS, pid));
  tried_existing("sched_getscheduler", sched_getscheduler(pid));
  struct rlimit limit;
  tried_existing("prlimit", prlimit(pid, RLIMIT_NOFILE, NULL, &limit));
  snprintf(path, sizeof path, "/proc/%ld/mem", pid);
  tried_existing(path, open(path, O_RDONLY));
}

static void raw_sockets(void) {
  tried("raw", socket(AF_INET, SOCK_RAW, 1));
  tried("packet", socket(AF_PACKET, SOCK_RAW, 0x0300));
  errno = 0;
  int six = socket(AF_INET6, SOCK_RAW, 58);
  tried_existing("raw of IPv6", six);
}

/* To the machine that this one runs on, where it is a virtual one: no network namespace stands before it. Nobody is called, the socket says enough. */
static void vsock(void) { tried_existing("a socket to the hypervisor", socket(40, SOCK_STREAM, 0)); }

static void abstract_socket(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  const char *wanted = given("ABSTRACT");
  size_t length = strlen(wanted);
  memcpy(name.sun_path + 1, wanted, length);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  tried_existing("an abstract socket of the host", connect(fd, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + 1 + length));
}

/* For the host's side of it: has that socket and System V memory, says "ready" and stays. */
static void listen_abstract(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  const char *wanted = given("ABSTRACT");
  size_t length = strlen(wanted);
  memcpy(name.sun_path + 1, wanted, length);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + 1 + length) < 0 || listen(fd, 8) < 0) {
    perror("listen");
    exit(1);
  }
  /* Gone with this process. */
  int segment = shmget(IPC_PRIVATE, 4096, 0666);
  if (shmat(segment, NULL, 0) == (void *)-1 || shmctl(segment, IPC_RMID, NULL) < 0) exit(1);
  puts("ready");
  fflush(stdout);
  pause();
}

static void kernel_log(void) {
  tried("size", syscall(SYS_syslog, 10, NULL, 0));
  char text[256];
  tried("text", syscall(SYS_syslog, 3, text, sizeof text));
}

/* The host's file system by number, from a file of it that is there: `/etc/hosts` is one. */
static void by_handle(void) {
  union { struct file_handle handle; char room[sizeof(struct file_handle) + MAX_HANDLE_SZ]; } one;
  int mount_id, fd = open("/etc/hosts", O_RDONLY);
  memset(&one, 0, sizeof one);
  one.handle.handle_bytes = 8;
  one.handle.handle_type = 1;
  unsigned int root[2] = {2, 0};
  memcpy(one.handle.f_handle, root, sizeof root);
  tried("the host's root by open_by_handle_at", open_by_handle_at(fd, &one.handle, O_RDONLY | O_DIRECTORY));
  one.handle.handle_bytes = MAX_HANDLE_SZ;
  tried("name_to_handle_at", name_to_handle_at(fd, "", &one.handle, &mount_id, AT_EMPTY_PATH));
}

static void fanotify(void) { tried("fanotify_init", syscall(SYS_fanotify_init, 0, O_RDONLY)); }

static void limits(void) {
  for (int kind = 0; kind < RLIM_NLIMITS; kind++) {
    struct rlimit limit;
    if (getrlimit(kind, &limit) < 0 || limit.rlim_max == RLIM_INFINITY) continue;
    limit.rlim_max++;
    if (setrlimit(kind, &limit) == 0) printf("GOT limit %d raised\n", kind);
  }
  errno = 0;
  tried("priority", setpriority(PRIO_PROCESS, 0, -1));
  struct sched_param realtime = {.sched_priority = 1};
  tried("realtime", sched_setscheduler(0, SCHED_FIFO, &realtime));
  tried("realtime of the disk", syscall(SYS_ioprio_set, 1, 0, (1 << 13) | 0));
  int fd = open("/proc/self/oom_score_adj", O_RDWR);
  char score[16] = "";
  long own = read(fd, score, sizeof score - 1) > 0 ? atol(score) : 0;
  snprintf(score, sizeof score, "%ld", own - 1);
  tried("being killed last", write(fd, score, strlen(score)));
}

static void clock_set(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tried("clock_settime", clock_settime(CLOCK_REALTIME, &now));
  struct timex change = {.modes = ADJ_FREQUENCY};
  tried("adjtimex", adjtimex(&change));
}

static void names(void) {
  char name[65] = "";
  gethostname(name, sizeof name - 1);
  tried("sethostname", sethostname(name, strlen(name)));
  tried("setdomainname", setdomainname("(none)", 6));
}

/* Ctrl-Alt-Del stays what it is. */
static void power(void) { tried("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL)); }

static void swap(void) {
  tried("swapon", swapon("/none", 0));
  tried("swapoff", swapoff("/none"));
  tried("acct", syscall(SYS_acct, "/none"));
}

static void ports(void) {
  tried("iopl", iopl(3));
  tried("ioperm", ioperm(0x80, 1, 1));
}

static void uring(void) {
  char parameters[120] = {0};
  tried("io_uring", syscall(SYS_io_uring_setup, 1, parameters));
}

static void faults(void) {
  tried("userfaultfd", syscall(SYS_userfaultfd, 0));
  tried("userfaultfd of user pages", syscall(SYS_userfaultfd, 1));
}

static void memory(void) {
  size_t step = 1 << 20;
  long wanted = atol(given("MEMORY_MB")) + 64;
  for (long have = 0; have < wanted; have++) {
    char *part = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (part == MAP_FAILED) {
      puts("no: mmap");
      return;
    }
    memset(part, 1, step);
  }
  printf("GOT %ld MiB\n", wanted);
}

static void processes(void) {
  long limit = atol(given("PIDS")), count = 0;
  pid_t children[65536];
  for (; count < limit + 64 && count < 65536; count++) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      pause();
      _exit(0);
    }
    children[count] = child;
  }
  printf(count >= limit ? "GOT %ld processes\n" : "no: %ld processes\n", count);
  for (long i = 0; i < count; i++) kill(children[i], SIGKILL);
  while (wait(NULL) > 0) {}
}

static int hits;

static int open_for_writing(const char *path, const struct stat *, int kind, struct FTW *) {
  if (kind != FTW_F && kind != FTW_NS) return 0;
  int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return 0;
  close(fd);
  if (hits++ < 5) printf("GOT %s open for writing\n", path);
  return 0;
}

/* Nothing is written to what opens. */
static void kernel_files(void) {
  static const char *roots[] = {"/sys", "/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/sysrq-trigger", "/proc/mtrr", "/proc/latency_stats",
      "/proc/timer_stats", "/proc/acpi", "/proc/scsi", "/proc/driver", "/proc/tty", "/proc/sysvipc", "/proc/slabinfo", "/proc/swaps", "/proc/kcore",
      "/proc/kpagecount"};
  for (size_t i = 0; i < COUNT(roots); i++) nftw(roots[i], open_for_writing, 64, FTW_PHYS);
}

/* In lines such as "00000000-00000000 : System RAM"; to whom they are not told they are all zeros. */
static int has_addresses(const char *text, long length) {
  int before_colon = 1, told = 0;
  for (long at = 0; at < length; at++) {
    if (text[at] == '\n' || text[at] == ':') before_colon = text[at] == '\n';
    told |= before_colon && strchr("123456789abcdef", text[at]) != NULL && text[at] != 0;
  }
  return told;
}

static void kernel_secrets(void) {
  static const char *files[] = {"/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/scsi/scsi",
      "/proc/kpagecount", "/proc/kpageflags", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/iomem", "/proc/ioports", "/sys/firmware/acpi/tables/DSDT",
      "/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug", "/sys/kernel/tracing/trace", "/sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj"};
  for (size_t i = 0; i < COUNT(files); i++) {
    char text[4096];
    int fd = open(files[i], O_RDONLY | O_NONBLOCK);
    long length = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (length > 0 && (strncmp(files[i], "/proc/io", 8) != 0 || has_addresses(text, length))) got(files[i]);
    if (fd >= 0) close(fd);
  }
  char line[256];
  FILE *symbols = fopen("/proc/kallsyms", "r");
  if (symbols && fgets(line, sizeof line, symbols) && strtoull(line, NULL, 16) != 0) got("addresses of the kernel");
}

/*
 * What comes into the session to begin a command, from outside: for a moment it is a process of the host's. Its program must not be open for writing, nor may it
 * bring a directory or a file of the host along.
 */
static void entrants(void) {
  time_t end = time(NULL) + atol(given("SECONDS"));
  const char *file = given("HOST_FILE");
  long seen = 0, last = 0;
  while (time(NULL) < end) {
    DIR *all = opendir("/proc");
    struct dirent *entry;
    while ((entry = readdir(all)) != NULL) {
      long pid = atol(entry->d_name);
      char path[2 * PATH_MAX], target[PATH_MAX] = "";
      if (pid <= 1 || pid == getpid()) continue;
      if (pid > last) {
        last = pid;
        seen++;
      }
      snprintf(path, sizeof path, "/proc/%ld/exe", pid);
      if (readlink(path, target, sizeof target - 1) > 0 && (strstr(target, "runc") || strstr(target, "memfd"))) {
        int fd = open(path, O_WRONLY);
        if (fd >= 0) got("the host's program open for writing");
        tried_existing("ptrace of it", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
      }
      static const char *ways[] = {"root", "cwd", "cwd/../../../../../../.."};
      for (size_t i = 0; i < COUNT(ways); i++) {
        snprintf(path, sizeof path, "/proc/%ld/%s%s", pid, ways[i], file);
        if (access(path, F_OK) == 0) printf("GOT the host's file by %s\n", path);
      }
      for (int fd = 3; fd < 16; fd++) {
        snprintf(path, sizeof path, "/proc/%ld/fd/%d/../../../../../../../..%s", pid, fd, file);
        if (access(path, F_OK) == 0) printf("GOT the host's file by %s\n", path);
      }
    }
    closedir(all);
  }
  printf("no: %ld came\n", seen);
}

static const struct { const char *name; void (*attempt)(void); } attempts[] = {
    {"capabilities", capabilities}, {"capset", capset_any}, {"become-root", become_root}, {"who", who}, {"unshare", unshare_any},
    {"clone-user", clone_user}, {"setns", setns_any}, {"mount", mount_any}, {"mount-anew", mount_anew}, {"unmount", unmount_any},
    {"change-root", change_root}, {"make-device", make_device}, {"open-device", open_device}, {"terminals", terminals}, {"modules", modules},
    {"kernel-images", kernel_images}, {"bpf", bpf_any}, {"perf", perf}, {"keyring", keyring}, {"foreign-process", foreign_process},
    {"raw-sockets", raw_sockets}, {"vsock", vsock}, {"abstract-socket", abstract_socket}, {"listen-abstract", listen_abstract},
    {"kernel-log", kernel_log}, {"by-handle", by_handle}, {"fanotify", fanotify}, {"limits", limits}, {"clock", clock_set}, {"names", names},
    {"power", power}, {"swap", swap}, {"ports", ports}, {"uring", uring}, {"faults", faults}, {"memory", memory}, {"processes", processes},
    {"kernel-files", kernel_files}, {"kernel-secrets", kernel_secrets}, {"entrants", entrants}};

int main(int count, char **words) {
  for (size_t i = 0; count == 2 && i < COUNT(attempts); i++)
    if (strcmp(words[1], attempts[i].name) == 0) {
      attempts[i].attempt();
      return 0;
    }
  fprintf(stderr, "no such attempt\n");
  return 2;
}
