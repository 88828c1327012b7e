/** How a repository is fetched inside the container that is made for it: the script, what it is told, and what its failures come to. Git never runs on the host. */
import { type Code, FileError } from "../../fs/error.ts";
import { type CloneSpec, isGitRef } from "../../core/containers.ts";
import type { Ended } from "./cli.ts";
import { OWN_DIR, WORKDIR } from "./container.ts";
import { lines, plain } from "./words.ts";

/** The repository itself, below the clone's own work directory. */
export const TREE = `${WORKDIR}/tree`;
/** Where no byte comes for so long, the server is given up. */
const STALL_SECS = 30;

/**
 * Reads what it is told line by line from stdin, so that it stands in no list of arguments and in no environment. The credential
 * lies in a file in memory for as long as git fetches, is told to its own server alone, and is gone before anything else is done.
 */
export const FETCH = `
set -u
umask 077
for name in url ref subdir allowed server username password; do
  IFS= read -r "$name" || exit 64
done
mkdir -p ${TREE} && cd ${TREE} || exit 65
umask 022
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ASKPASS=
export GIT_ALLOW_PROTOCOL="$allowed" GIT_LITERAL_PATHSPECS=1 LC_ALL=C HOME=/tmp
export GIT_HTTP_LOW_SPEED_LIMIT=1 GIT_HTTP_LOW_SPEED_TIME=${STALL_SECS}
secret=${OWN_DIR}/credential
if [ -n "$password" ]; then
  (umask 077 && printf 'username=%s\\npassword=%s\\n' "$username" "$password" > "$secret") || exit 65
fi
unset password
safe() {
  git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 -c maintenance.auto=false \\
    -c submodule.recurse=false -c advice.detachedHead=false -c init.defaultBranch=main "$@"
}
fetch() {
  safe -c "credential.$server.helper=!f() { test -e $secret && cat $secret; }; f" \\
    fetch --quiet --no-tags --no-recurse-submodules "$@"
}
safe init --quiet --template= . && safe remote add origin "$url" || exit 65
if ! fetch --depth=1 origin "$ref" 2> /tmp/said; then
  # Servers of the old protocol give a commit only as a part of what they have a name for.
  if grep -q 'unadvertised object\\|not our ref' /tmp/said && [ "\${#ref}" -ge 40 ]; then
    fetch origin '+refs/heads/*:refs/remotes/origin/*' && safe cat-file -e "$ref^{commit}" &&
      printf '%s\\n' "$ref" > .git/FETCH_HEAD
  else
    cat /tmp/said >&2
    false
  fi
fi
code=$?
rm -f "$secret"
[ "$code" = 0 ] || exit 66
if [ -n "$subdir" ]; then
  [ "$(safe cat-file -t "FETCH_HEAD:$subdir" 2> /dev/null)" = tree ] || exit 67
  safe checkout --quiet FETCH_HEAD -- "$subdir" || exit 68
else
  safe checkout --quiet --detach FETCH_HEAD || exit 68
fi
`;

/** Prints the tree as an archive: from where it really is, and nothing from anywhere else. */
export const PACK = `
cd -P "$1" || exit 67
case "$(pwd -P)/" in ${TREE}/*) exec tar -c -f - . ;; esac
exit 67
`;

/** Takes the archive; whoever is root there gets files of root. */
export const UNPACK = ["tar", "-x", "-o", "-f", "-", "-C", WORKDIR];

/** A repository that may be fetched, in the words of the script. */
export interface Fetching {
  readonly stdin: Uint8Array;
  /** What goes into the session. */
  readonly dir: string;
}

/** @throws FileError `invalid_request` */
export function fetching(repo: CloneSpec, protocols: readonly string[]): Fetching {
  const url = urlOf(repo.url, protocols);
  const { username = "", password = "" } = repo.credential ?? {};
  if (/[\0\r\n]/.test(username + password)) {
    throw refusal("invalid_request", url.href, "its credential has line breaks");
  }
  const told = [
    url.href,
    refOf(repo.git_ref),
    subdirOf(repo.subdir),
    protocols.join(":"),
    url.origin,
    username,
    password,
  ];
  return {
    stdin: new TextEncoder().encode(told.map((line) => `${line}\n`).join("")),
    dir: repo.subdir === undefined ? TREE : `${TREE}/${repo.subdir}`,
  };
}

