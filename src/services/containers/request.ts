/** What is written to `new` and `exec/new`, checked: its form, its paths, and where a repository is. */
import {
  type Command,
  type ContainerRequest,
  containerRequest,
  type ExecRequest,
  execRequest,
  isGitRef,
  type Repository,
} from "../../core/containers.ts";
import { parseJson } from "../../core/strange.ts";
import { segmentFault } from "../../fs/path.ts";
import { refusal } from "../../fs/tree.ts";
import { fitting, jsonOf, textOf } from "../common/json.ts";

/** @throws FileError `invalid_request`, `invalid_path` with the first thing that is wrong */
export function requestOf(bytes: Uint8Array): ContainerRequest {
  const given = jsonOf(bytes, "a request is { kind, image?, commands, … }");
  mustBeText(given);
  const request = fitting(containerRequest, given);
  mustBeCommands(request.commands);
  mustBeEnv(request.env);
  if (request.workdir !== undefined) mustBeDir("workdir", request.workdir);
  mustBeFiles(Object.keys(request.files));
  for (const pattern of request.artifacts) mustBePath("artifacts", pattern);
  if (request.repo) mustBeRepository(request.repo);
  if (request.kind !== "interactive" && request.commands.length === 0) {
    throw refusal("invalid_request", `commands: a session of kind ${request.kind} has some`);
  }
  if (request.kind === "interactive" && request.artifacts.length > 0) {
    const why = "artifacts: an interactive session keeps none; its files are read while it runs";
    throw refusal("invalid_request", why);
  }
  return request;
}

/** A command as text, a list of texts, or an object. The same errors. */
export function execRequestOf(bytes: Uint8Array): ExecRequest {
  const text = textOf(bytes);
  const given: unknown = looksLikeObject(text)
    ? jsonOf(bytes, "an exec is a command as text, or { command, env?, workdir?, stdin? }")
    : { command: listIn(text) ?? text };
  mustBeText(given);
  const request = fitting(execRequest, given);
  mustBeCommands([request.command]);
  mustBeEnv(request.env);
  if (request.workdir !== undefined) mustBeDir("workdir", request.workdir);
  return request;
}

/** `{ "command": … }`; what the shell knows as `{ a; b; }` has a space there and no quote behind it. */
function looksLikeObject(text: string): boolean {
  return /^\s*\{/.test(text) && !/^\s*\{\s+[^\s"}]/.test(text);
}

/** `["ls", "-l"]`; what the shell knows as `[ -f x ]` is no JSON. */
function listIn(text: string): unknown[] | undefined {
  if (!/^\s*\[\s*"/.test(text)) return undefined;
  try {
    const given: unknown = parseJson(text);
    return Array.isArray(given) ? given : undefined;
  } catch {
    return undefined;
  }
}

/**
 * JSON can say what no file, no program and no object has: half a character, which would come out as another one, and `__proto__` as a name, which would be left out.
 * @throws FileError `invalid_request`
 */
function mustBeText(value: unknown, at = ""): void {
  if (typeof value === "string") {
    if (value.isWellFormed()) return;
    throw refusal("invalid_request", `${at || "it"}: not well-formed Unicode`);
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, one] of Object.entries(value)) {
    const here = at === "" ? name.toWellFormed() : `${at}.${name.toWellFormed()}`;
    if (name === "__proto__") throw refusal("invalid_request", `${here}: no name can be that`);
    mustBeText(one, here);
  }
}

/** @throws FileError `invalid_path`; `invalid_request` where one of them would have to be a directory too */
function mustBeFiles(paths: readonly string[]): void {
  const all = new Set(paths);
  for (const path of paths) {
    mustBePath("files", path);
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
      const dir = path.slice(0, end);
      if (!all.has(dir)) continue;
      const why = `files: ${JSON.stringify(dir)} is a file, and ${JSON.stringify(path)} below it`;
      throw refusal("invalid_request", why);
    }
  }
}

function mustBeCommands(commands: readonly Command[]): void {
  for (const command of commands) {
    if ([command].flat().some((part) => part.includes("\0"))) {
      throw refusal("invalid_request", "a command has no NUL");
    }
    if (Array.isArray(command) && command[0] === "") {
      throw refusal("invalid_request", "a command that is a list begins with a program");
    }
  }
}

function mustBeEnv(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (value.includes("\0")) throw refusal("invalid_request", `env: ${name} has a NUL`);
  }
}

/** @throws FileError `invalid_path` */
export function mustBePath(what: string, path: string): void {
  const fault = path.startsWith("/")
    ? "it is not absolute"
    : path.split("/").map(segmentFault).find((fault) => fault !== undefined);
  if (fault === undefined) return;
  throw refusal(
    "invalid_path",
    `${what}: ${JSON.stringify(path.slice(0, 200))} is a path below the work directory: ${fault}`,
  );
}

function mustBeDir(what: string, path: string): void {
  if (path !== ".") mustBePath(what, path);
}

/** As providers take it: `""` is the work directory itself. */
export function workdirOf(path: string | undefined): string {
  return path === undefined || path === "." ? "" : path;
}

function mustBeRepository({ url, git_ref, subdir }: Repository): void {
  const refuse = (why: string) => refusal("invalid_request", `repo: ${why}`);
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw refuse(`${JSON.stringify(url.slice(0, 80))} is no address`);
  }
  if (parsed.protocol !== "https:") throw refuse("a repository is fetched by https alone");
  if (parsed.username !== "" || parsed.password !== "" || /^[^/]*\/\/[^/]*@/.test(url)) {
    throw refuse("its address holds no credential; auth names a secret");
  }
  if (parsed.hash !== "") throw refuse("what is behind # in its address has no meaning here");
  if (!isGitRef(git_ref)) {
    throw refuse(`${JSON.stringify(git_ref.slice(0, 80))} is no branch, tag or commit`);
  }
  if (subdir === undefined) return;
  mustBePath("repo.subdir", subdir);
  if (subdir.split("/")[0] === ".git") throw refuse("subdir: .git is no part of what is fetched");
}
