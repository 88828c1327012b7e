/** What runs beside a command in its container: a shell script that keeps the command's output until somebody has taken it in, and outlives whoever started it. */
import type { ExecSpec } from "../../core/containers.ts";
import { FileError } from "../../fs/error.ts";
import { OWN_DIR, PROXIES, WORKDIR } from "./container.ts";

/** What a pump reads at once, and so the size of a slot and the most in a frame. */
export const MAX_CHUNK_BYTES = 65_536;

/** What a process of a command has in its environment, so that a signal finds it. No other command's begins the same: ids have no dot. */
export function markOf(execId: string): string {
  return `AGENTD_EXEC=${execId}.`;
}

/** Stands before the mark that ends a stream: no text has it, so hardly ever is a byte held back for it. */
export const MARK_BYTE = 0x1e;

/** By which a replaced feeder is known from a process that has its number by now. */
const NAME = "agentd relay";

/** All that is seen of the relay in a list of processes: the rest of it comes through stdin. */
export const STARTER = `# ${NAME}
read -r n && eval "$(head -c $n)"`;

/**
 * POSIX sh. Besides the shell's own it needs `cat dd env head mkdir mkfifo rm wc`, and `setsid` where there is one.
 *
 * Of one command are: the process that begins it and waits for it; a pump per stream, which reads chunk after chunk from the command's FIFO into one of three slots and
 * outlives agentd; a feeder, which sends a chunk and waits until it is taken in, and which the next one kills and replaces: it holds nothing. A slot is written anew when the
 * chunk after its own was taken in, so that also the last chunk that was can be sent again. All that must be known to go on is in the directory of the command:
 *
 *     o e             the command's stdout and stderr
 *     o0 o1 o2        slots; made at their full size before and never cut, so that a full disk is told before and not in the midst
 *     o.s o.c         where the kernel does not tell how far into its slot a chunk came: what `dd` says of itself, and where it does not say how much it copied, a copy to
 *                     measure, for which there is no room once the disk is full
 *     o.m             the last chunks: number, begin and size of three, number; written in place
 *     t               a line for whoever waits: look again
 *     po pe           what was taken in, for the pump
 *     w.N f.N p.N     process numbers: who waits, who feeds, the command. Empty files cost no space
 *     broken          a pump, or who waits, has failed: who writes to its stream may wait for ever, which keeps a flood of processes small, and is not for who waits for them
 *     m.MARK          what is written behind the command's output, as background processes may keep it open
 *     x.CODE.OOM      how it ended
 *     q.N             how often the kernel had killed something here for want of memory before it began
 *     zo ze z         a stream was taken in to its end; both
 *
 * On stdin: the number of bytes, and as many of this script and what is to be done; the command's stdin, when it is asked for; then for each chunk `a`, taken in, or `e`, and
 * that was its stream's end. On stdout: `i`, send stdin now; `h MARK`; `o BEGIN SIZE`, as many bytes, and `.` if they are right (or `e` for stderr); `d o`, nothing more of it;
 * `x CODE OOM`; `r REASON`.
 */
