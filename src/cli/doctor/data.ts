/** The data directory: is it ours alone, is there room, is the database sound, are secrets secret? */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { inspectLocal } from "../../backends/local/sqlite.ts";
import { type Call, withProgress } from "../call.ts";
import type { Home } from "../home.ts";
import type { Seen } from "../note.ts";
import { clip, count, safeLine, size } from "../print.ts";
import { readSources } from "../sources.ts";
import { type Finding, type Group, look } from "./finding.ts";

/** With less than this, commits will soon fail. */
const MIN_FREE_BYTES = 256 * 1024 * 1024;
/** Permission bits of group and others; those to write. */
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
const MAX_FAULT_COLUMNS = 160;
const DATABASE = "agentd.db";
/** What only its owner may read. */
const SECRET_FILES = ["keys", "token", "hook_secrets", "secrets", "runtime_key"] as const;
/** Those that are there from the first start on. */
const ALWAYS: readonly string[] = ["keys", "token"];

export async function lookAtData(call: Call, home: Home, seen: Seen | undefined): Promise<Group> {
  const title = "Data directory";
  const directory = await look("directory", () => lookAtDirectory(call, home));
  if (directory.state === "absent") return { title, findings: [directory] };
  const secrets = SECRET_FILES.map((name) => look(name, () => lookAtSecret(home, name)));
  const findings = [
    directory,
    await look("free space", () => lookAtSpace(home)),
    await look("database", () => lookAtDatabase(call, home, seen)),
    ...(await Promise.all(secrets)).filter(({ name, state }) =>
      ALWAYS.includes(name) || state !== "absent"
    ),
    await look("sources", () => lookAtSources(home)),
  ];
  return { title, findings };
}

function lookAtDirectory(call: Call, home: Home): Finding {
  const name = "directory";
  const info = statOf(home.dir);
  const from = home.from;
  if (!info) {
    const todo = `${call.program.replace("agentctl", "agentd")} dev makes it.`;
    return { name, state: "absent", found: `${home.shown} is not there yet`, from, todo };
  }
  if (!info.isDirectory) {
    return { name, state: "broken", found: `${home.shown} is a file`, from, todo: "Move it away." };
  }
  const mode = modeOf(info);
  const found = `${home.shown} · ${mode} · ${size(bytesIn(home.dir))}`;
  if (((info.mode ?? 0) & OTHERS_WRITE) !== 0) {
    const todo = `Others may write there: chmod 700 ${home.shown}`;
    return { name, state: "broken", found, from, todo };
  }
  const refusal = writeRefusal(home.dir);
  if (refusal !== undefined) {
    return { name, state: "broken", found: `${found} · ${refusal}`, from };
  }
  return { name, state: "ok", found, from };
}

/** Why nothing can be written there, if that is so. @throws what is said where this program may not try */
function writeRefusal(dir: string): string | undefined {
  try {
    const path = Deno.makeTempFileSync({ dir, prefix: ".doctor-" });
    Deno.removeSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const reason = (error as Error).message.replace(/ \(os error \d+\).*/, "");
    return `cannot be written: ${reason.toLowerCase()}`;
  }
}

function lookAtSpace(home: Home): Finding {
  const name = "free space";
  const { bavail, bsize } = statfsSync(home.dir);
  const free = bavail * bsize;
  const found = size(free);
  if (free >= MIN_FREE_BYTES) return { name, state: "ok", found };
  return { name, state: "broken", found, todo: "Make room: a full disk fails every commit." };
}

async function lookAtDatabase(call: Call, home: Home, seen: Seen | undefined): Promise<Finding> {
  const name = "database";
  const bytes = statOf(join(home.dir, DATABASE))?.size;
  if (bytes === undefined) return { name, state: "absent", found: "none yet" };
  if (seen?.state !== "none" && seen?.state !== "killed") {
    return {
      name,
      state: "ok",
      found: `${size(bytes)} · open in the server, which answers for it`,
    };
  }
  // In a promise, so that what is waited for is said first.
  const looking = Promise.resolve().then(() => inspectLocal(home.dir));
  const { version, known, faults } = await withProgress(call, "checking the database", looking);
  const found = `${size(bytes)} · schema ${version}`;
  if (version > known) {
    const todo =
      `This program knows schemas up to ${known}: use the one that wrote it, or a newer one.`;
    return { name, state: "broken", found, todo };
  }
  if (faults.length === 0) return { name, state: "ok", found: `${found} · sound` };
  const todo = "Keep a copy of it as it is, then go back to a backup.";
  const told = clip(safeLine(faults.join("; ")), MAX_FAULT_COLUMNS);
  return { name, state: "broken", found: `${found} · ${told}`, todo };
}

function lookAtSecret(home: Home, name: string): Finding {
  const info = statOf(join(home.dir, name));
  if (!info) return { name, state: "absent", found: "none yet" };
  if (((info.mode ?? 0) & OTHERS) === 0) return { name, state: "ok", found: modeOf(info) };
  const todo = `Others may read it: chmod 600 ${home.shown}/${name}`;
  return { name, state: "broken", found: modeOf(info), todo };
}

/** Files that agents were made of, which `dev` watches. */
function lookAtSources(home: Home): Finding {
  const name = "sources";
  const notes = [...readSources(home)];
  if (notes.length === 0) {
    return { name, state: "absent", found: "no agent is made of a file here" };
  }
  const gone = notes.filter(([, { file }]) => statOf(file) === undefined);
  const found = count(notes.length, "file");
  if (gone.length === 0) return { name, state: "ok", found };
  const [[id, { file }]] = gone as [typeof gone[number]];
  const todo = `${id} was made of ${file}, which is not there: agentd deploy ${id} <file>`;
  return { name, state: "absent", found: `${found}, ${gone.length} gone`, todo };
}

/** Undefined if there is none. @throws where this program may not look */
function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function modeOf({ mode }: Deno.FileInfo): string {
  return mode === null ? "-" : (mode & 0o777).toString(8).padStart(4, "0");
}

function bytesIn(dir: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(dir)) {
    const path = join(dir, entry.name);
    if (entry.isDirectory) bytes += bytesIn(path);
    else bytes += entry.isFile ? statOf(path)?.size ?? 0 : 0;
  }
  return bytes;
}
