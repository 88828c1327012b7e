/** Signals to a command in a container and to all that came of it, also what has left its parent or its session behind. */
import { SIGNALS } from "../../core/containers.ts";
import { FileError } from "../../fs/error.ts";
import type { DockerCli, Ran } from "./cli.ts";
import { OWN_DIR } from "./container.ts";
import { engineFailure } from "./failure.ts";
import { markOf, named } from "./relay.ts";

/** Far more than it takes in a container full of processes. */
const SIGNAL_MS = 60_000;
/** How often it is tried in a container that is full of processes; each try ends some of them. */
const MAX_TRIES = 10;
/** The script's word for processes that are still there after all rounds. */
const STILL_THERE = 3;

/**
 * POSIX sh: `ID NAME MARK`. A process is the command's if it is in its session, has its mark in its environment, or descends from one that is. To look, it starts no process
 * at first, as there may be no room for one. For KILL all are stopped before any is killed: a fork bomb then comes to rest, since who is stopped holds its place.
 */
const SCRIPT = `exec 2>/dev/null
d=${OWN_DIR}/$1 name=$2 mark=$3
root=0
[ -e $d/z ] || for p in $d/p.*; do
  p=\${p##*.}
  case $p in *[!0-9]*) ;; *) root=$p ;; esac
done
look() {
  marked=' ' all= mine=' '
  [ "$1" ] && for p in $(grep -lszF "$mark" /proc/[0-9]*/environ); do
    p=\${p#/proc/}
    marked="$marked\${p%/environ} "
  done
  for x in /proc/[0-9]*; do
    l=
    while read -r y || [ "$y" ]; do l=$l$y; done <$x/stat
    set -- \${l##*') '}
    case $1 in Z | X | '') ;; *) all="$all \${x#/proc/}:$2:$4" ;; esac
  done
  more=1
  while [ "$more" ]; do
    more=
    for x in $all; do
      p=\${x%%:*} y=\${x#*:}
      case $mine in *" $p "*) continue ;; esac
      case "$mine:$marked" in
        *" \${y%:*} "*:* | *:*" $p "*) ;;
        *) [ $p = $root ] || [ \${y#*:} = $root ] || continue ;;
      esac
      mine="$mine$p " more=1
    done
  done
}
if [ $name != KILL ]; then
  look 1
  [ "$mine" = ' ' ] || kill -s $name $mine
  exit 0
fi
n=0
for how in '' 1; do
  while [ $n -lt 100 ]; do
    n=$((n + 1)) held=
    while :; do
      look $how
      [ "$mine" = "$held" ] && break
      held=$mine
      [ "$mine" = ' ' ] || kill -s STOP $mine
    done
    [ "$mine" = ' ' ] && break
    kill -s KILL $mine
  done
done
[ "$mine" = ' ' ] && exit 0
exit ${STILL_THERE}
`;

/**
 * `signal` of a provider in one container. No error for a command, or a container, that has ended.
 * @throws FileError `invalid_request`, `provider_unavailable`, `quota_exceeded` (no process can be started there), `timeout` (some would not die)
 */
export async function signalIn(
  cli: DockerCli,
  container: string,
  execId: string,
  name: string,
): Promise<void> {
  if (!(SIGNALS as readonly string[]).includes(name)) {
    const detail = `signals are ${SIGNALS.join(", ")}`;
    throw new FileError("invalid_request", "signal", execId, { detail });
  }
  const words = [named(execId), name, markOf(execId)];
  const args = ["exec", container, "sh", "-c", SCRIPT, "sh", ...words];
  const options = { withinMs: SIGNAL_MS };
  let ended = await cli.run(args, options);
  for (let tries = 1; isCrowded(ended) && tries < MAX_TRIES; tries++) {
    ended = await cli.run(args, options);
  }
  if (ended.code === 0) return;
  if (ended.code === STILL_THERE) {
    const detail = "some processes of the command do not end; stop the session";
    throw new FileError("timeout", "signal", execId, { detail });
  }
  if (isCrowded(ended)) {
    const detail = "the session has as many processes as it may; stop the session";
    throw new FileError("quota_exceeded", "signal", execId, { detail });
  }
  const failure = engineFailure("signal", execId, ended);
  if (failure.code !== "interrupted") throw failure;
}

/** A shell that could start no process ends with this, in silence. */
const NO_FORK = 2;

/** Where the engine itself could not start one, it says so on stdout. */
function isCrowded({ code, stdout, stderr }: Ran): boolean {
  return code === NO_FORK && stderr === "" ||
    /resource temporarily unavailable/i.test(stdout + stderr);
}