const RELAY = `exec 2>/dev/null
b=${OWN_DIR}
unset CDPATH
say() { printf '%s\\n' "$*"; }
oom() {
  o=0
  for x in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r $x ] && while read -r k v; do [ "$k" = oom_kill ] && o=$v; done <$x
  done
}
pump() {
  trap '' HUP INT QUIT TERM USR1 USR2
  trap 'echo >&4; true >$d/broken; echo >&4' EXIT
  n=0 a=-1 p=0 s1=0 z1=0 s2=0 z2=0
  while :; do
    while [ $n -ge 3 ] && [ $((n - 3)) -ge $a ]; do
      read -r k <&7 || exit
      case $k in
        z) drain $1 ;;
        '' | *[!0-9]*) ;;
        *) [ $k -gt $a ] && a=$k ;;
      esac
    done
    to=$d/$1$((n % 3))
    if [ "$place" ]; then
      exec 8<>$to
      dd bs=${MAX_CHUNK_BYTES} count=1 <&3 >&8 || exit
    else
      [ "$tells" ] || to=$d/$1.c
      dd bs=${MAX_CHUNK_BYTES} count=1 $way of=$to <&3 2<>$d/$1.s || exit
    fi
    [ -e $d/z$1 ] && drain $1
    size $1
    case $z in '' | *[!0-9]*) exit ;; esac
    [ $z -eq 0 ] && { trap - EXIT; exit; }
    [ "$place$tells" ] || dd if=$to of=$d/$1$((n % 3)) bs=$z count=1 conv=notrunc || exit
    printf '%d %d %5d %d %5d %d %5d %d\\n' $n $s2 $z2 $s1 $z1 $p $z $n 1<>$d/$1.m
    s2=$s1 z2=$z1 s1=$p z1=$z p=$((p + z)) n=$((n + 1))
    echo >&4
  done
}
size() {
  z=
  [ "$place" ] && read -r k z </proc/self/fdinfo/8 && return
  { read -r k x; read -r x; read -r z x; } <$d/$1.s
  [ "$tells" ] && return
  case $k in
    1+0) z=${MAX_CHUNK_BYTES} ;;
    0+0) z=0 ;;
    *) z=$(wc -c <$d/$1.c) ;;
  esac
}
drain() {
  trap - EXIT
  : >$to
  exec cat <&3 >/dev/null 3<&- 4<&- 7<&-
}
refuse() {
  oom
  for q in $d/q.*; do [ -e $q ] && [ $o -gt \${q##*.} ] && { say r memory; return; }; done
  say r $1
}
tell() {
  for x in $d/x.*; do
    x=\${x##*/x.}
    case $x in '*') refuse lost ;; *) say x \${x%.*} \${x##*.} ;; esac
  done
}
finish() {
  : >$d/z
  trap - EXIT
  tell
  rm -f $d/[oetpmfwr]* $b/$id.*
  exit
}
seen() {
  while :; do
    read -r n s2 z2 s1 z1 s0 z0 m <$d/$1.m || exit
    [ "$n" = "$m" ] && return
  done
}
send() {
  [ -e $d/z$1 ] && return 1
  eval "w=\\$w$1"
  seen $1
  case $((n - w)) in
    0) s=$s0 z=$z0 ;;
    1) s=$s1 z=$z1 ;;
    2) s=$s2 z=$z2 ;;
    -1) return 1 ;;
    *)
      # One that has just taken over begins with what may be written anew meanwhile: then it had been taken in.
      [ $n -gt $w ] || exit
      w=$((n - 2)) s=$s2 z=$z2
      ;;
  esac
  say $1 $s $z
  owed=$z
  dd if=$d/$1$((w % 3)) bs=$z count=1 || exit
  owed=
  say .
  read -r c || { trap - EXIT; exit; }
  case $c in
    a) l=$w ;;
    e) l=z; : >$d/z$1 ;;
    *) exit ;;
  esac
  if [ $1 = o ]; then echo $l >&7; else echo $l >&8; fi
  eval "w$1=$((w + 1))"
  [ -e $d/zo ] && [ -e $d/ze ] && finish
  return 0
}
fail() {
  [ "$owed" ] && printf %0\${owed}d 0
  refuse broken
}
feed() {
  trap '' HUP INT QUIT TERM USR1 USR2
  owed=
  trap 'fail' EXIT
  say h $mark
  for k in o e; do [ -e $d/z$k ] && say d $k; done
  while :; do
    more=
    send o && more=1
    send e && more=1
    [ "$more" ] && continue
    [ -e $d/broken ] && exit
    read -r x <&4
  done
}
full() {
  rm -rf $d $b/$id.$$.*
  say r full
  exit
}
begin() {
  r=$b/$id.$$.r i=/dev/null
  printf %s "$run" >$r || full
  if [ $sent -gt 0 ]; then
    i=$b/$id.$$.i
    say i
    head -c $sent >$i || full
    [ "$(wc -c <$i)" -eq $sent ] || { rm -f $b/$id.$$.*; exit; }
  fi
  mkdir $d || { rm -f $b/$id.$$.*; return; }
  mkfifo $d/o $d/e $d/t $d/po $d/pe || full
  dd if=/dev/null of=/dev/null 2>$d/o.s && dd if=/dev/null of=/dev/null 2>$d/e.s || full
  tells=1 way=conv=notrunc place=
  size o
  [ "$z" ] || tells= way=
  for k in o e; do
    for n in 0 1 2; do printf %0${MAX_CHUNK_BYTES}d 0 >$d/$k$n || full; done
    printf '%d %d %5d %d %5d %d %5d %d\\n' -1 0 0 0 0 0 0 -1 >$d/$k.m || full
  done
  oom
  was=$o
  : >$d/m.$mark && : >$d/q.$was || full
  exec 8<>$d/o0 && printf x >&8 && read -r k place </proc/self/fdinfo/8
  [ "$place" = 1 ] || place=
  exec 4<>$d/t 5<>$d/o 6<>$d/e 7<>$d/po 8<>$d/pe 9<&0 || full
  (
    exec 3<$d/o >/dev/null 5<&- 6<&- 8<&- 9<&-
    pump o
  ) &
  (
    exec 3<$d/e >/dev/null 7<&8 5<&- 6<&- 8<&- 9<&-
    pump e
  ) &
  (
    exec <&9 5<&- 6<&- 9<&-
    wo=0 we=0
    feed
  ) &
  f=$!
  : >$d/f.$f
  : >$d/w.$$
  exec </dev/null >/dev/null 9<&-
  trap 'echo >&4; true >$d/broken; echo >&4' EXIT
  trap : HUP INT QUIT TERM USR1 USR2
  own=
  command -v setsid >/dev/null && own=setsid
  (exec $own /bin/sh $r $d <$i >&5 2>&6 4<&- 5<&- 6<&- 7<&- 8<&-)
  c=$?
  for x in $d/r.*; do [ -e $x ] && c=\${x##*.}; done
  oom
  k=0
  [ $o -gt $was ] && k=1
  : >$d/x.$c.$k
  trap - EXIT
  [ -e $d/broken ] || printf '\\036%s' $mark >&5
  [ -e $d/broken ] || printf '\\036%s' $mark >&6
  exec 5<&- 6<&-
  wait $f
  exit 0
}
ready() {
  [ -e $d/z ] && return
  for w in $d/w.*; do [ -e $w ] && return; done
  return 1
}
lives() {
  kill -0 \${w##*.} && return
  for x in $d/x.*; do [ -e $x ] && return; done
  return 1
}
attach() {
  [ -d $d ] || { say r absent; exit; }
  n=0
  until ready; do
    n=$((n + 1))
    [ $n -gt 50 ] && { refuse lost; exit; }
    sleep 0.1 || sleep 1
  done
  if [ -p $d/po ]; then
    exec 4<>$d/t 7<>$d/po 8<>$d/pe
    [ -e $d/zo ] && echo z >&7
    [ -e $d/ze ] && echo z >&8
  fi
  [ -e $d/zo ] && [ -e $d/ze ] && finish
  lives || { refuse lost; exit; }
  for m in $d/m.*; do mark=\${m##*/m.}; done
  for f in $d/f.*; do
    f=\${f##*.}
    l=
    read -r l </proc/$f/cmdline
    case $l in *'${NAME}') kill -9 $f ;; esac
  done
  rm -f $d/f.*
  : >$d/f.$$
  echo >&4
  seen o
  wo=$((n < 2 ? 0 : n - 2))
  seen e
  we=$((n < 2 ? 0 : n - 2))
  feed
}
d=$b/$id
`;

