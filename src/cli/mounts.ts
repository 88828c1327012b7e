/** `agentd mounts`: what is mounted for an agent, and how far it may go there. */
import { resolve } from "node:path";
import { ACCESSES } from "../core/access.ts";
import type { AgentId } from "../core/id.ts";
import { DIRECTORY_ACCESSES } from "../core/mounts.ts";
import type { DirectoryMount } from "../core/provider.ts";
import type { Access, MountRow } from "../core/view.ts";
import { readJson } from "../fs/use.ts";
import type { Client } from "../http/client.ts";
import { type Action, answer, arg, type Call, maybeArg, option, withProgress } from "./call.ts";
import { usage } from "./exit.ts";
import { safeLine, table } from "./print.ts";
import { didYouMean } from "./similar.ts";
import { idOf, inAgent } from "./target.ts";
import { wordIn } from "./word.ts";

export const mounts: Action = async (call) => {
  const id = idOf(arg(call, "id"));
  await wordIn(call, "mounts", { list, set, remove })(call, id);
};

async function list(call: Call, id: AgentId): Promise<void> {
  const rows = await withProgress(call, `asking for ${id}`, rowsOf(call.server(), id));
  answer(call, rows, () => tableOf(call, rows));
}

/** As the file tells them to who asks: operators see where directories are. */
async function rowsOf(server: Client, id: AgentId): Promise<MountRow[]> {
  return await inAgent(id, () => readJson<MountRow[]>(server.files(id), "/mounts"));
}

function tableOf(call: Call, rows: readonly MountRow[]): string[] {
  const { paint } = call.terminal;
  const columns = [{ title: "MOUNT" }, { title: "ACCESS" }, { title: "DIRECTORY" }];
  const withDirectories = rows.some((row) => row.type === "dir");
  return table(
    withDirectories ? columns : columns.slice(0, 2),
    rows.map(({ path, access, type, host_path }) => [
      safeLine(path),
      access === "disabled" ? paint("dim", access) : access,
      type === "dir" ? safeLine(host_path ?? "a directory") : "",
    ]),
    paint,
  );
}

async function set(call: Call, id: AgentId): Promise<void> {
  const path = pathOf(call);
  const access = accessOf(call);
  const dir = option<string>(call, "dir");
  const hidden = option<string[]>(call, "hide");
  if (dir === undefined) {
    if (hidden) throw usage("--hide is for a directory", "Say which one with --dir.");
    return await change(call, id, path, access);
  }
  const within = DIRECTORY_ACCESSES.find((known) => known === access);
  if (within === undefined) {
    throw usage(
      `A directory cannot be ${access}`,
      `Its access is one of ${DIRECTORY_ACCESSES.join(", ")}.`,
    );
  }
  await change(call, id, path, {
    type: "dir",
    path: resolve(call.cwd, dir),
    access: within,
    ...(hidden ? { hidden } : {}),
  });
}

async function change(
  call: Call,
  id: AgentId,
  path: string,
  mount: Access | DirectoryMount | null,
): Promise<void> {
  const server = call.server();
  const changing = server.configure(id, { mounts: { [path]: mount } });
  await withProgress(call, `changing ${id}`, changing);
  const rows = await rowsOf(server, id);
  const row = rows.find((row) => row.path === path);
  answer(call, rows, () => {
    if (!row) return [`${id} has no ${path} any more`];
    const where = row.host_path === undefined ? "" : `   ${safeLine(row.host_path)}`;
    return [`${id} ${path} ${row.access}${where}`];
  });
}

async function remove(call: Call, id: AgentId): Promise<void> {
  await change(call, id, pathOf(call), null);
}

function pathOf(call: Call): string {
  const path = maybeArg(call, "path");
  if (path === undefined) throw usage("Which mount?", "For example /files.");
  return "/" + path.replace(/^\/+|\/+$/g, "");
}

function accessOf(call: Call): Access {
  const named = maybeArg(call, "access");
  const access = ACCESSES.find((access) => access === named);
  if (access) return access;
  if (named === undefined) throw usage("Which access?", `One of ${ACCESSES.join(", ")}.`);
  throw usage(
    `There is no access ${JSON.stringify(named)}`,
    didYouMean(named, ACCESSES) ?? `There are ${ACCESSES.join(", ")}.`,
  );
}
