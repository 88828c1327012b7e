/** `/secrets/`: names that this agent's requests may refer to, what they are bound to, and never a value. */
import { z } from "zod";
import type { SecretChange, SecretInfo, Secrets } from "../core/secrets.ts";
import type { AgentView, ServiceFactory } from "../core/view.ts";
import { byteOrder } from "../fs/path.ts";
import { each, file, type Node, refusal, tree } from "../fs/tree.ts";
import { fitting, JSON_TYPE, jsonOf, textOf } from "./common/json.ts";

const OPERATOR = { write: ["operator"], remove: ["operator"] };
/** A value with what it is bound to. */
const MAX_BYTES = 128 * 1024;

const changeSchema = z.strictObject({
  value: z.string().optional(),
  mounts: z.array(z.string()).exactOptional(),
  hosts: z.array(z.string()).exactOptional(),
});

export function secrets(store: Secrets): ServiceFactory {
  return (view) =>
    tree(
      each({
        list: ({ after = "", limit }) =>
          visible(store, view)
            .filter(({ name }) => byteOrder(name, after) > 0)
            .slice(0, limit)
            .map(({ name }) => ({ name, dir: false })),
        get: (name, { op }) =>
          op === "write" || visible(store, view).some((info) => info.name === name)
            ? secret(store, view, name)
            : undefined,
      }, { about: "names of secrets; {{secret:NAME}} in a request of /http stands for the value" }),
      view.viewer,
    );
}

function visible(store: Secrets, { id }: AgentView): SecretInfo[] {
  return store.list().filter(({ agents }) => agents === undefined || agents.includes(id));
}

function secret(store: Secrets, view: AgentView, name: string): Node {
  const find = () => visible(store, view).find((info) => info.name === name);
  return file({
    type: JSON_TYPE,
    about: "what the secret is bound to; an operator writes { value, mounts, hosts } for this " +
      "agent alone, or another value as text/plain",
    only: OPERATOR,
    maxBytes: MAX_BYTES,
    stat() {
      const info = find();
      return info && { modified: Date.parse(info.created_at) };
    },
    read() {
      const info = find();
      if (!info) throw refusal("not_found");
      return JSON.stringify(info);
    },
    async write(data, { type }) {
      mustBeOwn(store, view, name);
      await store.set(name, { ...changeOf(data, type), agents: [view.id] });
    },
    async remove() {
      mustBeOwn(store, view, name);
      await store.remove(name);
    },
  });
}

/** To operate one agent is not to change what others use. */
function mustBeOwn(store: Secrets, { id }: AgentView, name: string): void {
  const info = store.list().find((info) => info.name === name);
  if (!info || info.agents?.length === 1 && info.agents[0] === id) return;
  throw refusal(
    "permission_denied",
    "other agents may use this secret too; whoever holds the runtime's token changes it at /secrets",
  );
}

function changeOf(data: Uint8Array, type: string | undefined): SecretChange {
  if (type?.startsWith("text/")) return { value: textOf(data).replace(/\r?\n$/, "") };
  const hint = 'a secret is { "value", "mounts", "hosts" }, or a value as text/plain';
  return fitting(changeSchema, parsed(data, hint));
}

/** What is wrong with the JSON is not told: it would be told with a part of it. */
function parsed(data: Uint8Array, hint: string): unknown {
  try {
    return jsonOf(data, hint);
  } catch {
    throw refusal("invalid_request", hint);
  }
}