/** What is to be said first, and at `i`. */
export interface Opening {
  readonly head: Uint8Array;
  /** Of the command; not empty. */
  readonly stdin: Uint8Array | undefined;
}

const encoder = new TextEncoder();

/**
 * Begins a command, or attaches to the one that was begun under its id.
 * @throws FileError `invalid_request` for what no process can be given
 */
export function beginOf(exec: ExecSpec, mark: string): Opening {
  const stdin = exec.stdin?.length ? exec.stdin : undefined;
  const set = `mark=${mark} sent=${stdin?.length ?? 0} run=${quoted(scriptOf(exec))}`;
  return { head: headOf(exec.exec_id, `${set}\n[ -d $d ] || begin\nattach`), stdin };
}

export function attachOf(execId: string): Opening {
  return { head: headOf(execId, "attach"), stdin: undefined };
}

/** What is to be done stands last: of a head that is cut off nothing is done. */
function headOf(execId: string, what: string): Uint8Array {
  const text = encoder.encode(`id=${named(execId)}\n${RELAY}${what}\n`);
  const size = encoder.encode(`${text.length}\n`);
  const head = new Uint8Array(size.length + text.length);
  head.set(size);
  head.set(text, size.length);
  return head;
}

/** @throws FileError `invalid_request` for what is no id of a command */
export function named(execId: string): string {
  if (/^[a-z0-9-]{1,64}$/.test(execId)) return execId;
  const detail = 'a command is named by 1 to 64 of a-z, 0-9 and "-"';
  throw new FileError("invalid_request", "run", execId.slice(0, 100), { detail });
}

