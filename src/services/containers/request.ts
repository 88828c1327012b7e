/** What is written to `new` and `exec/new`, checked: its form, its paths, and where a repository is. */
import {
  type Command,
  type ContainerRequest,
  containerRequest,
  type ExecRequest,
  execRequest,
  type Repository,
} from "../../core/containers.ts";
import { segmentFault } from "../../fs/path.ts";
import { refusal } from "../../fs/tree.ts";
import { fitting, jsonOf, textOf } from "../common/json.ts";

/** @throws FileError `invalid_request`, `invalid_path` with the first thing that is wrong */
export function requestOf(bytes: Uint8Array): ContainerRequest {
  const request = fitting(
    containerRequest,
    jsonOf(bytes, "a request is { kind, image?, commands, … }"),
  );
  mustBeCommands(request.commands);
  mustBeEnv(request.env);
  if (request.workdir !== undefined) mustBeDir("workdir", request.workdir);
  for (const path of Object.keys(request.files)) mustBePath("files", path);
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
  const given: unknown = /^\s*\{/.test(text)
    ? jsonOf(bytes, "an exec is a command as text, or { command, env?, workdir?, stdin? }")
    : { command: listIn(text) ?? text };
  const request = fitting(execRequest, given);
  mustBeCommands([request.command]);
  mustBeEnv(request.env);
  if (request.workdir !== undefined) mustBeDir("workdir", request.workdir);
  return request;
}

/** `["ls", "-l"]`; what the shell knows as `[ -f x ]` is no JSON. */
function listIn(text: string): unknown[] | undefined {
  if (!/^\s*\[\s*"/.test(text)) return undefined;
  try {
    const given: unknown = JSON.parse(text);
    return Array.isArray(given) ? given : undefined;
  } catch {
    return undefined;
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
  if (!/^[\w./@{}~^+=-]+$/.test(git_ref) || git_ref.startsWith("-") || git_ref.includes("..")) {
    throw refuse(`${JSON.stringify(git_ref.slice(0, 80))} is no branch, tag or commit`);
  }
  if (subdir !== undefined) mustBePath("repo.subdir", subdir);
}
