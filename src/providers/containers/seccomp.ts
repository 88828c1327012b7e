/**
 * What a program in a session may ask of the kernel, as an engine's seccomp profile. Tighter than the engine's own, and the same with every version of it: no socket
 * but of the usual families (a socket to the hypervisor is behind no network namespace), no io_uring, no programs of another width than the machine's.
 */

/** Unix, IPv4, IPv6, netlink. */
const SOCKET_FAMILIES = [1, 2, 10, 16];
/** All `CLONE_NEW…` that `clone` knows: no namespace of one's own. */
const NEW_NAMESPACES = 0x7e020000;
/** What programs are told that ask by `clone3`, whose flags no filter can see: they ask by `clone` then. */
const ENOSYS = 38;
/** As they are for programs that want the same addresses each time; READ_IMPLIES_EXEC is not among them. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** One line a subject; names that an architecture does not have are passed over. */
const ALLOWED = `
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile sendfile64 splice tee vmsplice copy_file_range
open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2
stat fstat lstat newfstatat statx stat64 fstat64 lstat64 fstatat64 statfs fstatfs statfs64 fstatfs64 access faccessat faccessat2
getdents getdents64 getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat readlink readlinkat mknod mknodat
chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat chown32 fchown32 lchown32 umask utime utimes futimesat utimensat utimensat_time64
truncate ftruncate truncate64 ftruncate64 fallocate fadvise64 fadvise64_64 arm_fadvise64_64 readahead fsync fdatasync sync syncfs sync_file_range sync_file_range2 arm_sync_file_range
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
setxattrat getxattrat listxattrat removexattrat cachestat
mmap mmap2 mprotect munmap mremap brk msync mincore madvise mlock mlock2 munlock mlockall munlockall remap_file_pages membarrier mseal map_shadow_stack
pkey_mprotect pkey_alloc pkey_free memfd_create memfd_secret process_madvise process_mrelease
poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime timerfd_settime64 timerfd_gettime64
inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
io_setup io_destroy io_getevents io_submit io_cancel io_pgetevents io_pgetevents_time64
fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill pidfd_open pidfd_send_signal pidfd_getfd kcmp ptrace process_vm_readv process_vm_writev
getpid getppid gettid getpgid getpgrp setpgid getsid setsid set_tid_address restart_syscall
getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid setreuid setregid setgroups setresuid setresgid setfsuid setfsgid
getuid32 geteuid32 getgid32 getegid32 getgroups32 getresuid32 getresgid32 setuid32 setgid32 setreuid32 setregid32 setgroups32 setresuid32 setresgid32 setfsuid32 setfsgid32
capget capset prctl arch_prctl set_thread_area get_thread_area modify_ldt seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigtimedwait_time64 rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack sigreturn pause alarm
nanosleep clock_nanosleep clock_nanosleep_time64 clock_gettime clock_gettime64 clock_getres clock_getres_time64 gettimeofday time times getitimer setitimer
timer_create timer_settime timer_gettime timer_getoverrun timer_delete timer_settime64 timer_gettime64 adjtimex clock_adjtime clock_adjtime64
futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue set_robust_list get_robust_list rseq getcpu
sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_getaffinity sched_setattr sched_getattr getpriority setpriority ioprio_set ioprio_get
getrlimit ugetrlimit setrlimit prlimit64 getrusage sysinfo uname getrandom
socketpair connect accept accept4 bind listen shutdown getsockname getpeername setsockopt getsockopt
sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg recvmmsg_time64 send recv
shmget shmat shmctl shmdt semget semop semctl semtimedop semtimedop_time64 msgget msgsnd msgrcv msgctl
mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr mq_timedsend_time64 mq_timedreceive_time64
arm_fadvise64_64 breakpoint cacheflush set_tls get_tls riscv_flush_icache riscv_hwprobe
`;

/** As the engine reads it: JSON. */
export const SECCOMP_PROFILE: string = JSON.stringify({
  defaultAction: "SCMP_ACT_ERRNO",
  // Of the machine's own width alone.
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: [] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: [] },
    { architecture: "SCMP_ARCH_ARM", subArchitectures: [] },
    { architecture: "SCMP_ARCH_RISCV64", subArchitectures: [] },
  ],
  syscalls: [
    allowed(ALLOWED.split(/\s+/).filter((name) => name !== "")),
    ...SOCKET_FAMILIES.map((family) => allowed(["socket"], [equals(0, family)])),
    ...PERSONALITIES.map((persona) => allowed(["personality"], [equals(0, persona)])),
    allowed(["clone"], [{
      index: 0,
      value: NEW_NAMESPACES,
      valueTwo: 0,
      op: "SCMP_CMP_MASKED_EQ",
    }]),
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
  ],
});

function allowed(names: readonly string[], args: readonly object[] = []): object {
  return { names, action: "SCMP_ACT_ALLOW", args };
}

function equals(index: number, value: number): object {
  return { index, value, op: "SCMP_CMP_EQ" };
}