function urlOf(written: string, protocols: readonly string[]): URL {
  const url = URL.parse(written);
  const shown = plain(written.replace(/\/\/[^/@]*@/, "//"), 140);
  if (url === null || !protocols.includes(url.protocol.slice(0, -1)) || url.hostname === "") {
    throw refusal(
      "invalid_request",
      shown,
      `a repository has an URL with ${protocols.join(" or ")}`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    const detail = "no credential in the URL; name a secret in repo.auth";
    throw refusal("invalid_request", shown, detail);
  }
  if (url.hash !== "") {
    throw refusal("invalid_request", shown, "what is behind # has no meaning here");
  }
  return url;
}

function refOf(ref: string): string {
  if (isGitRef(ref)) return ref;
  throw refusal("invalid_request", ref.slice(0, 140), "that is no name of a branch, tag or commit");
}

function subdirOf(subdir: string | undefined): string {
  if (subdir === undefined) return "";
  const segments = subdir.split("/");
  const isPlain = segments.every((one) => one !== "" && one !== "." && one !== "..");
  // deno-lint-ignore no-control-regex -- they are what is refused
  if (isPlain && !/[\x00-\x1f\x7f]/.test(subdir) && segments[0] !== ".git") return subdir;
  const detail = "a directory of a repository is a path without empty segments, . and ..";
  throw refusal("invalid_request", subdir.slice(0, 140), detail);
}

interface Known {
  readonly says: RegExp;
  readonly code: Code;
  readonly detail: string;
}

const KNOWN: readonly Known[] = [
  {
    says: /No space left on device|Disk quota exceeded/i,
    code: "quota_exceeded",
    detail: "it is too large for the session's disk; ask for more max_disk_mb",
  },
  {
    says: /out of memory|Cannot allocate memory|signal 9/i,
    code: "out_of_memory",
    detail: "git needs more memory for it; ask for more max_memory_mb",
  },
  {
    says:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|returned error: 40[13]|HTTP Basic: Access denied/i,
    code: "permission_denied",
    detail:
      "the server does not let us in; look at the secret that repo.auth names, and what it may",
  },
  {
    says: /couldn't find remote ref|unadvertised object|not our ref|Not a valid object name/i,
    code: "not_found",
    detail: "there is no such branch, tag or commit; a commit is named in full",
  },
  {
    says: /repository .* not found|returned error: 404|not valid: is this a git repository/i,
    code: "not_found",
    detail: "there is no repository at this URL, or nobody may see it without a credential",
  },
  {
    says: /Could not resolve host|Failed to connect|Couldn't connect|Connection refused|timed out/i,
    code: "io",
    detail: "the server cannot be reached from the engine's network",
  },
  {
    says: /Operation too slow|early EOF|unexpected disconnect|RPC failed|Connection reset/i,
    code: "io",
    detail: "the server broke off",
  },
  {
    says: /SSL|certificate/i,
    code: "io",
    detail: "the server's certificate is not one that the git image trusts",
  },
  {
    says: /transport '.*' not allowed|Protocol .* (?:not supported|disabled)/i,
    code: "invalid_request",
    detail: "it leads to another protocol, which is not followed",
  },
];

/** What a fetch that ended badly comes to. */
export function fetchFailure(repo: CloneSpec, { code, stderr }: Ended): FileError {
  const what = `${repo.url} ${repo.git_ref}`;
  if (code === 67) {
    return refusal("not_found", what, `there is no directory ${repo.subdir} in it`);
  }
  if (code === 137) return refusal("out_of_memory", what, KNOWN[1]!.detail);
  const known = KNOWN.find(({ says }) => says.test(stderr));
  if (known) return refusal(known.code, what, known.detail);
  const said = lines(stderr).find((line) => /^(?:fatal|error):/.test(line)) ?? lines(stderr).at(-1);
  return refusal("io", what, `git: ${plain(said ?? `ended with ${code}`)}`);
}

/** What the session's side says of an archive that it could not take. */
export function unpackFailure(repo: CloneSpec, image: string, { code, stderr }: Ended): FileError {
  const what = `${repo.url} ${repo.git_ref}`;
  if (KNOWN[0]!.says.test(stderr)) return refusal("quota_exceeded", what, KNOWN[0]!.detail);
  if (code === 126 || code === 127) {
    const detail = `the image ${image} has no tar, and takes no repository without it`;
    return refusal("invalid_request", what, detail);
  }
  const said = plain(lines(stderr).at(-1) ?? `ended with ${code}`);
  return refusal("io", what, `the session could not take its files: ${said}`);
}

function refusal(code: Code, what: string, detail: string): FileError {
  return new FileError(code, "clone", plain(what, 200), { detail });
}
