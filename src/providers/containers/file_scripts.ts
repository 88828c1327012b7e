/** What the shell in a container does with files: POSIX sh, and of programs `find stat readlink head tail dd cat mv rm mkdir chmod`, as every image with busybox or coreutils has them. */
import type { Code } from "../../fs/error.ts";
import { WORKDIR } from "./container.ts";

/** What a script's exit code means. The engine's client and shells have others. */
export const REFUSALS: Readonly<Record<number, Code>> = {
  61: "not_found",
  62: "is_directory",
  63: "not_directory",
  64: "permission_denied",
  65: "quota_exceeded",
  66: "io",
  67: "out_of_memory",
  68: "not_supported",
  // The kernel's KILL, which here is always for want of memory.
  137: "out_of_memory",
};

/** Behind a file that was sent to its end; cut off again. */
export const TRAILER_BYTES = 32;

/**
 * `enter NAME` goes into a directory and refuses one that is elsewhere; `make` is set where missing ones are made. `leaf NAME` sets `r` to what the name is: itself, or
 * where its link leads, which must be inside. A name is always behind a `./`, so that none is taken for an option.
 */
const COMMON = `exec 2>/dev/null
LC_ALL=C
export LC_ALL
unset CDPATH
make=
for x in find stat readlink head tail dd; do command -v $x >/dev/null || exit 68; done
cd -P ${WORKDIR} || exit 64
inside() { case $1/ in ${WORKDIR}/*) ;; *) exit 64 ;; esac }
there() { [ -e "$1" ] || [ -L "$1" ]; }
enter() {
  if [ ! -d "./$1" ]; then
    there "./$1" && exit 63
    [ "$make" ] || exit 61
    mkdir "./$1" || [ -d "./$1" ] || { full; exit 64; }
  fi
  cd -P "./$1" || exit 64
  inside "$PWD"
}
leaf() {
  r=./$1
  [ -L "$r" ] || return 0
  r=$(readlink -nf "./$1" && echo x) || exit 61
  r=\${r%x}
  inside "$r"
}
full() { case $(mkdir ./.agentd-$$.d 2>&1 && rmdir ./.agentd-$$.d) in *space*) exit 65 ;; esac }
`;
/** Down to the directory of the last name. */
const DOWN = `while [ $# -gt 1 ]; do enter "$1"; shift; done
`;

export const STAT = `${COMMON}${DOWN}
[ $# = 0 ] && { stat -c '%f %s %Y' .; exit; }
leaf "$1"
[ -e "$r" ] || exit 61
stat -L -c '%f %s %Y' "$r" || exit 66
`;

/** Records `MODE SIZE SECONDS .//NAME` with line ends between: no name has a slash, so none can be taken for the next record. */
export const LIST = `${COMMON}
while [ $# -gt 0 ]; do enter "$1"; shift; done
[ -r . ] || exit 64
find .// -mindepth 1 -maxdepth 1 '(' -type f -o -type d ')' -exec stat -c '%f %s %Y %n' '{}' +
find .// -mindepth 1 -maxdepth 1 -type l -exec sh -c '
  for f; do
    r=$(readlink -nf "$f" && echo x) || continue
    case \${r%x}/ in ${WORKDIR}/*) ;; *) continue ;; esac
    { [ -f "$f" ] || [ -d "$f" ]; } && stat -L -c "%f %s %Y %n" "$f"
  done' sh '{}' +
exit 0
`;

/** Records `SIZE .//PATH`, and no path has two slashes in a row. */
export const WALK = `${COMMON}
find .// -type f -exec stat -c '%s %n' '{}' +
exit 0
`;

/** `OFFSET LENGTH NAME…` */
export const READ = `${COMMON}
from=$1 most=$2
shift 2
${DOWN}
[ $# = 0 ] && exit 62
leaf "$1"
[ -d "$r" ] && exit 62
[ -e "$r" ] || exit 61
[ -f "$r" ] && [ -r "$r" ] || exit 64
exec 3<"$r" || exit 64
s=$(stat -L -c %s "$r") || exit 66
[ $from -ge $s ] && exit 0
[ $from -eq 0 ] || dd bs=1 skip=$from count=0 of=/dev/null <&3 || exit 66
[ $most -ge $((s - from)) ] && exec cat <&3
exec head -c $most <&3
`;

/** `whole TRAILER NAME…` or `into OFFSET NAME…` */
export const WRITE = `${COMMON}
how=$1 what=$2 make=1
shift 2
${DOWN}
[ -d "./$1" ] && exit 62
leaf "$1"
went() {
  c=$?
  [ $c -eq 0 ] && return
  case $said in *space* | *quota*) exit 65 ;; *denied* | *Read-only*) exit 64 ;; esac
  [ $c -eq 137 ] && exit 67
  exit 66
}
if [ $how = into ]; then
  [ ! -e "$r" ] || [ -f "$r" ] || exit 64
  said=$( { dd bs=1 seek=$what count=0 conv=notrunc </dev/null 2>/dev/null && cat; } 2>&1 1<>"$r")
  went
  exit 0
fi
t=./.agentd-$$.write
trap 'rm -f "$t"' EXIT
said=$(cat 2>&1 >"$t")
went
[ "$(tail -c ${TRAILER_BYTES} "$t" | tr -d '\\0')" = "$what" ] || exit 66
s=$(stat -c %s "$t") || exit 66
dd bs=1 seek=$((s - ${TRAILER_BYTES})) count=0 of="$t" </dev/null || exit 66
[ -f "$r" ] && [ -x "$r" ] && chmod +x "$t"
said=$(mv -f "$t" "$r" 2>&1)
went
exit 0
`;

/** The link itself, where it is one. What its owner may not look into is opened first. */
export const REMOVE = `${COMMON}${DOWN}
there "./$1" || exit 61
rm -rf "./$1" || {
  chmod -R u+rwx "./$1"
  rm -rf "./$1"
}
there "./$1" && exit 64
exit 0
`;