/** Variables that a shell sets itself, does not let go of, or goes by: no names under which anybody keeps a secret. */
const SHELLS_OWN = new RegExp(`^(?:${
  [
    "_|PATH|IFS|ENV|PPID|E?[UG]ID|GROUPS|(?:OLD)?PWD|CDPATH|DIRSTACK|FUNC(?:NAME|NEST)|LINENO|OPT(?:IND|ARG|ERR)",
    "PS[0-4]|S?RANDOM|SECONDS|EPOCH(?:REALTIME|SECONDS)|TMOUT|SHELLOPTS|POSIXLY_CORRECT|LANG(?:UAGE)?|LC_[A-Z]+",
    "MAIL(?:CHECK|PATH)?|HIST(?:CMD|SIZE|FILE|FILESIZE|CONTROL|IGNORE|TIMEFORMAT)",
    "COMP_(?:LINE|POINT|KEY|TYPE|WORDS|CWORD|WORDBREAKS)|BASH(?:OPTS|PID|_[A-Z0-9_]+)?",
  ].join("|")
})$`);

/**
 * Becomes the command. Its environment is exported by the shell, as arguments are seen by all who may list processes, on the host too, if only for a moment; but what is the
 * shell's own would be refused by it, or change how it goes on, and so is set by `env`.
 */
function scriptOf({ exec_id, command, env, workdir }: ExecSpec): string {
  const words = typeof command === "string"
    ? ["-c", command]
    : ["-c", 'exec "$@"', "sh", ...command];
  const all = Object.entries(env);
  const exported = all.filter(([name]) => !SHELLS_OWN.test(name));
  const set = all.filter(([name]) => SHELLS_OWN.test(name)).map((pair) => pair.join("="));
  const dir = workdir === "" ? WORKDIR : `${WORKDIR}/${workdir}`;
  return `no() { : >"$1/r.$2"; exit 126; }
: >"$1/p.$$"
{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null
cd -P ${quoted(dir)} 2>/dev/null || no "$1" absent
case $PWD/ in ${WORKDIR}/*) ;; *) no "$1" outside ;; esac
unset OLDPWD
${PROXIES.map((name) => `[ "$${name}" ] || unset ${name}`).join("\n")}
${exported.map(([name, value]) => `export ${name}=${quoted(value)}`).join("\n")}
exec env ${[...set, markOf(exec_id), "/bin/sh", ...words].map(quoted).join(" ")}
`;
}

/** One word of a shell, whatever is in it. */
function quoted(text: string): string {
  if (text.includes("\0") || !text.isWellFormed()) {
    const detail = "a command, its environment and its directory are Unicode text without NUL";
    throw new FileError("invalid_request", "run", "", { detail });
  }
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
